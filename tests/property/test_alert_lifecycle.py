"""What holds for every sequence of verdicts."""

from dataclasses import replace
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from barograph_alerter.judge.fact import Fact, Identity, Transitioned
from barograph_alerter.judge.state_machine import advance
from barograph_alerter.rules.rule import NO_DATA, Rule
from barograph_core.alerts.record import AlertRecord, AlertState
from barograph_core.alerts.transition import transition_of
from tests.unit.alerter.build import rule_of

IDENTITY: Final = Identity("a1", "ranker", {})
STEP_MS: Final = 1_000
TRUTHS: Final = st.sampled_from([True, False, None])
BASE: Final = rule_of("errors > 3")


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    """Return a rule with short holds, so that short histories reach their ends."""
    return replace(
        BASE,
        for_ms=draw(st.integers(0, 4)) * STEP_MS,
        keep_firing_for_ms=draw(st.integers(0, 4)) * STEP_MS,
        no_data=draw(st.sampled_from(NO_DATA)),
        no_data_for_ms=draw(st.integers(0, 6)) * STEP_MS,
        fire_on=draw(st.sampled_from(("auto", "closed"))),
    )


@st.composite
def histories(draw: st.DrawFn) -> list[Fact]:
    """Return verdicts as an alerter comes by them: closed panes in order, open ones ahead of them."""
    facts: list[Fact] = []
    closed_end = 100 * STEP_MS
    for _ in range(draw(st.integers(1, 40))):
        is_closed = draw(st.booleans())
        if is_closed:
            closed_end += STEP_MS
            end = at = closed_end
        else:
            end = closed_end + draw(st.integers(1, 2)) * STEP_MS
            at = end - draw(st.integers(0, STEP_MS))
        facts.append(
            Fact(
                at_ms=at,
                window_end_ms=end,
                step_ms=STEP_MS,
                is_closed=is_closed,
                missing=draw(st.integers(0, 1)) if is_closed else 0,
                breach=draw(TRUTHS),
                clear=draw(TRUTHS),
            )
        )
    return facts


def lives(rule: Rule, facts: list[Fact]) -> list[tuple[AlertRecord | None, Fact, Transitioned]]:
    """Return record before, fact and outcome of each step."""
    record: AlertRecord | None = None
    steps: list[tuple[AlertRecord | None, Fact, Transitioned]] = []
    for fact in facts:
        outcome = advance(rule, IDENTITY, record, fact, 1)
        steps.append((record, fact, outcome))
        record = outcome.record
    return steps


def has_ended(before: AlertRecord | None, outcome: Transitioned) -> bool:
    return before is not None and outcome.record is None


@settings(deadline=None)
@given(rules(), histories())
def test_only_closed_panes_with_every_instance_end_an_alert(rule: Rule, facts: list[Fact]) -> None:
    """Never a false all-clear."""
    for before, fact, outcome in lives(rule, facts):
        if has_ended(before, outcome):
            assert outcome.move is not None
            assert fact.is_closed
            assert fact.missing == 0 or outcome.move.reason == "recovered_partly"
            assert fact.breach is not True


@settings(deadline=None)
@given(rules(), histories())
def test_a_firing_alert_ends_only_for_a_clear_verdict_or_want_of_data(rule: Rule, facts: list[Fact]) -> None:
    """Missing is not resolved."""
    for before, fact, outcome in lives(rule, facts):
        if before is not None and before.state is AlertState.FIRING and outcome.record is None:
            assert outcome.move is not None
            by_policy = rule.no_data == "resolve" and outcome.move.reason == "no_data"
            assert fact.clear is True or by_policy or (before.is_no_data and fact.breach is False)


@settings(deadline=None)
@given(rules(), histories())
def test_provisional_verdicts_only_lead_towards_firing(rule: Rule, facts: list[Fact]) -> None:
    """Inactive, pending, firing: never back."""
    order = [AlertState.INACTIVE, AlertState.PENDING, AlertState.FIRING]
    for before, fact, outcome in lives(rule, facts):
        if not fact.is_closed:
            was = before.state if before else AlertState.INACTIVE
            now = outcome.record.state if outcome.record else AlertState.INACTIVE
            assert order.index(now) >= order.index(was)
            assert not (now is not was and rule.fire_on == "closed")


@settings(deadline=None)
@given(rules(), histories())
def test_a_breach_fires_no_earlier_than_its_hold(rule: Rule, facts: list[Fact]) -> None:
    """And each firing comes with a verdict that calls for it."""
    for before, fact, outcome in lives(rule, facts):
        if outcome.move is None or outcome.move.record.state is not AlertState.FIRING:
            continue
        record = outcome.move.record
        if record.is_no_data:
            assert fact.breach is None
            assert rule.no_data == "alert"
        elif before is not None and before.state is AlertState.FIRING:
            # It fired for lack of data, and now says that the data is back and bad.
            assert before.is_no_data
        else:
            assert fact.breach is True
            began = fact.at_ms if before is None or before.is_no_data else before.begun_ms
            assert began is not None
            assert fact.at_ms - began >= rule.for_ms


@settings(deadline=None)
@given(rules(), histories())
def test_moves_follow_the_record(rule: Rule, facts: list[Fact]) -> None:
    """The stream tells every change of state, and its entries join up."""
    state = AlertState.INACTIVE
    for _, _, outcome in lives(rule, facts):
        now = outcome.record.state if outcome.record else AlertState.INACTIVE
        if outcome.move is None:
            assert now is state
        else:
            assert outcome.move.before is state
            assert outcome.move.record.state in (now, AlertState.RESOLVED)
        state = now


@settings(deadline=None)
@given(rules(), histories())
def test_no_two_transitions_share_an_id(rule: Rule, facts: list[Fact]) -> None:
    """Idempotency keys are made of it."""
    told = [
        transition_of(outcome.move.record, before=outcome.move.before, at_ms=1, notify=True).transition
        for _, _, outcome in lives(rule, facts)
        if outcome.move
    ]
    assert len(set(told)) == len(told)


@settings(deadline=None)
@given(rules(), histories())
def test_a_restart_changes_nothing(rule: Rule, facts: list[Fact]) -> None:
    """The record as JSON is the whole state."""
    record: AlertRecord | None = None
    for (_, fact, outcome), again in zip(lives(rule, facts), facts, strict=True):
        assert fact is again
        restored = AlertRecord.from_json(record.to_json()) if record else None
        assert advance(rule, IDENTITY, restored, fact, 1) == outcome
        record = outcome.record
