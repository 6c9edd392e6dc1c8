"""What a plan leaves out changes nothing: many rules judged together come to what each comes to alone."""

from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from barograph_alerter.conditions.functions import PLAIN, STATISTICS, Quantity, parse_quantity
from barograph_alerter.conditions.row import Look
from barograph_alerter.judge.evaluation import EvaluationErrors, end_unknown, evaluate
from barograph_alerter.judge.plan import RulePlan
from barograph_alerter.judge.verdict import EvaluationTime
from barograph_alerter.rules.rule import Rule
from barograph_alerter.windows.window import Window
from barograph_core.alerts.change import Change
from barograph_core.alerts.state import ServiceState
from barograph_core.events.encode import LabelSet
from barograph_core.events.kinds import KINDS
from barograph_core.objectives.event_test import EventTest
from barograph_core.panes.grouping import Groupings
from barograph_core.panes.pane import Pane
from tests.unit.alerter.build import NOW, pane_of, rules_of

CONDITIONS: Final = (
    *("error_rate > 0.5", "error_rate >= 0.5 and count >= 3", "errors > 2 or duration_ms.avg < 200"),
    *("count < 2", "count == 0", "duration_ms.p95 > 500", "not errors > 0", "status[500] > 1 and errors < 3"),
    *("share['duration_ms > 500'] > 0.5", "share['status < 300'] < 0.5 and count > 1"),
    *("duration_ms.max > errors", "duration_ms.min < 100", "duration_ms.sum > 900", "duration_ms.stddev > 100"),
)
FORMS: Final = (
    '{by}\nwhen = "{when}"',
    '{by}\nwhen = "{when}"\nresolve_when = "duration_ms.p99 < 200"\nfor = "1s"',
    '{by}\nwhen = "{when}"\nno_data = "alert"\nno_data_for = "1s"',
    '{by}\nwhen = "{when}"\nfire_on = "closed"',
    '{by}\nlevels = [{{severity = "warning", when = "{when}"}}, {{severity = "critical", when = "errors > 3"}}]',
)
RULE: Final = st.tuples(
    st.sampled_from(FORMS), st.sampled_from(CONDITIONS), st.sampled_from(("", 'by = ["route"]', 'by = ["method"]'))
)
EVENTS: Final = st.lists(
    st.tuples(st.integers(0, 24), st.sampled_from(["GET", "PUT"]), st.sampled_from([200, 500]), st.floats(0, 1_000)),
    max_size=30,
)


def rules_from(given_rules: list[tuple[str, str, str]]) -> list[Rule]:
    return rules_of(
        "\n".join(
            f'[[rule]]\nname = "r{number}"\non = "request"\nwindow = "10s"\n{form.format(when=when, by=by)}'
            + ('\nexpect = "seen"' if by and "no_data" in form else "")
            for number, (form, when, by) in enumerate(given_rules)
        )
    )


def pane_from(events: list[tuple[int, str, int, float]]) -> Pane:
    series: dict[LabelSet, list[tuple[float | None, ...]]] = {}
    for route, method, status, duration in events:
        series.setdefault((f"/{route}", method, status), []).append((duration,))
    return pane_of("request", series) if series else Pane.EMPTY


def changes_of(plan: RulePlan, state: ServiceState, pane: Pane, number: int, groupings: Groupings) -> list[Change]:
    """Judge the pane open, and then closed."""
    end_ms = NOW + 1_000 * number
    found: list[Change] = []
    for is_closed in (False, True):
        moment = EvaluationTime(end_ms, end_ms, is_closed=is_closed, arrived_ms=float(end_ms))
        windows: dict[Look, Window] = {}

        def window_of(look: Look, windows: dict[Look, Window] = windows) -> Window:
            return windows.setdefault(look, Window(pane, look.span_ms, groupings))

        errors = EvaluationErrors()
        found += evaluate("ranker", plan, state, window_of, moment, now_ms=end_ms, errors=errors)
        assert errors.evaluations == 0
    return found + end_unknown(plan, state, end_ms)


@settings(max_examples=50, deadline=None)
@given(st.lists(RULE, min_size=1, max_size=12), st.lists(EVENTS, min_size=1, max_size=5))
def test_rules_judged_together_come_to_what_each_comes_to_alone(
    given_rules: list[tuple[str, str, str]], panes: list[list[tuple[int, str, int, float]]]
) -> None:
    """Verdict for verdict, over panes that follow each other, with few series and with many."""
    rules = rules_from(given_rules)
    together, state, groupings = RulePlan(rules), ServiceState(), Groupings()
    alone = [(RulePlan([rule]), ServiceState()) for rule in rules]
    for number, events in enumerate(panes):
        pane = pane_from(events)
        found = changes_of(together, state, pane, number, groupings)
        expected = [change for plan, own in alone for change in changes_of(plan, own, pane, number, Groupings())]
        assert sorted(found, key=str) == sorted(expected, key=str)


TESTS: Final = ("errors == 0", "status >= 300", "duration_ms < 250", "duration_ms <= 300.5", "duration_ms > 0")
QUANTITIES: Final = [
    *(Quantity("share", test=EventTest.parse(text, KINDS["request"])) for text in TESTS),
    *(Quantity(name, code=500 if name == "status" else None) for name in PLAIN),
    *(parse_quantity("duration_ms", statistic) for statistic in (*STATISTICS, "p0", "p50", "p95", "p100")),
]


@settings(max_examples=50, deadline=None)
@given(EVENTS, st.sampled_from(QUANTITIES))
def test_a_column_holds_what_each_row_says(
    events: list[tuple[int, str, int, float]], quantity: Quantity | None
) -> None:
    """To the last bit, and NaN where the row has nothing to say."""
    assert quantity is not None
    rows = Window(pane_from(events), 10_000).rows("request", ("route",))
    column = rows.column(quantity).tolist()
    assert [None if value != value else value for value in column] == [row.number(quantity) for row in rows.values()]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(*[st.none() | st.floats(0, 1e9)] * 4, st.none() | st.sampled_from([0.0, 1.0])), max_size=12),
    st.sampled_from(["errors", "error_rate", "latency_ms.avg", "absolute_error.sum", "confidence.p50", "failed.count"]),
)
def test_a_column_of_a_kind_with_gaps_holds_what_each_row_says(
    events: list[tuple[float | None, ...]], name: str
) -> None:
    """Models lack measures, and some say whether they failed."""
    series: dict[LabelSet, list[tuple[float | None, ...]]] = {}
    for number, values in enumerate(events):
        series.setdefault((f"m{number % 3}", "1"), []).append(values)
    measure, _, statistic = name.partition(".")
    quantity = parse_quantity(measure, statistic) if statistic else Quantity(measure)
    assert quantity is not None
    rows = Window(pane_of("model", series) if series else Pane.EMPTY, 10_000).rows("model", ("model",))
    column = rows.column(quantity).tolist()
    assert [None if value != value else value for value in column] == [row.number(quantity) for row in rows.values()]
