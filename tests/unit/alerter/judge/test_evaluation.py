"""All rules on one service at one moment; contributors and cooldown beside it."""

from collections.abc import Mapping

import pytest

from barograph_alerter.conditions.row import Look
from barograph_alerter.judge.contributors import contributors
from barograph_alerter.judge.evaluation import EvaluationErrors, end_unknown, evaluate
from barograph_alerter.judge.plan import RulePlan
from barograph_alerter.judge.verdict import EvaluationTime
from barograph_alerter.rules.rule import Rule
from barograph_alerter.windows.window import Window
from barograph_core.alerts.change import Change
from barograph_core.alerts.record import AlertState
from barograph_core.alerts.state import ServiceState, condensed
from barograph_core.errors import StreamUnavailableError
from barograph_core.events.encode import LabelSet
from barograph_core.panes.pane import Pane
from tests.unit.alerter.build import NOW, pane_of, requests, rule_of

CLOSED = EvaluationTime(NOW, NOW, is_closed=True)


def judge(*rules: Rule, pane: Pane, state: ServiceState | None = None, moment: EvaluationTime = CLOSED) -> list[Change]:
    """Return the changes at a moment at which every rule can be judged."""
    held, errors = ServiceState() if state is None else state, EvaluationErrors()
    changes = evaluate(
        "ranker",
        RulePlan(rules),
        held,
        lambda look: Window(pane, look.span_ms),
        moment,
        now_ms=NOW + 500,
        errors=errors,
    )
    assert errors.evaluations == 0
    return [*changes, *end_unknown(RulePlan(rules), held, NOW + 500)] if moment.is_closed else changes


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
    errors = EvaluationErrors()
    pane = requests(errors=9)

    def window_of(look: Look) -> Window:
        if look.span_ms == 7_000:
            raise ValueError("a fault")
        return Window(pane, look.span_ms)

    changes = evaluate("ranker", RulePlan([broken, sound]), state, window_of, CLOSED, now_ms=NOW, errors=errors)
    assert (len(changes), errors.evaluations) == (1, 1)


def test_a_server_that_is_away_is_no_fault_of_a_rule() -> None:
    """The moment is judged again when it is back; passed over, its breach would never be seen."""

    def window_of(_look: Look) -> Window:
        raise StreamUnavailableError("timeout")

    with pytest.raises(StreamUnavailableError):
        evaluate(
            "ranker", RulePlan([rule_of()]), ServiceState(), window_of, CLOSED, now_ms=NOW, errors=EvaluationErrors()
        )


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
        moment = EvaluationTime(NOW + 1_000 * second, NOW + 1_000 * second, is_closed=True)
        changes = judge(rule, pane=pane, state=state, moment=moment)
        told += [change.transition.after.value if change.transition else "-" for change in changes]
    assert told == ["firing", "resolved"]


def test_an_open_pane_is_judged_by_provisional_rules_only() -> None:
    """The others wait for it to close."""
    moment = EvaluationTime(NOW, NOW - 300, is_closed=False)
    rules = (rule_of(), rule_of("error_rate > 0.1"), rule_of(fire_on='"closed"'), rule_of("rate > 900"))
    assert len(judge(*rules, pane=requests(errors=9), moment=moment)) == 1


def test_a_user_can_ask_for_provisional_ratios() -> None:
    """At the price of false alarms."""
    moment = EvaluationTime(NOW, NOW - 300, is_closed=False)
    assert len(judge(rule_of("error_rate > 0.1", fire_on='"provisional"'), pane=requests(errors=9), moment=moment)) == 1


def test_an_alert_is_ended_when_its_rule_tells_alerts_apart_otherwise() -> None:
    """The old one could never resolve; the new ones speak for themselves."""
    state = ServiceState()
    judge(rule_of(by='["route"]'), pane=requests(errors=9), state=state)
    changes = judge(rule_of(by='["method"]'), pane=requests(errors=9), state=state)
    told = [(c.transition.after.value, c.transition.reason, c.transition.labels) for c in changes if c.transition]
    assert told == [("firing", "", {"method": "GET"}), ("resolved", "rule_removed", {"route": "/a"})]


def test_an_alert_is_ended_when_its_rule_tells_alerts_apart_by_a_further_label() -> None:
    """It has all labels of the old rule, and yet is none of the new one's."""
    state = ServiceState()
    judge(rule_of(by='["route"]'), pane=requests(errors=9), state=state)
    changes = judge(rule_of(by='["route", "method"]'), pane=requests(errors=9), state=state)
    told = [(c.transition.after.value, c.transition.reason, c.transition.labels) for c in changes if c.transition]
    both = {"route": "/a", "method": "GET"}
    assert told == [("firing", "", both), ("resolved", "rule_removed", {"route": "/a"})]


def test_state_changes_that_nobody_is_told_of_are_condensed() -> None:
    """Only the last of each alert is written; entries all are."""
    first = judge(rule_of(), pane=requests(errors=9))[0]
    quiet = [Change(alert_id=first.alert_id, record=first.record) for _ in range(3)]
    assert condensed([first, *quiet]) == [first, quiet[2]]


def test_a_reminder_overwrites_nothing() -> None:
    """While it is not due the server drops it, record and all."""
    first = judge(rule_of(), pane=requests(errors=9))[0]
    noted = Change(alert_id=first.alert_id, record=first.record)
    reminder = Change(alert_id=first.alert_id, record=first.record, transition=first.transition, cooldown="recall")
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
    pane = pane_of("model", {("ctr", "7"): [(1.0, None, None, 20.0, None)]})
    assert contributors(rule, Window(pane, 1_000), {"model": "ctr", "version": "7"}, 1.0) == ()


def released(labels: tuple[str, ...], ok: int, errors: int) -> Pane:
    """Return requests to one route with further labels, such as the version of a model."""
    events: dict[LabelSet, list[tuple[float | None, ...]]] = {}
    for status, count in ((200, ok), (503, errors)):
        if count:
            events["/predict", "POST", status, *labels] = [(10.0,)] * count
    return pane_of("request", events)


def test_a_free_label_is_a_contributor_of_its_own() -> None:
    """The version of a bad release is named, however its failures spread over routes."""
    pane = Pane.merge([released(("version", "7"), 90, 1), released(("version", "8"), 60, 24), requests(errors=1)])
    assert share("error_rate > 0.1", pane) == [
        ("/predict/POST", "errors", 0.962),
        ("8", "errors", 0.923),
        ("/a/GET", "errors", 0.038),
        ("7", "errors", 0.038),
    ]


def test_a_free_label_with_one_value_explains_nothing() -> None:
    """All of it comes from there, the good requests too."""
    pane = Pane.merge(
        [released(("region", "eu", "version", "7"), 9, 1), released(("region", "eu", "version", "8"), 1, 9)]
    )
    assert share("error_rate > 0.1", pane) == [
        ("/predict/POST", "errors", 1.0),
        ("8", "errors", 0.9),
        ("7", "errors", 0.1),
    ]


def test_a_condition_may_look_at_a_further_window_of_each_series() -> None:
    """Also at series that have events only there: they count nothing now. One that had none then counted nothing."""
    rule = rule_of('count < baseline("10s").count', by='["route"]', window='"10s"')
    now = Pane.merge([requests(ok=1, route="/fell"), requests(ok=1, route="/new"), requests(ok=9, route="/grew")])
    then = Pane.merge([requests(ok=4, route="/fell"), requests(ok=5, route="/gone"), requests(ok=1, route="/grew")])
    windows = {Look(10_000): Window(now, 10_000), Look(10_000, 10_000): Window(then, 10_000)}
    assert set(rule.looks) == set(windows)
    changes = evaluate(
        "ranker", RulePlan([rule]), ServiceState(), windows.__getitem__, CLOSED, now_ms=NOW, errors=EvaluationErrors()
    )
    firing = {change.record.labels["route"]: change.record.value for change in changes if change.record}
    assert firing == {"/fell": 1.0, "/gone": 0.0}


def test_a_condition_may_ask_for_a_sibling_of_each_series() -> None:
    """It differs in the labels that are named, and may be one that ``where`` leaves out."""
    rule = rule_of(
        'absolute_error.avg > 2 * other(version="6").absolute_error.avg',
        on="model",
        by='["model", "version"]',
        where='{ version = "7" }',
    )
    errors = {("ctr", "6"): 4.0, ("ctr", "7"): 9.0, ("cvr", "6"): 4.0, ("cvr", "7"): 7.0, ("new", "7"): 50.0}
    pane = pane_of("model", {labels: [(1.0, None, None, error, None)] for labels, error in errors.items()})
    firing = [change.record.labels["model"] for change in judge(rule, pane=pane) if change.record]
    assert firing == ["ctr"]


@pytest.mark.parametrize(
    ("where", "regions"),
    [
        ('"eu-1"', ["eu-1"]),
        ('["eu-1", "us-1"]', ["eu-1", "us-1"]),
        ('"~eu-.*"', ["eu-1", "eu-2"]),
        ('"~eu"', []),
        ('"!eu-1"', ["", "eu-2", "us-1"]),
        ('"!~eu-.*"', ["", "us-1"]),
        ('"eu-*"', ["eu-1", "eu-2"]),
        ('"!"', ["eu-1", "eu-2", "us-1"]),
        ('""', [""]),
    ],
)
def test_where_leaves_the_series_whose_labels_are_meant(where: str, regions: list[str]) -> None:
    """Expressions match the whole value; a label that a series lacks is the empty text."""
    rule = rule_of(by='["région"]', where=f'{{ "région" = {where} }}')
    events: dict[LabelSet, list[tuple[float | None, ...]]] = {
        ("/a", "GET", 500, "région", region): [(1.0,)] * 4 for region in ("eu-1", "eu-2", "us-1")
    }
    pane = pane_of("request", {**events, ("/a", "GET", 500): [(1.0,)] * 4})
    found = [change.record.labels["région"] for change in judge(rule, pane=pane) if change.record]
    assert sorted(found) == regions


def test_only_a_label_with_one_value_stands_on_an_alert_by_where() -> None:
    """Of several nobody knows which."""
    rule = rule_of(where='{ method = "GET", route = ["/a", "/b"] }', summary="'{{ method }}'")
    (change,) = judge(rule, pane=requests(errors=9))
    assert change.record is not None
    assert (change.record.labels, change.record.summary) == ({"method": "GET"}, "GET")
    assert [one.labels["route"] for one in change.record.contributors] == ["/a"]


def test_labels_of_a_rule_and_those_of_where_stand_on_its_alerts() -> None:
    """Routes go by them. They are not its identity: it stays when they are added to the rule."""
    before = rule_of(by='["route"]')
    after = rule_of(by='["route"]', where='{ method = "GET" }', labels='{ team = "ml" }')
    state = ServiceState()
    (fired,) = judge(before, pane=requests(errors=9), state=state)
    assert all(change.transition is None for change in judge(after, pane=requests(errors=9), state=state))
    (ended,) = [change.transition for change in judge(after, pane=requests(ok=9), state=state) if change.transition]
    assert ended is not None
    assert (ended.alert_id, ended.labels) == (fired.alert_id, {"route": "/a", "method": "GET", "team": "ml"})


def test_a_label_set_that_had_data_lately_is_expected() -> None:
    """``expect = "seen"``: the one that has none now alerts for want of it, also where the condition counts."""
    rule = rule_of("errors > 3", by='["route"]', no_data='"alert"', no_data_for='"0s"', expect='"seen"')
    lately = Pane.merge([requests(ok=5, route="/a"), requests(ok=5, route="/b")])
    windows = {rule.windows[0]: requests(ok=5, route="/a"), rule.expected: lately}
    changes = evaluate(
        "ranker",
        RulePlan([rule]),
        ServiceState(),
        lambda look: Window(windows[look], look.span_ms),
        CLOSED,
        now_ms=NOW,
        errors=EvaluationErrors(),
    )
    told = [change.transition for change in changes if change.transition]
    assert [(one.after.value, one.labels, one.summary.split(":")[0]) for one in told] == [
        ("firing", {"route": "/b"}, "no traffic")
    ]


def test_the_contributors_of_many_alerts_cost_one_grouping(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand alerts in one moment: grouped once for all of them, not once for each."""
    labels: list[LabelSet] = [(f"/{number}", method, 500) for number in range(100) for method in ("GET", "PUT")]
    pane = pane_of("request", {each: [(1.0,)] * 5 for each in labels})
    groupings: list[object] = []
    group = Pane.group

    def counted(pane: Pane, kind: str, by: tuple[str, ...], where: Mapping[str, str] | None = None) -> object:
        groupings.append(by)
        return group(pane, kind, by, where)

    monkeypatch.setattr(Pane, "group", counted)
    changes = judge(rule_of(by='["route"]'), pane=pane)
    assert len(changes) == 100
    assert all(len(change.record.contributors) == 2 for change in changes if change.record)
    assert len(groupings) <= 3


def test_the_summary_of_a_firing_that_was_held_back_stays_present() -> None:
    """Its reminder repeats the record: it must not tell of the time of the firing."""
    rule = rule_of(summary='"{{ errors }} errors"')
    state = ServiceState()
    judge(rule, pane=requests(errors=6), state=state)
    judge(rule, pane=requests(errors=60), state=state)
    (record,) = state.records.values()
    assert (record.is_announced, record.summary, record.value) == (False, "60 errors", 60.0)
