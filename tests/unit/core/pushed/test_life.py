"""How a pushed alert begins, goes on and ends, and what is told of it."""

from dataclasses import replace

from barograph_core.alerts.by_hand import MUTED_BY_HAND_MS, resolve_by_hand
from barograph_core.alerts.record import AlertRecord, AlertState, Severity
from barograph_core.alerts.state import ServiceState
from barograph_core.alerts.transition import Transition
from barograph_core.pushed.life import after_push, end_lapsed
from barograph_core.pushed.pushed_alert import PushedAlert

NOW = 1_700_000_000_000
PUSHED = PushedAlert(
    service="node",
    alertname="DiskFull",
    labels={"job": "node", "severity": "page"},
    starts_ms=NOW - 5_000,
    ends_ms=NOW + 240_000,
    annotations={"summary": "disk is full", "runbook_url": "https://runbooks.example/disk"},
    source_url="http://prometheus.example/graph",
)


def begun() -> AlertRecord:
    change = after_push(None, PUSHED, NOW)
    assert change is not None
    assert change.record is not None
    return change.record


def test_the_first_push_fires() -> None:
    change = after_push(None, PUSHED, NOW)
    assert change is not None
    record, entry = change.record, change.transition
    assert record is not None
    assert entry is not None
    assert (record.rule, record.state, record.severity) == ("ext/DiskFull", AlertState.FIRING, Severity.CRITICAL)
    assert (record.fired_at_ms, record.ends_ms) == (NOW - 5_000, NOW + 240_000)
    assert (entry.before, entry.after, entry.notify) == (AlertState.INACTIVE, AlertState.FIRING, True)
    assert (entry.summary, entry.runbook) == ("disk is full", "https://runbooks.example/disk")
    assert entry.source_url == "http://prometheus.example/graph"


def test_a_push_of_what_fires_already_writes_no_entry() -> None:
    again = replace(PUSHED, starts_ms=NOW + 60_000, ends_ms=NOW + 300_000)
    change = after_push(begun(), again, NOW + 60_000)
    assert change is not None
    assert change.transition is None
    assert change.record == replace(begun(), ends_ms=NOW + 300_000)


def test_the_same_push_changes_nothing() -> None:
    assert after_push(begun(), PUSHED, NOW + 1) is None


def test_texts_that_changed_are_kept_without_an_entry() -> None:
    change = after_push(begun(), replace(PUSHED, annotations={"summary": "disk is at 99 %"}), NOW + 1)
    assert change is not None
    assert change.transition is None
    assert change.record is not None
    assert change.record.summary == "disk is at 99 %"
    assert change.record.runbook == ""


def test_a_push_that_is_over_ends_it() -> None:
    change = after_push(begun(), replace(PUSHED, ends_ms=NOW + 9_000), NOW + 10_000)
    assert change is not None
    assert change.record is None
    assert change.transition is not None
    assert (change.transition.after, change.transition.notify) == (AlertState.RESOLVED, True)
    assert change.transition.reason == ""


def test_the_end_of_what_does_not_fire_is_nothing() -> None:
    """Prometheus repeats an end for fifteen minutes."""
    assert after_push(None, replace(PUSHED, ends_ms=NOW), NOW) is None


def test_the_end_of_an_earlier_episode_ends_nothing() -> None:
    """Of two programs that watch the same, one repeats an end while the other says already that it fires again."""
    earlier = replace(PUSHED, starts_ms=NOW - 60_000, ends_ms=NOW - 5_001)
    assert after_push(begun(), earlier, NOW + 1_000) is None
    # Without a start it is the word of somebody whose clock may be behind.
    change = after_push(begun(), replace(earlier, starts_ms=earlier.ends_ms), NOW + 1_000)
    assert change is not None
    assert change.record is None


def test_of_two_that_watch_the_same_one_that_is_over_does_not_end_it_each_minute() -> None:
    """Both name the same beginning; one repeats its end for fifteen minutes, the other fires on."""
    state = ServiceState(records={PUSHED.alert_id: begun()})
    told: list[str] = []

    def push(pushed: PushedAlert, now_ms: int) -> None:
        change = after_push(state.records.get(pushed.alert_id), pushed, now_ms)
        if change is not None:
            state.apply(change)
            told.extend([change.transition.after.value] if change.transition else [])

    over = replace(PUSHED, ends_ms=NOW + 60_000)
    for minute in range(1, 16):
        push(over, NOW + minute * 60_000)
        push(replace(PUSHED, ends_ms=NOW + minute * 60_000 + 270_000), NOW + minute * 60_000 + 30_000)
    assert told == ["resolved", "firing"]
    push(replace(PUSHED, ends_ms=NOW + 1_000_000), NOW + 1_000_001)
    assert told == ["resolved", "firing", "resolved"]


def test_two_episodes_have_different_entries_though_they_say_the_same_start() -> None:
    first, second = after_push(None, PUSHED, NOW), after_push(None, PUSHED, NOW + 1_000)
    assert first is not None
    assert second is not None
    entries = [one.transition for one in (first, second)]
    assert len({one.transition for one in entries if isinstance(one, Transition)}) == 2
    assert len({one.episode_ms for one in entries if isinstance(one, Transition)}) == 2


def test_what_nobody_pushes_again_ends_by_itself() -> None:
    state = ServiceState(records={PUSHED.alert_id: begun()})
    assert end_lapsed(state, NOW + 239_999) == []
    (change,) = end_lapsed(state, NOW + 240_000)
    assert change.transition is not None
    assert (change.transition.after, change.transition.reason) == (AlertState.RESOLVED, "not_pushed_again")
    assert state.records == {}


def test_alerts_of_our_own_rules_never_lapse() -> None:
    own = replace(begun(), ends_ms=None)
    assert end_lapsed(ServiceState(records={"a": own}), NOW + 10**12) == []


def test_one_that_a_person_resolved_stays_quiet_while_it_is_pushed() -> None:
    muted, _ = resolve_by_hand(begun(), actor="mira", note="known", now_ms=NOW + 1_000)
    again = replace(PUSHED, ends_ms=NOW + 300_000)
    change = after_push(muted, again, NOW + 60_000)
    assert change is not None
    assert change.transition is None
    assert change.record is not None
    assert change.record.is_muted
    over = after_push(change.record, replace(PUSHED, ends_ms=NOW + 61_000), NOW + 62_000)
    assert over is not None
    assert (over.record, over.transition) == (None, None)


def test_after_a_day_the_same_is_another_episode() -> None:
    muted, _ = resolve_by_hand(begun(), actor="mira", note="", now_ms=NOW)
    later = NOW + MUTED_BY_HAND_MS
    change = after_push(muted, replace(PUSHED, ends_ms=later + 240_000), later)
    assert change is not None
    assert change.transition is not None
    assert change.transition.after is AlertState.FIRING


def test_a_record_and_an_entry_are_read_as_they_were_written() -> None:
    record = begun()
    assert AlertRecord.from_json(record.to_json()) == record
    change = after_push(None, PUSHED, NOW)
    assert change is not None
    assert change.transition is not None
    texts = change.transition.to_fields()
    fields = dict(zip(texts[::2], texts[1::2], strict=True))
    assert Transition.from_texts({**fields, "notify": "1"}) == change.transition
