"""Configurations, conditions and summaries of any text: each mistake is named, and what is accepted can be judged."""

from pathlib import Path
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from barograph_alerter.conditions.bounds import Rest
from barograph_alerter.conditions.calls import Scope
from barograph_alerter.conditions.condition import parse_condition
from barograph_alerter.conditions.parser import ConditionError
from barograph_alerter.conditions.row import Row, RowOfWindows, SeriesRow
from barograph_alerter.rules.facts import facts_of
from barograph_alerter.rules.summary import MAX_SUMMARY, compile_summary
from barograph_alerter.windows.window import Window
from barograph_cli.manage.check import find_all_problems
from barograph_core.errors import SettingsError
from barograph_core.events.kinds import KINDS
from barograph_core.panes.pane import Pane
from barograph_core.settings.config_file import parse_config
from barograph_core.templates.compiled import TemplateError
from tests.batches import decoded, request
from tests.fuzz.effort import effort

quick: Final = effort(50)
SECTIONS: Final = ("server", "aggregator", "alerter", "notifier", "console")
TABLES: Final = ("rule", "slo", "channel", "route", "inhibit")
KEYS: Final = [
    "name",
    "on",
    "by",
    "where",
    "window",
    "when",
    "resolve_when",
    "for",
    "severity",
    "summary",
    "labels",
    "expect",
    "type",
    "url",
    "to",
    "channels",
    "services",
    "rules",
    "min_severity",
    "keep",
    "shards",
    "port",
    "cooldown",
    "levels",
    "grace_ms",
    "series_cap",
    "token_sha256",
    "rate",
    "fallback",
    "no_data",
    "late",
    "fire_on",
]
VALUES: Final = (
    *('"a"', '""', "1", "-1", "0", "true", "1.5", "nan", "inf", "[]", '["route"]', "{}", "[[1]]", "1979-05-27", '"5m"'),
    *(
        '"request"',
        '"errors > 5"',
        '"error"',
        '"env:NOT_THERE"',
        '"file:/dev/null"',
        '"webhook"',
        '"http://127.0.0.1/"',
    ),
    *('{ a = "b" }', "9" * 30, '"{{ route }}"', '"' + "x" * 3_000 + '"', "'\u202e'", '"python:os:system"', '"1s:15m"'),
)
pairs: Final = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES), max_size=7)
blocks: Final = st.lists(
    st.tuples(st.sampled_from([*(f"[{name}]" for name in SECTIONS), *(f"[[{name}]]" for name in TABLES)]), pairs),
    max_size=5,
)


def as_toml(block: tuple[str, dict[str, str]]) -> str:
    head, members = block
    return "\n".join(
        [head, *(f"{key!r} = {value}" if " " in key else f"{key} = {value}" for key, value in members.items())]
    )


@quick
@given(blocks.map(lambda found: "\n".join(map(as_toml, found))) | st.text(max_size=80))
def test_check_names_what_is_wrong_with_any_file(text: str) -> None:
    """No traceback, and nothing in it is run: what stands there may come from a stranger."""
    try:
        problems = find_all_problems(parse_config(text, Path("barograph.toml")), {})
    except SettingsError as error:
        problems = list(error.problems)
    assert all(problem.where and problem.message for problem in problems)


REQUEST: Final = KINDS["request"]
BLOCK: Final = decoded("request", [request(route="/a"), request(route="/b", status=500)]).block
WINDOW: Final = Window(next(iter(Pane.of_blocks([BLOCK], 10_000).values())), 10_000)
WORDS: Final = [
    "count",
    "errors",
    "error_rate",
    "rate",
    "status[500]",
    "duration_ms.p95",
    "duration_ms.avg",
    "duration_ms",
    "and",
    "or",
    "not",
    "(",
    ")",
    ">",
    "<",
    "==",
    "+",
    "-",
    "*",
    "/",
    "**",
    ",",
    ".",
    "[",
    "]",
    "if",
    "else",
    "0",
    "1",
    "1e308",
    "1e-308",
    "5",
    "'1h'",
    "change('5m')",
    "baseline('1h').errors",
    "other(route='/b').rate",
    "lambda",
    "x",
    "__import__",
    "None",
    "True",
    "é",
    "10**9",
    "nan",
]
words: Final = st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)
nested: Final = st.integers(1, 600).map(lambda depth: "(" * depth + "count > 1" + ")" * depth)


class AnyRow(RowOfWindows):
    """A row that has every window and every other series: the same numbers."""

    def at(self, look: object) -> "AnyRow":
        del look
        return self

    def sibling(self, labels: object) -> "AnyRow":
        del labels
        return self


@quick
@given(words | st.text(max_size=40) | nested)
def test_any_condition_is_judged_or_refused(text: str) -> None:
    """What is accepted holds, does not, or depends on what is missing."""
    try:
        condition = parse_condition(text, Scope(REQUEST, 10_000, ("route", "method")))
    except ConditionError:
        return
    for series in (SeriesRow.empty(10_000), *WINDOW.rows("request", ("route",), {}).values()):
        row: Row = AnyRow(series, {}, {})
        assert condition.holds(row) in (True, False, None)
        assert condition.certainty(row, Rest(3.0, frozenset({"duration_ms"}))) in (True, False, None)
        condition.value_and_threshold(row)


PIECES: Final = r"""
{{ route }}
{{ value }}
{{ duration_ms.p95 | ms }}
{{ value.sum }}
{{ labels }}
{% for i in range(999999) %}
{% endfor %}
{% if value %}
{% endif %}
{% set x = 'a' * 99999 %}
{{ x }}
{{ 9 ** 9 ** 9 }}
{{ ''.__class__ }}
{{ labels.__init__ }}
{{ cycler }}
{{
}}
{%
{{ 'x' | center(10**9) }}
{{ route * 10**9 }}
text
{# note #}
{{ '%s' | format(route) }}
{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}
{{ [route] * 10**8 }}
{{ route | reverse }}
""".strip().splitlines()
pieces: Final = st.lists(st.sampled_from(PIECES), max_size=5).map("\n".join)


@quick
@given(pieces | st.text(max_size=40))
def test_any_summary_is_rendered_in_bounds_or_refused(text: str) -> None:
    """It is run by everybody's alerter: in bounded time, of bounded length, and with no way out of the sandbox."""
    try:
        summary = compile_summary(text, REQUEST, ["route"])
    except TemplateError:
        return
    facts = facts_of(
        REQUEST,
        SeriesRow.empty(10_000),
        {"route": "{{ 7 * 7 }} {% x %}"},
        rule="r",
        service="s",
        severity="info",
        value=1.0,
        threshold=None,
        window_ms=10_000,
        condition="count > 1",
    )
    line, _ = summary.render(facts)
    assert len(line) <= MAX_SUMMARY
    assert "\n" not in line
    assert "49" not in line.replace("{{ 7 * 7 }}", "")
