"""Rules from the configuration file, and every mistake in them."""

from pathlib import Path

import pytest

from barograph_alerter.conditions.row import SeriesRow
from barograph_alerter.rules.defaults import default_rules, effective_rules, pipeline_rules
from barograph_alerter.rules.facts import facts_of
from barograph_alerter.rules.publishing import published_rules
from barograph_alerter.settings import check
from barograph_core.alerts.flapping.flaps import Flapping
from barograph_core.alerts.published_rules import PublishedRule
from barograph_core.alerts.record import Severity
from barograph_core.errors import Problem
from barograph_core.settings.config_file import parse_config
from tests.unit.alerter.build import problems_of, rules_of

FULL = """
[[rule]]
name = "high-error-rate"
on = "request"
by = ["route"]
where = { method = "POST" }
window = "10s"
when = "error_rate > 0.05 and count >= 20"
resolve_when = "error_rate < 0.03"
for = "1s"
keep_firing_for = "30s"
cooldown = "5m"
severity = "error"
no_data = "resolve"
no_data_for = "1m"
fire_on = "closed"
summary = "{{ route }}: {{ error_rate | percent }} errors"
runbook = "https://example.org/errors"
services = ["shop-*", "ranker"]
"""


def test_every_key_of_a_rule_is_read() -> None:
    """What is written is what is meant."""
    rule = rules_of(FULL)[0]
    assert (rule.name, rule.on.name, rule.by, dict(rule.where)) == (
        "high-error-rate",
        "request",
        ("route",),
        {"method": "POST"},
    )
    assert (rule.window_ms, rule.for_ms, rule.keep_firing_for_ms, rule.cooldown_ms, rule.no_data_for_ms) == (
        10_000,
        1_000,
        30_000,
        300_000,
        60_000,
    )
    assert (rule.severity, rule.no_data, rule.fire_on, rule.runbook) == (
        Severity.ERROR,
        "resolve",
        "closed",
        "https://example.org/errors",
    )


def test_name_kind_and_condition_are_enough() -> None:
    """The rest has defaults that suit most."""
    rule = rules_of('[[rule]]\nname = "r"\non = "model"\nwhen = "count > 1"')[0]
    assert (rule.by, rule.window_ms, rule.for_ms, rule.cooldown_ms, rule.severity, rule.no_data) == (
        (),
        60_000,
        0,
        300_000,
        Severity.WARNING,
        "keep",
    )


@pytest.mark.parametrize(
    ("written", "service", "expected"),
    [
        ('"shop"', "shop", True),
        ('"shop"', "shop-eu", False),
        ('"shop-*"', "shop-eu", True),
        ('"~shop-(eu|us)"', "shop-eu", True),
        ('"~shop-(eu|us)"', "shop-eu-2", False),
        ('"!shop-test"', "shop-test", False),
        ('"!shop-test"', "shop", True),
        ('"!~shop-.*"', "ranker", True),
        ('["shop", "rank*"]', "ranker", True),
    ],
)
def test_services_are_chosen_as_in_routes_and_silences(written: str, service: str, expected: bool) -> None:
    """One matcher everywhere, in the alerter and for those that read the published rules."""
    (rule,) = rules_of(f'[[rule]]\nname = "r"\non = "request"\nwhen = "errors > 3"\nservices = {written}\n')
    assert rule.applies_to(service) is expected
    (published,) = published_rules([rule], 1).rules
    assert PublishedRule.from_plain(published.to_plain()).applies_to(service) is expected


@pytest.mark.parametrize(
    ("service", "expected"), [("shop-1", True), ("ranker", True), ("ranker2", False), ("my-shop-1", False)]
)
def test_services_are_chosen_by_pattern(service: str, expected: bool) -> None:
    """As a shell has them, of the whole name."""
    assert rules_of(FULL)[0].applies_to(service) is expected


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("", False),
        ('services = ["*"]', False),
        ('services = ["barograph"]', True),
        ('services = ["barograph*", "shop"]', True),
        ('services = ["barographic"]', False),
        ('services = "~barograph.*"', True),
        ('services = "~.*"', False),
        ('services = "!shop"', False),
        ('services = "!barograph"', False),
        ('where = { name = "barograph.lag_ms" }', True),
        ('where = { name = "barograph.lag_ms" }\nservices = ["shop"]', False),
        ('where = { name = "queue" }', False),
        ('where = { name = ["barograph.lag_ms", "barograph.watermark_age_ms"] }', True),
        ('where = { name = ["barograph.lag_ms", "queue"] }', False),
        ('where = { name = "~.*" }', False),
        ('where = { name = "!queue" }', False),
    ],
)
def test_rules_leave_the_pipeline_alone_unless_they_name_it(keys: str, expected: bool) -> None:
    """It has no requests: a rule for too little traffic would fire there for good."""
    (rule,) = rules_of(f'[[rule]]\nname = "r"\non = "custom"\nwhen = "count < 5"\n{keys}')
    assert rule.applies_to("barograph") is expected


@pytest.mark.parametrize(
    ("line", "key", "message"),
    [
        ('sevrity = "error"', "sevrity", "did you mean 'severity'?"),
        ('severity = "bad"', "severity", "must be one of info, warning, error, critical, not 'bad'"),
        ('severity = ""', "severity", "must be one of info, warning, error, critical, not ''"),
        ('for = "5"', "for", "'5' is not a duration"),
        ('for = ""', "for", "'' is not a duration"),
        ("for = 5", "for", 'must be a duration in quotes such as "10s", not 5'),
        ('window = "0s"', "window", "must be 1s to 7d, not '0s'"),
        ('window = "1500ms"', "window", "must be whole seconds"),
        ('window = "30d"', "window", "must be 1s to 7d, not '30d'"),
        ('by = "route"', "by", "must be a list of texts"),
        ('by = ["rout"]', "by", "'rout' is not a label of 'request'; did you mean 'route'?"),
        ('by = ["route", "route"]', "by", "must be up to 8 different labels"),
        ('where = { methods = "GET" }', "where", "'methods' is not a label of 'request'; did you mean 'method'?"),
        ('by = [" a"]', "by", "' a' is not a label of 'request'"),
        ("where = { route = 1 }", "where", "route must be a text such as"),
        ('where = { route = "~(" }', "where", "route '~(' is no regular expression of RE2: missing )"),
        ('where = { route = ["!a", "b"] }', "where", "in a list would mean nearly everything"),
        ('where = "eu"', "where", "must be a table of matchers such as"),
        ('no_data = "ignore"', "no_data", "must be one of keep, resolve, alert"),
        ('fire_on = "now"', "fire_on", "must be one of auto, closed, provisional"),
        ('resolve_when = "error_rat < 1"', "resolve_when", "column 1: unknown name 'error_rat'"),
        ("resolve_when = 1", "resolve_when", "must be text in quotes, not 1"),
        ('resolve_when = ""', "resolve_when", "the condition is empty"),
        ('resolve_when = "count > 0"', "resolve_when", "is true of a breach and not of a recovery"),
        ('resolve_when = "0 < count"', "resolve_when", "is true of a breach and not of a recovery"),
        ('summary = "{{ rout }}"', "summary", "unknown name 'rout'"),
        ('summary = "{{ route }}"', "summary", "unknown name 'route'"),
        ('summary = "{{ count"', "summary", "line 1:"),
        ('summary = "{{ count | purcent }}"', "summary", "purcent"),
        ("runbook = true", "runbook", "must be text in quotes, not True"),
        (
            "services = [1]",
            "services",
            'must be a text such as "eu", "eu-*", "~eu-.*" or "!eu", or a list of texts, not [1]',
        ),
        (
            'services = ["shop-?"]',
            "services",
            "'shop-?' is no name: in one, * means any text; ~ begins a regular expression",
        ),
        (
            'services = ["shop-[ab]"]',
            "services",
            "'shop-[ab]' is no name: in one, * means any text; ~ begins a regular expression",
        ),
        (f'summary = "{"x" * 2_001}"', "summary", "is longer than 2000 characters"),
    ],
)
def test_a_mistake_is_named_with_line_and_key(line: str, key: str, message: str) -> None:
    """People find it without reading our code."""
    problems = problems_of(f'[[rule]]\nname = "r"\non = "request"\nwhen = "count > 1"\n{line}\n')
    assert [(problem.where, problem.key) for problem in problems] == [("barograph.toml:5", f"rule[1].{key}")]
    assert message in problems[0].message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[[rule]]\n", ["rule[1].name", "rule[1].on", "rule[1].when"]),
        ('[[rule]]\nname = "a b"\non = "request"\nwhen = "count > 1"', ["rule[1].name"]),
        ('[[rule]]\nname = 1\non = "requests"\nwhen = "count > 1"', ["rule[1].name", "rule[1].on"]),
    ],
)
def test_what_must_be_there_is_asked_for(text: str, expected: list[str]) -> None:
    """A rule without a name, a kind or a condition is none."""
    assert [problem.key for problem in problems_of(text)] == expected


def test_all_mistakes_of_all_rules_are_named_at_once() -> None:
    """And the rules that are right are still returned."""
    config = parse_config(
        '[[rule]]\nname = "a"\non = "request"\nwhen = "cnt > 1 and errs > 2"\n'
        '[[rule]]\nname = "b"\non = "model"\nwhen = "count > 1"\n'
        '[[rule]]\nname = "b"\non = "model"\nfor = "soon"\nwhen = "count > 1"\n'
        '[[rule]]\nname = "b"\non = "model"\nwhen = "count > 1"\n',
        Path("barograph.toml"),
    )
    problems: list[Problem] = []
    rules = effective_rules(config, problems, with_defaults=False)
    assert [(problem.where, problem.key) for problem in problems] == [
        ("barograph.toml:4", "rule[1].when"),
        ("barograph.toml:4", "rule[1].when"),
        ("barograph.toml:10", "rule[3].name"),
        ("barograph.toml:12", "rule[3].for"),
        ("barograph.toml:15", "rule[4].name"),
    ]
    assert rules[0].name == "b"


def test_custom_events_have_any_label() -> None:
    """Their labels are the caller's."""
    rule = rules_of(
        '[[rule]]\nname = "r"\non = "custom"\nby = ["name", "region"]\nwhere = { tier = "1" }\n'
        'when = "value.sum > 1"\nsummary = "{{ name }} {{ region }} {{ tier }}"'
    )[0]
    assert rule.by == ("name", "region")


def test_the_rules_that_ship_have_the_thresholds_of_the_brief() -> None:
    """Error rate, response time, model error, memory, CPU; and those that watch the pipeline itself."""
    assert [(rule.name, rule.when.text, rule.window_ms, rule.for_ms) for rule in default_rules()] == [
        ("high-error-rate", "error_rate > 0.05 and count >= 20", 10_000, 0),
        ("slow-responses", "duration_ms.p95 > 500 and count >= 20", 10_000, 0),
        ("model-error", "absolute_error.avg > 15 and absolute_error.count >= 50", 300_000, 0),
        ("high-memory", "memory_mb.avg > 1000", 60_000, 30_000),
        ("high-cpu", "cpu_percent.avg > 80", 60_000, 30_000),
    ]
    assert [(rule.name, rule.when.text, rule.window_ms, rule.for_ms) for rule in pipeline_rules()] == [
        ("pipeline-lag", "value.max > 60000", 5_000, 0),
        ("rule-errors", "value.sum > 0", 60_000, 30_000),
        ("series-refused", "value.sum > 0", 300_000, 0),
        ("pipeline-loss", "value.sum > 0", 60_000, 0),
        ("pipeline-dead-letters", "value.sum > 0", 60_000, 0),
        ("delivery-failing", "value.sum > 0", 60_000, 0),
        ("producer-silent", "value.max > 0", 10_000, 30_000),
        ("clock-skew", "value.min > 1000", 10_000, 30_000),
        ("memory-policy", "value.max > 0", 60_000, 0),
    ]


def test_every_shipped_rule_has_a_recovery_threshold() -> None:
    """None flaps around its own threshold."""
    assert all(rule.resolve_when for rule in (*default_rules(), *pipeline_rules()))


def test_a_rule_of_the_same_name_replaces_the_shipped_one() -> None:
    """The others stay."""
    config = parse_config(
        '[[rule]]\nname = "high-cpu"\non = "system"\nwhen = "cpu_percent.avg > 95"', Path("barograph.toml")
    )
    rules = effective_rules(config, [], with_defaults=True)
    assert [rule.when.text for rule in rules if rule.name == "high-cpu"] == ["cpu_percent.avg > 95"]
    assert len(rules) == 14


def test_a_wrong_rule_does_not_bring_the_shipped_one_back() -> None:
    """The start is refused, but a check shows what would be in force."""
    config = parse_config('[[rule]]\nname = "high-cpu"\non = "system"\nwhen = "cpu > 95"', Path("barograph.toml"))
    problems: list[Problem] = []
    rules = effective_rules(config, problems, with_defaults=True)
    assert "high-cpu" not in [rule.name for rule in rules]
    assert len(problems) == 1


def test_the_shipped_rules_can_be_switched_off() -> None:
    """Then only the user's own are in force."""
    config = parse_config(FULL, Path("barograph.toml"))
    assert [rule.name for rule in effective_rules(config, [], with_defaults=False)] == ["high-error-rate"]


@pytest.mark.parametrize(
    ("when", "resolve_when"),
    [
        ("errors > 5", "errors < 3"),
        ("errors > 5", "not errors > 3"),
        ("not errors < 5", "errors < 3"),
        ("errors > 5", "error_rate > 0"),
        ("errors > 5", "errors == 0"),
        ("errors > 5", "errors > 0 and rate < 1"),
    ],
)
def test_a_recovery_is_told_from_more_of_the_same_only_where_that_is_certain(when: str, resolve_when: str) -> None:
    """What may make sense is taken as it is."""
    rules_of(f'[[rule]]\nname = "r"\non = "request"\nwhen = "{when}"\nresolve_when = "{resolve_when}"')


def test_the_summary_of_a_shipped_rule_stands_without_data() -> None:
    """They end for want of data, and are told of then too."""
    for rule in (*default_rules(), *pipeline_rules()):
        labels = dict.fromkeys((*rule.by, *rule.where), "x")
        facts = facts_of(
            rule.on,
            SeriesRow.empty(rule.window_ms),
            labels,
            rule=rule.name,
            service="ranker",
            severity="error",
            value=None,
            threshold=None,
            window_ms=rule.window_ms,
            condition="c",
        )
        assert rule.summary.render(facts)[1], rule.name


LONG = """
[server]
keep = "1s:4m,1m:1h"
[alerter]
default_rules = false
[[rule]]
name = "r"
on = "request"
when = "count > 1"
window = "2h"
"""


def test_check_names_a_window_longer_than_panes_are_kept() -> None:
    """By line and key, as the start would refuse it; the environment has the last word here too."""
    config = parse_config(LONG, Path("barograph.toml"))
    assert [str(problem) for problem in check(config, {})] == [
        "barograph.toml:10: rule[1].window: 2h is longer than panes are kept (1h)"
    ]
    assert check(config, {"BAROGRAPH_KEEP": "1s:15m,1m:2d"}) == []


def test_check_names_a_window_that_is_no_multiple_of_the_finest_step() -> None:
    """It would be another one: longer, or shorter than a pane."""
    config = parse_config(LONG.replace("1s:4m,1m:1h", "10s:1h").replace("2h", "15s"), Path("barograph.toml"))
    assert [str(problem) for problem in check(config, {})] == [
        "barograph.toml:10: rule[1].window: 15s is no multiple of the finest step of the store (10s): 20s is"
    ]


@pytest.mark.parametrize(
    ("when", "window", "message"),
    [
        ('rate > 2 * baseline("2d").rate', "1m", "2d1m is longer than panes are kept (2d)"),
        (
            'rate > 2 * baseline("1d").rate',
            "90s",
            "looks at 1m30s of 1d ago, when only panes of 1m are kept: take whole 1m",
        ),
        ('rate > 2 * baseline("1d").rate', "2m", ""),
        ('rate > 2 * baseline("1h").rate', "10s", ""),
        ('change("5m").rate > 1', "10s", ""),
    ],
)
def test_check_names_a_condition_that_looks_where_no_such_panes_are(when: str, window: str, message: str) -> None:
    """A day ago there are no seconds any more."""
    text = LONG.replace("1s:4m,1m:1h", "1s:15m,1m:2d").replace("2h", window).replace('"count > 1"', f"'{when}'")
    problems = [str(problem) for problem in check(parse_config(text, Path("barograph.toml")), {})]
    assert problems == ([f"barograph.toml:9: rule[1].when: {message}"] if message else [])


def test_check_names_a_shipped_rule_that_the_store_is_too_short_for() -> None:
    """Nobody finds it in the file: the message says where it comes from."""
    config = parse_config('[server]\nkeep = "1s:2m"\n', Path("barograph.toml"))
    assert [(problem.where, problem.key) for problem in check(config, {})] == [
        ("barograph.toml:2", "model-error.window"),
        ("barograph.toml:2", "series-refused.window"),
    ]


def test_check_names_mistakes_in_settings_and_rules() -> None:
    """For ``barograph check``."""
    config = parse_config(
        '[alerter]\ntick_ms = 0\n[[rule]]\nname = "r"\non = "request"\nwhen = "cont > 1"\n', Path("barograph.toml")
    )
    assert [problem.key for problem in check(config, {})] == ["alerter.tick_ms", "rule[1].when"]


def test_a_rule_may_ask_for_the_free_labels_of_requests() -> None:
    """Whatever label an API gives its requests, alerts can be split and filtered by it."""
    text = (
        '[[rule]]\nname = "r"\non = "request"\nby = ["route", "tenant"]\nwhere = { region = "eu" }\nwhen = "count > 1"'
    )
    (rule,) = rules_of(text + '\nsummary = "{{ tenant }} in {{ region }}"')
    assert (rule.by, rule.where) == (("route", "tenant"), {"region": "eu"})


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("", Flapping(5, 900_000, 1)),
        ("flapping = true", Flapping(5, 900_000, 1)),
        ("flapping = false", None),
        ('flapping = { firings = 3, within = "1m" }', Flapping(3, 60_000, 1)),
        ("flapping = { calm = 0 }", Flapping(5, 900_000, 0)),
    ],
)
def test_a_rule_says_when_its_alerts_flap(given: str, expected: Flapping | None) -> None:
    """What it leaves out is as for all rules."""
    (rule,) = rules_of(f'[[rule]]\nname = "r"\non = "request"\nwhen = "errors > 3"\n{given}\n')
    assert rule.flapping == expected


@pytest.mark.parametrize(
    ("given", "key", "words"),
    [
        ('flapping = "no"', "flapping", "must be false, or such as"),
        ("flapping = { firings = 1 }", "flapping.firings", "a whole number from 2 to 100"),
        ("flapping = { firings = 3, calm = 3 }", "flapping.calm", "it must be fewer"),
        ('flapping = { within = "1s" }', "flapping.within", "10s to 1d"),
        ("flapping = { often = 3 }", "flapping.often", "is not a key of this flapping"),
    ],
)
def test_a_mistake_about_flapping_is_named(given: str, key: str, words: str) -> None:
    (problem,) = problems_of(f'[[rule]]\nname = "r"\non = "request"\nwhen = "errors > 3"\n{given}\n')
    assert problem.key == f"rule[1].{key}"
    assert words in problem.message
