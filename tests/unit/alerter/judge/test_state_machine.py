"""What a verdict makes of one alert."""

from dataclasses import replace

import pytest

from barograph_alerter.judge.fact import Fact, Identity, Transitioned
from barograph_alerter.judge.state_machine import advance, remind, remove
from barograph_alerter.rules.rule import Rule
from barograph_core.alerts.acknowledgement import Acknowledgement
from barograph_core.alerts.by_hand import MUTED_BY_HAND_MS, resolve_by_hand
from barograph_core.alerts.record import AlertRecord, AlertState, Severity
from tests.unit.alerter.build import rule_of

WALL = 5_000_000
IDENTITY = Identity("a1", "ranker", {"route": "/a"})
EAGER = rule_of("errors > 3")
ACK = Acknowledgement(actor="ann", at_ms=WALL, note="on it")
CAREFUL = rule_of("error_rate > 0.5", for_='"10s"', keep_firing_for='"5s"')


def fact(
    at_s: float,
    breach: bool | None,
    *,
    clear: bool | str | None = "opposite",
    is_closed: bool = True,
    missing: int = 0,
    end_s: float | None = None,
) -> Fact:
    known = None if breach is None else not breach
    return Fact(
        at_ms=int(at_s * 1_000),
        window_end_ms=int((at_s if end_s is None else end_s) * 1_000),
        step_ms=1_000,
        is_closed=is_closed,
        missing=missing,
        breach=breach,
        clear=known if isinstance(clear, str) else clear,
        value=0.9 if breach is not None else None,
        threshold=0.5,
    )


def run(rule: Rule, *facts: Fact, record: AlertRecord | None = None) -> list[Transitioned]:
    """Return the outcome of each fact in turn. Nothing between two facts was left unjudged."""
    outcomes: list[Transitioned] = []
    judged_ms: int | None = None
    for each in facts:
        if each.is_closed:
            each = replace(each, step_ms=each.window_end_ms - (judged_ms or each.window_end_ms - 1_000))  # noqa: PLW2901
            judged_ms = each.window_end_ms
        outcomes.append(advance(rule, IDENTITY, record, each, WALL))
        record = outcomes[-1].record
    return outcomes


def moves(*outcomes: Transitioned) -> list[str]:
    return [f"{o.move.before.value}>{o.move.record.state.value}" if o.move else "-" for o in outcomes]


def firing(rule: Rule = EAGER) -> AlertRecord:
    record = run(replace(rule, for_ms=0), fact(100, breach=True))[0].record
    assert record is not None
    return record


def pending(rule: Rule = CAREFUL) -> AlertRecord:
    record = run(rule, fact(100, breach=True))[0].record
    assert record is not None
    return record


def test_without_a_hold_a_breach_fires_at_once() -> None:
    """One transition, from inactive to firing, which asks the quiet channels."""
    outcome = run(EAGER, fact(100, breach=True))[0]
    assert moves(outcome) == ["inactive>firing"]
    assert outcome.move is not None
    assert (outcome.move.cooldown, outcome.move.notify) == ("announce", None)


def test_the_hold_is_inclusive() -> None:
    """It fires when the breach has lasted for exactly as long (Prometheus)."""
    outcomes = run(CAREFUL, fact(100, breach=True), fact(109.999, breach=True), fact(110, breach=True))
    assert moves(*outcomes) == ["inactive>pending", "-", "pending>firing"]


def test_pending_notifies_nobody() -> None:
    """It is on the stream for the history only."""
    outcome = run(CAREFUL, fact(100, breach=True))[0]
    assert outcome.move is not None
    assert (outcome.move.cooldown, outcome.move.notify) == ("none", False)


def test_one_clear_verdict_deletes_a_pending_alert() -> None:
    """The hold begins anew with the next breach."""
    outcomes = run(
        CAREFUL, fact(100, breach=True), fact(105, breach=False), fact(106, breach=True), fact(111, breach=True)
    )
    assert moves(*outcomes) == ["inactive>pending", "pending>inactive", "inactive>pending", "-"]


def test_keep_firing_for_is_strict() -> None:
    """It resolves when recovery has lasted for exactly as long, not a millisecond before (Prometheus)."""
    outcomes = run(
        CAREFUL,
        fact(101, breach=False),
        fact(105.999, breach=False),
        fact(106, breach=False),
        record=firing(CAREFUL),
    )
    assert moves(*outcomes) == ["-", "-", "firing>resolved"]


def test_a_breach_during_recovery_starts_recovery_anew() -> None:
    """Five seconds without interruption."""
    outcomes = run(
        CAREFUL,
        fact(101, breach=False),
        fact(105, breach=True),
        fact(106, breach=False),
        fact(110, breach=False),
        record=firing(CAREFUL),
    )
    assert moves(*outcomes) == ["-", "-", "-", "-"]


def test_between_breach_and_recovery_nothing_changes() -> None:
    """Hysteresis: neither resolve_when nor when holds."""
    outcomes = run(EAGER, fact(101, breach=False, clear=False), record=firing())
    assert moves(*outcomes) == ["-"]
    assert outcomes[0].record is not None


def test_a_resolution_may_be_sent() -> None:
    """Each channel decides by whether it delivered the firing."""
    outcome = run(EAGER, fact(101, breach=False), record=firing())[0]
    assert outcome.move is not None
    assert (outcome.record, outcome.move.cooldown, outcome.move.notify) == (None, "none", True)


def test_a_resolution_is_the_next_transition_of_its_episode() -> None:
    """Episode and number make the transition's id."""
    outcome = run(EAGER, fact(101, breach=False), record=firing())[0]
    assert outcome.move is not None
    assert (outcome.move.record.episode_ms, outcome.move.record.number) == (100_000, 2)


@pytest.mark.parametrize("record", [firing(), pending()], ids=["firing", "pending"])
def test_nothing_ends_while_an_instance_is_missing(record: AlertRecord) -> None:
    """What the dead producer saw is not known."""
    assert moves(*run(EAGER, fact(101, breach=False, missing=1), record=record)) == ["-"]


def test_recovery_does_not_begin_while_an_instance_is_missing() -> None:
    """keep_firing_for counts from the first verdict that can be trusted."""
    outcomes = run(
        CAREFUL,
        fact(101, breach=False, missing=1),
        fact(106, breach=False),
        fact(110, breach=False),
        fact(111, breach=False),
        record=firing(CAREFUL),
    )
    assert moves(*outcomes) == ["-", "-", "-", "firing>resolved"]


@pytest.mark.parametrize("record", [firing(), pending()], ids=["firing", "pending"])
def test_a_provisional_clear_means_nothing(record: AlertRecord) -> None:
    """The open pane may yet fill."""
    outcome = run(EAGER, fact(101, breach=False, is_closed=False), record=record)[0]
    assert outcome == Transitioned(record)


def test_a_provisional_breach_of_a_rule_that_needs_closed_panes_means_nothing() -> None:
    """``fire_on = "closed"``."""
    assert run(replace(CAREFUL, fire_on="closed"), fact(100, breach=True, is_closed=False)) == [Transitioned(None)]


def test_a_clear_verdict_on_an_older_pane_does_not_undo_a_provisional_breach() -> None:
    """The breach was seen in a later pane."""
    outcomes = run(
        EAGER,
        fact(100.5, breach=True, is_closed=False, end_s=101),
        fact(100, breach=False),
        fact(101, breach=False),
    )
    assert moves(*outcomes) == ["inactive>firing", "-", "firing>resolved"]


@pytest.mark.parametrize(
    ("record", "expected"), [(firing(), "firing>resolved"), (pending(replace(EAGER, for_ms=9_000)), "pending>inactive")]
)
def test_a_closed_clear_pane_ends_the_episode_although_a_later_open_one_breaches(
    record: AlertRecord, expected: str
) -> None:
    """Episodes are those of the closed panes, and no hold counts through a clear one; the later breach is the next."""
    rule = replace(EAGER, for_ms=9_000)
    later = fact(101.2, breach=True, is_closed=False, end_s=102)
    assert moves(*run(rule, later, fact(101, breach=False), later, record=record)) == [
        "-",
        expected,
        "inactive>pending",
    ]


def test_what_nobody_judged_counts_for_no_hold() -> None:
    """After an outage the ``for`` of a pending alert and the recovery of a firing one go on where they stood."""
    rule = replace(EAGER, for_ms=10_000, keep_firing_for_ms=10_000)
    waiting = advance(rule, IDENTITY, None, fact(100, breach=True), WALL).record
    assert waiting is not None
    judged = advance(rule, IDENTITY, waiting, fact(101, breach=True), WALL).record
    after = advance(rule, IDENTITY, judged, fact(1_000, breach=True), WALL)
    assert (moves(after), after.record and after.record.unjudged_ms) == (["-"], 898_000)
    assert moves(advance(rule, IDENTITY, after.record, fact(1_008, breach=True), WALL)) == ["-"]
    clear = advance(rule, IDENTITY, firing(rule), fact(101, breach=False), WALL).record
    assert moves(advance(rule, IDENTITY, clear, fact(1_000, breach=False), WALL)) == ["-"]


def test_a_recovery_without_data_stands_still() -> None:
    """Sparse traffic resolves in the end: the gaps count for nothing, and do not start it over."""
    facts = [fact(101 + s, breach=False if s % 4 == 0 else None, clear=True if s % 4 == 0 else None) for s in range(25)]
    ended = [index for index, move in enumerate(moves(*run(CAREFUL, *facts, record=firing(CAREFUL)))) if move != "-"]
    assert ended[0] == 20


def test_an_alert_that_has_long_been_clear_as_far_as_is_seen_ends() -> None:
    """One replica that crashes again and again must not keep it firing for ever."""
    rule = replace(CAREFUL, no_data_for_ms=60_000)
    facts = [fact(101 + s, breach=False, missing=int(s % 7 > 0)) for s in range(70)]
    outcomes = run(replace(rule, keep_firing_for_ms=30_000), *facts, record=firing(rule))
    ended = next(one.move for one in outcomes if one.move)
    assert (ended.record.state.value, ended.reason) == ("resolved", "recovered_partly")
    assert next(index for index, move in enumerate(moves(*outcomes)) if move != "-") == 60


def test_the_alert_of_a_label_set_long_gone_ends() -> None:
    """After ``stale_after``, whatever ``no_data`` says."""
    rule = replace(CAREFUL, by=("route",), stale_after_ms=30_000)
    outcomes = run(rule, *(fact(101 + s, breach=None) for s in range(31)), record=firing(rule))
    assert outcomes[-1].move is not None
    assert (moves(outcomes[-1]), outcomes[-1].move.reason) == (["firing>resolved"], "series_gone")


def test_an_alert_for_lack_of_data_tells_when_the_data_is_back_and_bad() -> None:
    """It is another fault now, and breaks the cooldown."""
    rule = replace(CAREFUL, no_data="alert", no_data_for_ms=0)
    silent = run(rule, fact(100, breach=None))[0].record
    assert silent is not None
    assert silent.is_no_data
    outcome = advance(rule, IDENTITY, silent, fact(101, breach=True), WALL)
    assert outcome.move is not None
    assert (moves(outcome), outcome.move.cooldown, outcome.record and outcome.record.is_no_data) == (
        ["firing>firing"],
        "override",
        False,
    )


def test_a_provisional_breach_of_the_same_pane_is_not_written_again() -> None:
    """Hints come twenty times a second."""
    first = run(EAGER, fact(100.2, breach=True, is_closed=False, end_s=101))[0].record
    assert run(EAGER, fact(100.3, breach=True, is_closed=False, end_s=101), record=first)[0].record == first


def test_missing_data_neither_resolve_nor_start_recovery() -> None:
    """By default an alert keeps firing for ever."""
    outcomes = run(EAGER, *(fact(at, breach=None) for at in (101, 401, 9_000)), record=firing())
    assert moves(*outcomes) == ["-", "-", "-"]


def test_missing_data_resolve_where_the_rule_says_so() -> None:
    """Once they have been missing for no_data_for, inclusive."""
    rule = replace(EAGER, no_data="resolve", no_data_for_ms=10_000)
    outcomes = run(rule, fact(101, breach=None), fact(110.9, breach=None), fact(111, breach=None), record=firing())
    assert moves(*outcomes) == ["-", "-", "firing>resolved"]
    assert outcomes[2].move is not None
    assert outcomes[2].move.reason == "no_data"


def test_missing_data_do_not_resolve_while_an_instance_is_missing() -> None:
    """The aggregator says when an instance is given up."""
    rule = replace(EAGER, no_data="resolve", no_data_for_ms=10_000)
    outcomes = run(rule, fact(101, breach=None), fact(111, breach=None, missing=1), record=firing())
    assert moves(*outcomes) == ["-", "-"]


def test_data_that_return_start_the_no_data_hold_anew() -> None:
    """Gaps do not add up."""
    rule = replace(EAGER, no_data="resolve", no_data_for_ms=10_000)
    band = fact(110, breach=False, clear=False)
    outcomes = run(rule, fact(101, breach=None), band, fact(112, breach=None), record=firing())
    assert moves(*outcomes) == ["-", "-", "-"]


def test_a_pending_alert_without_data_is_let_go() -> None:
    """Its hold must not count a time nobody saw, even under keep."""
    rule = replace(CAREFUL, no_data_for_ms=10_000)
    outcomes = run(rule, fact(101, breach=None), fact(111, breach=None), record=pending(rule))
    assert moves(*outcomes) == ["-", "pending>inactive"]


def test_missing_data_alert_where_the_rule_says_so() -> None:
    """With a hold of its own, and the end of the gap is its end."""
    rule = replace(EAGER, no_data="alert", no_data_for_ms=10_000)
    outcomes = run(
        rule, fact(100, breach=None), fact(109, breach=None), fact(110, breach=None), fact(111, breach=False)
    )
    assert moves(*outcomes) == ["inactive>pending", "-", "pending>firing", "firing>resolved"]


def test_data_that_return_bad_have_their_own_hold() -> None:
    """The wait for data is not a breach."""
    rule = replace(CAREFUL, no_data="alert", no_data_for_ms=60_000)
    outcomes = run(rule, fact(100, breach=None), fact(115, breach=True), fact(124, breach=True), fact(125, breach=True))
    assert moves(*outcomes) == ["inactive>pending", "-", "-", "pending>firing"]


def test_a_pending_alert_whose_data_vanish_fires_for_want_of_data() -> None:
    """Under no_data = alert."""
    rule = replace(CAREFUL, no_data="alert", no_data_for_ms=10_000)
    outcomes = run(rule, fact(101, breach=None), fact(111, breach=None), record=pending(rule))
    assert moves(*outcomes) == ["-", "pending>firing"]


def test_a_muted_alert_stays_quiet_until_one_closed_clear() -> None:
    """Provisional, incomplete and missing verdicts do not count."""
    muted, _ = resolve_by_hand(firing(), actor="ann", note="", now_ms=WALL)
    outcomes = run(
        EAGER,
        fact(101, breach=True),
        fact(102, breach=False, is_closed=False),
        fact(103, breach=False, missing=1),
        fact(104, breach=None),
        fact(105, breach=False),
        fact(106, breach=True),
        record=muted,
    )
    assert moves(*outcomes) == ["-", "-", "-", "-", "-", "inactive>firing"]


def test_a_mute_ends_when_data_have_been_missing_for_long() -> None:
    """It was meant for what the person saw."""
    muted, _ = resolve_by_hand(firing(), actor="ann", note="", now_ms=WALL)
    outcomes = run(EAGER, fact(101, breach=None), fact(401, breach=None), fact(402, breach=True), record=muted)
    assert moves(*outcomes) == ["-", "-", "inactive>firing"]


@pytest.mark.parametrize(
    ("later_ms", "severity", "expected"),
    [
        (MUTED_BY_HAND_MS - 1, Severity.ERROR, "-"),
        (MUTED_BY_HAND_MS, Severity.ERROR, "inactive>firing"),
        (0, Severity.CRITICAL, "inactive>firing"),
        (0, Severity.WARNING, "-"),
    ],
)
def test_a_mute_by_hand_ends_after_a_day_or_with_a_rise_in_severity(
    later_ms: int, severity: Severity, expected: str
) -> None:
    """The breach goes on all the while: a person who forgot it hears of it as a new episode."""
    muted, _ = resolve_by_hand(firing(replace(EAGER, severity=Severity.ERROR)), actor="ann", note="", now_ms=WALL)
    rule = replace(EAGER, severity=severity)
    assert moves(advance(rule, IDENTITY, muted, fact(101, breach=True), WALL + later_ms)) == [expected]


def test_a_rise_in_severity_is_told_while_it_fires() -> None:
    """And breaks the cooldown."""
    worse = replace(EAGER, severity=Severity.CRITICAL)
    outcome = run(worse, fact(101, breach=True), record=firing())[0]
    assert outcome.move is not None
    assert (moves(outcome), outcome.move.cooldown) == (["firing>firing"], "override")


ACKED = replace(firing(), ack=ACK)


def test_a_rise_in_severity_ends_the_acknowledgement() -> None:
    """It was taken on as something less severe; the entry of the rise says so."""
    worse = replace(EAGER, severity=Severity.CRITICAL)
    outcome = run(worse, fact(101, breach=True), record=replace(firing(), ack=ACK))[0]
    assert outcome.record is not None
    assert outcome.move is not None
    assert (outcome.record.ack, outcome.move.record.ack, outcome.move.flag) == (None, None, "unacknowledged")


@pytest.mark.parametrize("rule", [EAGER, replace(EAGER, severity=Severity.INFO), replace(EAGER, cooldown_ms=0)])
def test_an_acknowledgement_outlasts_every_other_verdict(rule: Rule) -> None:
    """It lasts as long as the episode: a breach that goes on, a milder rule, another cooldown, a recovery begun."""
    rule = replace(rule, keep_firing_for_ms=60_000)
    outcomes = run(rule, fact(101, breach=True), fact(102, breach=None), fact(103, breach=False), record=ACKED)
    assert [outcome.record.ack if outcome.record else None for outcome in outcomes] == [ACK] * 3


def test_an_acknowledgement_ends_with_the_episode() -> None:
    """The next breach is nobody's."""
    outcomes = run(EAGER, fact(101, breach=False), fact(102, breach=True), record=ACKED)
    assert moves(*outcomes) == ["firing>resolved", "inactive>firing"]
    assert outcomes[1].record is not None
    assert outcomes[1].record.ack is None


def test_a_fall_in_severity_counts_from_the_next_transition() -> None:
    """Two alerters of different configurations would else tell people of a rise each second."""
    worse, milder = replace(EAGER, severity=Severity.CRITICAL), replace(EAGER, severity=Severity.INFO)
    record = firing(worse)
    outcomes = [run(rule, fact(101, breach=True), record=record)[0] for rule in (milder, worse)]
    assert moves(*outcomes) == ["-", "-"]
    assert outcomes[0].record is not None
    assert outcomes[0].record.severity is Severity.CRITICAL


def test_another_cooldown_frees_what_the_old_one_held_back() -> None:
    """And announces nothing that was announced."""
    changed = replace(EAGER, cooldown_ms=0)
    held_back = firing()
    outcomes = [
        run(changed, fact(101, breach=True), record=replace(held_back, is_announced=is_announced))[0]
        for is_announced in (False, True)
    ]
    assert moves(*outcomes) == ["firing>firing", "-"]
    assert outcomes[0].move is not None
    assert outcomes[0].move.notify is True


def test_without_a_cooldown_every_firing_is_sent() -> None:
    """There is no key to ask."""
    outcome = run(replace(EAGER, cooldown_ms=0), fact(100, breach=True))[0]
    assert outcome.move is not None
    assert outcome.record is not None
    assert (outcome.move.cooldown, outcome.move.notify, outcome.record.is_announced) == ("none", True, True)


def test_a_reminder_counts_as_a_transition() -> None:
    """It has a number, so an id, of its own."""
    outcome = remind(firing(), WALL)
    assert outcome.move is not None
    assert (moves(outcome), outcome.move.cooldown, outcome.move.record.number) == (["firing>firing"], "recall", 2)


@pytest.mark.parametrize("record", [pending(), replace(firing(), is_announced=True)], ids=["pending", "announced"])
def test_only_a_firing_nobody_was_told_of_needs_a_reminder(record: AlertRecord) -> None:
    """Anything else would be a second notification."""
    with pytest.raises(ValueError, match="reminder"):
        remind(record, WALL)


def test_the_alert_of_a_removed_rule_ends() -> None:
    """With the reason; a mute just goes."""
    muted, _ = resolve_by_hand(firing(), actor="ann", note="", now_ms=WALL)
    assert moves(remove(firing(), WALL), remove(pending(), WALL), remove(muted, WALL)) == [
        "firing>resolved",
        "pending>inactive",
        "-",
    ]


def test_the_record_shows_the_newest_value() -> None:
    """People see how bad it is now, not how bad it was."""
    now = replace(fact(101, breach=True), value=0.77)
    record = run(EAGER, now, record=firing())[0].record
    assert record is not None
    assert record.value == 0.77


@pytest.mark.parametrize("state", [AlertState.PENDING, AlertState.FIRING])
def test_the_identity_is_the_labels(state: AlertState) -> None:
    """A record carries who it is."""
    record = firing() if state is AlertState.FIRING else pending()
    assert (record.alert_id, record.service, record.labels, record.rule) == ("a1", "ranker", {"route": "/a"}, "r")


def test_a_longer_hold_counts_from_the_next_episode_on() -> None:
    """An edit of the rule while an alert waits does not move its goal; a shorter one counts at once."""
    before, longer, shorter = (rule_of(for_=f'"{seconds}s"') for seconds in (10, 60, 3))
    record = run(before, fact(0, breach=True))[0].record
    found = [
        run(rule, fact(at, breach=True), record=record)[0].record
        for at, rule in ((9, longer), (10, longer), (2, shorter), (3, shorter))
    ]
    assert [one.state.value for one in found if one] == ["pending", "firing", "pending", "firing"]
