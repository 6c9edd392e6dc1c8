"""Objectives become rules, and each mistake has its place and its mend."""

from pathlib import Path

import pytest

from barograph_alerter.rules.defaults import effective_rules
from barograph_alerter.rules.publishing import published_rules
from barograph_alerter.rules.rule import Rule
from barograph_alerter.settings import check, rules_in_force
from barograph_core.alerts.published_rules import PublishedRules
from barograph_core.alerts.record import Severity
from barograph_core.errors import Problem
from barograph_core.matching.matcher import Matcher
from barograph_core.settings.config_file import parse_config
from barograph_core.steps import DEFAULT_KEEP, parse_keep

BASE = '[[slo]]\nname = "availability"\nservice = "shop"\n'


def slos_of(text: str) -> list[Rule]:
    problems: list[Problem] = []
    rules = effective_rules(parse_config(text, Path("b.toml")), problems, with_defaults=False)
    assert problems == []
    return list(rules)


def mistakes_of(text: str) -> list[str]:
    return [str(one) for one in check(parse_config(text, Path("b.toml")), {})]


def test_an_objective_becomes_an_ordinary_rule_with_a_level_for_pages_and_one_for_tickets() -> None:
    """Its conditions are those that anybody could write, with the figures of the workbook."""
    (rule,) = slos_of(BASE + 'good = "errors == 0"\nobjective = 0.999\n')
    assert [(level.severity.value, level.when.text) for level in rule.levels] == [
        ("warning", 'over("3d").error_rate > 0.001 and over("6h").error_rate > 0.001 and over("6h").count >= 20'),
        (
            "critical",
            (
                '(over("1h").error_rate > 0.0144 and error_rate > 0.0144 and count >= 20)'
                ' or (over("6h").error_rate > 0.006 and over("30m").error_rate > 0.006 and over("30m").count >= 20)'
            ),
        ),
    ]
    assert rule.resolve_when is not None
    assert rule.resolve_when.text.count("not (") == 3
    assert "count" not in rule.resolve_when.text
    assert (rule.window_ms, rule.every_ms, rule.fire_on, rule.services) == (
        300_000,
        10_000,
        "closed",
        Matcher(("shop",)),
    )


def test_an_objective_on_a_measure_asks_for_the_share_of_bad_events() -> None:
    """Guarded by the number of values, and on the kind that has the measure."""
    (rule,) = slos_of(BASE + 'good = "latency_ms <= 80"\nobjective = "95 %"\nperiod = "28d"\nby = ["version"]\n')
    assert rule.on.name == "model"
    assert rule.by == ("version",)
    # At an objective of 95 % a burn rate of 20 is the highest.
    assert rule.levels[1].when.text.startswith(
        '(over("1h").share["latency_ms > 80"] > 0.72 and share["latency_ms > 80"] > 0.72 and latency_ms.count >= 20)'
    )


def test_failures_of_a_model_are_counted_among_those_that_tell() -> None:
    """The guard counts the events that say whether they failed."""
    (rule,) = slos_of(BASE + 'on = "model"\ngood = "errors == 0"\nobjective = 0.99\nmin_events = 7\n')
    assert "error_rate > 0.144 and failed.count >= 7" in rule.levels[1].when.text


def test_windows_severities_and_the_rest_can_be_written() -> None:
    """One pair makes a rule without levels."""
    (rule,) = slos_of(
        BASE
        + 'good = "status < 500"\nobjective = 0.9\nperiod = "6h"\nlabels = { team = "ml" }\ncooldown = "1h"\n'
        + 'windows = [{ burn_rate = 3, long = "10m", short = "1m", severity = "error" }]\n'
        + 'where = { route = "/a*" }\nsummary = "{{ good }} {{ burn_rate }} {{ budget }}"\nrunbook = "https://x"\n'
    )
    assert (rule.levels, rule.severity, rule.cooldown_ms) == ((), Severity.ERROR, 3_600_000)
    assert rule.when.text == (
        'over("10m").share["status >= 500"] > 0.3 and share["status >= 500"] > 0.3 and count >= 20'
    )
    assert (rule.window_ms, rule.every_ms) == (60_000, 2_000)


def test_page_and_ticket_name_the_severities_of_the_usual_windows() -> None:
    """As a team calls them."""
    (rule,) = slos_of(BASE + 'good = "errors == 0"\nobjective = 0.99\npage = "error"\nticket = "info"\n')
    assert [level.severity.value for level in rule.levels] == ["info", "error"]


def test_a_pair_that_could_never_alert_is_left_out_of_the_usual_ones() -> None:
    """Where 90 % is the objective the budget burns at 10 when everything fails: 14.4 has no meaning."""
    (rule,) = slos_of(BASE + 'good = "errors == 0"\nobjective = 0.9\n')
    assert rule.slo is not None
    assert [pair.burn_rate for pair in rule.slo.windows] == [6.0, 1.0]
    assert rule.window_ms == 1_800_000


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ('good = "errors == 0"\n', "b.toml:1: slo[1].objective: is missing"),
        ("objective = 0.9\n", "b.toml:1: slo[1].good: is missing"),
        (
            'good = "errors == 0"\nobjective = 99.9\n',
            (
                "b.toml:5: slo[1].objective: must be a share between 0 and 1 such as 0.999, or per cent in quotes such"
                ' as "99.9 %": 0.999 or "99.9 %", not 99.9'
            ),
        ),
        ('good = "fast"\nobjective = 0.9\n', "b.toml:4: slo[1].good: 'fast' is no comparison of one event"),
        ('good = "errors == 0"\nobjective = 0.9\non = "requests"\n', "b.toml:6: slo[1].on: 'requests' is not a kind"),
        (
            'good = "errors == 0"\nobjective = 0.99\nperiod = "1d"\n',
            "b.toml:6: slo[1].period: is shorter than the longest window that alerts (3d): write windows =",
        ),
        (
            'good = "errors == 0"\nobjective = 0.9\nwindows = [{ burn_rate = 14.4, long = "1h", short = "5m" }]\n',
            "b.toml:6: slo[1].windows: pair 1 can never alert: with an objective of 0.9 the burn rate is 10",
        ),
        (
            'good = "errors == 0"\nobjective = 0.99\nwindows = [{ long = "1h", short = "5m" }]\n',
            "slo[1].windows[1].burn_rate: is missing",
        ),
        (
            'good = "errors == 0"\nobjective = 0.99\nwindows = [{ burn_rate = 2, long = "1h", short = "1h" }]\n',
            "slo[1].windows[1].short: must be shorter than 'long'",
        ),
        (
            'good = "errors == 0"\nobjective = 0.99\nwindows = []\n',
            "slo[1].windows: must be 1 to 6 pairs, not 0",
        ),
        (
            (
                'good = "errors == 0"\nobjective = 0.99\npage = "error"\n'
                'windows = [{ burn_rate = 2, long = "1h", short = "5m" }]\n'
            ),
            "b.toml:6: slo[1].page: is the severity of the windows that are used without 'windows'",
        ),
        (
            'good = "errors == 0"\nobjective = 0.99\nwindow = "5m"\n',
            "slo[1].window: is not a key of this slo",
        ),
        ('good = "errors == 0"\nobjective = 0.99\nby = ["rout"]\n', "slo[1].by: 'rout' is not a label"),
        (
            'good = "errors == 0"\nobjective = 0.99\nperiod = "120d"\n',
            "b.toml:6: slo[1].period: panes are kept for 89d23h of 120d only, and the budget is that of these: keep",
        ),
        (
            (
                'good = "errors == 0"\nobjective = 0.99\nperiod = "2h"\n'
                'windows = [{ burn_rate = 2, long = "1h", short = "5m500ms" }]\n'
            ),
            "slo[1].windows[1].short: must be whole seconds",
        ),
        ('good = "errors == 0"\nobjective = 0.99\nsummary = "{{ burn }}"\n', "b.toml:6: slo[1].summary:"),
        ('good = "errors == 0"\nobjective = 0.99\n[[rule]]\nname = "availability"\non = "request"\n', "slo[1].name:"),
    ],
)
def test_a_mistake_names_its_place_and_its_mend(text: str, mistake: str) -> None:
    """What cannot be meant is refused, or at least said by ``barograph check``."""
    found = mistakes_of(BASE + text)
    assert any(mistake in one for one in found), found


def test_a_period_beyond_what_is_kept_still_has_rules() -> None:
    """The alerts work; the budget is that of what is kept."""
    problems: list[Problem] = []
    config = parse_config(BASE + 'good = "errors == 0"\nobjective = 0.99\nperiod = "120d"\n', Path("b.toml"))
    (rule,) = rules_in_force(config, parse_keep(DEFAULT_KEEP), problems, with_defaults=False)
    assert problems == []
    assert rule.slo is not None
    assert rule.slo.kept_ms == (90 * 24 - 1) * 3_600_000


def test_a_rule_of_an_objective_is_published_with_it_and_others_as_before() -> None:
    """Consoles read the objective; the hash of other rules is what it was before there were objectives."""
    text = BASE + 'good = "errors == 0"\nobjective = 0.999\n[[rule]]\nname = "r"\non = "request"\nwhen = "errors > 3"\n'
    published = published_rules(slos_of(text), 7)
    again = PublishedRules.from_json(published.to_json())
    assert again.rules == published.rules
    plain, made = again.rules
    assert plain.slo is None
    assert "slo" not in plain.to_plain()
    assert made.slo is not None
    assert (made.slo.good, made.slo.objective, made.slo.period_ms) == ("errors == 0", 0.999, 30 * 86_400_000)
    assert [(one.burn_rate, one.severity.value) for one in made.slo.windows] == [
        (14.4, "critical"),
        (6.0, "critical"),
        (1.0, "warning"),
    ]
    assert made.fires == made.clears == ()


@pytest.mark.parametrize(
    ("keep", "short", "every_ms"),
    [
        ("1s:15m,1m:90d", "2m", 4_000),
        ("1s:15m,1m:90d", "5m", 10_000),
        ("5s:1h,1m:90d", "1m", 5_000),
        ("2s:1h,1m:90d", "100s", 2_000),
        ("1m:1d,1h:90d", "5m", 60_000),
    ],
)
def test_an_objective_is_judged_at_whole_panes_of_the_finest_step(keep: str, short: str, every_ms: int) -> None:
    """At other moments time would count as judged by nobody, and an end would come late."""
    text = (
        BASE
        + f'good = "errors == 0"\nobjective = 0.99\nwindows = [{{ burn_rate = 6, long = "1h", short = "{short}" }}]'
    )
    problems: list[Problem] = []
    (rule,) = rules_in_force(parse_config(text, Path("b.toml")), parse_keep(keep), problems, with_defaults=False)
    assert problems == []
    assert rule.every_ms == every_ms
