"""All rules on one service at one moment; contributors and cooldown beside it."""

import pytest

from barograph_alerter.contributors import contributors
from barograph_alerter.cooldown import claim_or_break
from barograph_alerter.evaluation import Moment, Tally, evaluate
from barograph_alerter.rules import Rule
from barograph_alerter.service_state import ServiceState, condensed
from barograph_alerter.windows import Window
from barograph_core.alert_changes import Change
from barograph_core.alerts import AlertState, Severity
from barograph_core.errors import StreamUnavailableError
from barograph_core.pane import Pane
from tests.unit.alerter.build import NOW, pane_of, requests, rule_of

CLOSED = Moment(NOW, NOW, is_closed=True)


def judge(*rules: Rule, pane: Pane, state: ServiceState | None = None, moment: Moment = CLOSED) -> list[Change]:
    held = ServiceState() if state is None else state
    return evaluate("ranker", rules, held, lambda span: Window(pane, span), moment, now_ms=NOW + 500, tally=Tally())


def test_a_change_carries_record_and_entry() -> None:
    """Both say the same."""
    change = judge(rule_of(summary='"{{ errors }} errors"'), pane=requests(errors=9))[0]
    assert change.record is not None
    assert change.transition is not None
    assert (change.record.state, change.record.summary, change.transition.summary) == (
        AlertState.FIRING,
        "9 errors",
        "9 errors",
    )
    assert change.transition.contributors == change.record.contributors != ()


def test_an_alert_whose_series_vanished_is_still_judged() -> None:
    """No events are a fact: their count is 0."""
    state = ServiceState()
    judge(rule_of(by='["route"]'), pane=requests(errors=9), state=state)
    changes = judge(rule_of(by='["route"]'), pane=Pane.EMPTY, state=state)
    assert [change.transition.after for change in changes if change.transition] == [AlertState.RESOLVED]
    assert state.records == {}


def test_a_service_without_events_can_fire() -> None:
    """Other tools never fire when the series is absent."""
    assert len(judge(rule_of("count < 1"), pane=Pane.EMPTY)) == 1


def test_nothing_happens_where_nothing_breaches() -> None:
    """And nothing is written."""
    assert judge(rule_of(), pane=requests(ok=9)) == []


def test_a_rule_that_fails_stops_no_other_and_resolves_nothing() -> None:
    """It is counted, its alerts stay as they are."""
    broken, sound = rule_of(window='"7s"'), rule_of(window='"8s"')
    state = ServiceState()
    tally = Tally()
    pane = requests(errors=9)

    def window_of(span: int) -> Window:
        if span == 7_000:
            raise ValueError("a fault")
        return Window(pane, span)

    changes = evaluate("ranker", [broken, sound], state, window_of, CLOSED, now_ms=NOW, tally=tally)
    assert (len(changes), tally.evaluation_errors) == (1, 1)


def test_a_server_that_is_away_is_no_fault_of_a_rule() -> None:
    """The moment is judged again when it is back; passed over, its breach would never be seen."""

    def window_of(_span: int) -> Window:
        raise StreamUnavailableError("timeout")

    with pytest.raises(StreamUnavailableError):
        evaluate("ranker", [rule_of()], ServiceState(), window_of, CLOSED, now_ms=NOW, tally=Tally())


GUARDED = "error_rate > 0.05 and count >= 20"


@pytest.mark.parametrize(("no_data", "expected"), [("alert", ["pending"]), ("keep", []), ("resolve", [])])
def test_a_guard_does_not_hide_that_there_are_no_data(no_data: str, expected: list[str]) -> None:
    """``count >= 20`` is false of no events, yet who asks for an alert then gets it."""
    changes = judge(rule_of(GUARDED, no_data=f'"{no_data}"'), pane=Pane.EMPTY)
    assert [change.transition.after.value for change in changes if change.transition] == expected


def test_few_data_are_not_no_data() -> None:
    """The guard does what it is there for."""
    assert judge(rule_of(GUARDED, no_data='"alert"'), pane=requests(ok=3)) == []


def test_a_guarded_alert_for_want_of_data_ends_with_the_data_only() -> None:
    """Further silence is no recovery from silence."""
    rule = rule_of(GUARDED, no_data='"alert"', no_data_for='"0s"')
    state = ServiceState()
    told: list[str] = []
    for second, pane in enumerate((Pane.EMPTY, Pane.EMPTY, requests(ok=3))):
        moment = Moment(NOW + 1_000 * second, NOW + 1_000 * second, is_closed=True)
        changes = judge(rule, pane=pane, state=state, moment=moment)
        told += [change.transition.after.value if change.transition else "-" for change in changes]
    assert told == ["firing", "resolved"]


def test_an_open_pane_is_judged_by_provisional_rules_only() -> None:
    """The others wait for it to close."""
    moment = Moment(NOW, NOW - 300, is_closed=False)
    rules = (rule_of(), rule_of("error_rate > 0.1"), rule_of(fire_on='"closed"'), rule_of("rate > 900"))
    assert len(judge(*rules, pane=requests(errors=9), moment=moment)) == 1


def test_a_user_can_ask_for_provisional_ratios() -> None:
    """At the price of false alarms."""
    moment = Moment(NOW, NOW - 300, is_closed=False)
    assert len(judge(rule_of("error_rate > 0.1", fire_on='"provisional"'), pane=requests(errors=9), moment=moment)) == 1


def test_an_alert_is_ended_when_its_rule_tells_alerts_apart_otherwise() -> None:
    """The old one could never resolve; the new ones speak for themselves."""
    state = ServiceState()
    judge(rule_of(by='["route"]'), pane=requests(errors=9), state=state)
    changes = judge(rule_of(by='["method"]'), pane=requests(errors=9), state=state)
    told = [(c.transition.after.value, c.transition.reason, c.transition.labels) for c in changes if c.transition]
    assert told == [("firing", "", {"method": "GET"}), ("resolved", "rule_removed", {"route": "/a"})]


def test_state_changes_that_nobody_is_told_of_are_condensed() -> None:
    """Only the last of each alert is written; entries all are."""
    first = judge(rule_of(), pane=requests(errors=9))[0]
    quiet = [Change(alert_id=first.alert_id, record=first.record) for _ in range(3)]
    assert condensed([first, *quiet]) == [first, quiet[2]]


def test_a_reminder_overwrites_nothing() -> None:
    """While it is not due the server drops it, record and all."""
    first = judge(rule_of(), pane=requests(errors=9))[0]
    noted = Change(alert_id=first.alert_id, record=first.record)
    reminder = Change(alert_id=first.alert_id, record=first.record, transition=first.transition, cooldown="remind")
    assert condensed([noted, reminder]) == [noted, reminder]


def share(when: str, pane: Pane, on: str = "request", threshold: float | None = 500.0) -> list[tuple[str, str, float]]:
    found = contributors(rule_of(when, on), Window(pane, 1_000), {}, threshold)
    return [("/".join(c.labels.values()), c.of, round(c.share_ratio, 3)) for c in found]


MIXED = Pane.merge(
    [
        requests(ok=6, route="/a", duration_ms=900.0),
        requests(ok=2, errors=2, route="/b", duration_ms=900.0),
        requests(ok=10, route="/c"),
    ]
)


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("error_rate > 0.1", {"/b/GET": 1.0}),
        ("status[200] > 1", {"/c/GET": 0.556, "/a/GET": 0.333, "/b/GET": 0.111}),
        ("rate > 1", {"/c/GET": 0.5, "/a/GET": 0.3, "/b/GET": 0.2}),
        ("duration_ms.p95 > 500", {"/a/GET": 0.6, "/b/GET": 0.4}),
        ("duration_ms.p50 < 500", {"/c/GET": 1.0}),
        ("500 > duration_ms.p50", {"/c/GET": 1.0}),
        ("duration_ms.sum > 1", {"/a/GET": 0.593, "/b/GET": 0.396, "/c/GET": 0.011}),
    ],
)
def test_contributors_account_for_what_the_condition_measures(when: str, expected: dict[str, float]) -> None:
    """Errors, a status, events, values beyond the threshold, or a sum; the greatest first."""
    assert [(series, ratio) for series, _, ratio in share(when, MIXED)] == list(expected.items())


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("error_rate > 0.1", "errors"),
        ("status[200] > 1", "status[200]"),
        ("rate > 1", "count"),
        ("duration_ms.p95 > 500", "duration_ms > 500"),
        ("duration_ms.p50 < 500", "duration_ms < 500"),
        ("duration_ms.sum > 1", "duration_ms.sum"),
    ],
)
def test_contributors_say_what_they_count(when: str, expected: str) -> None:
    """A share of what."""
    assert {of for _, of, _ in share(when, MIXED)} == {expected}


def test_contributors_are_few() -> None:
    """The five worst of many."""
    pane = Pane.merge([requests(errors=index + 1, route=f"/{index}") for index in range(9)])
    assert [route for route, _, _ in share("errors > 1", pane)] == ["/8/GET", "/7/GET", "/6/GET", "/5/GET", "/4/GET"]


def test_an_alert_that_carries_every_label_has_no_contributors() -> None:
    """There is nothing left to tell apart."""
    rule = rule_of("absolute_error.avg > 1", "model", by='["model", "version"]')
    pane = pane_of("model", {("ctr", "7"): [(1.0, None, None, 20.0)]})
    assert contributors(rule, Window(pane, 1_000), {"model": "ctr", "version": "7"}, 1.0) == ()


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        (None, "claim"),
        ("error:300000", "claim"),
        ("critical:300000", "claim"),
        ("warning:300000", "break"),
        ("error:60000", "break"),
        # A delivery of an earlier version, so late that its claim had lapsed, left no word of what it was.
        ("", "break"),
        ("awful:300000", "break"),
    ],
)
def test_worse_news_and_other_settings_break_the_cooldown(held: str | None, expected: str) -> None:
    """Milder or equal news waits."""
    assert claim_or_break(held, Severity.ERROR, 300_000) == expected
