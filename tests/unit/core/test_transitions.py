"""The entries of the alerts stream."""

from dataclasses import replace

import pytest

from barograph_core.alerts import AlertState
from barograph_core.errors import MalformedEventError
from barograph_core.transitions import Transition, resolve_by_hand, transition_of
from tests.unit.core.alert_samples import RECORD


def fields_of(transition: Transition) -> dict[bytes, bytes]:
    flat = transition.to_fields()
    return {flat[i].encode(): flat[i + 1].encode() for i in range(0, len(flat), 2)}


def test_a_transition_survives_the_stream() -> None:
    """The notifier reads what the alerter wrote."""
    told = transition_of(RECORD, before=AlertState.PENDING, at_ms=2_000, notify=True, reason="", actor="ann")
    assert Transition.from_fields(fields_of(told)) == told


def test_the_fields_stand_in_the_order_of_the_design() -> None:
    """Entries read the same way for people with redis-cli."""
    told = transition_of(RECORD, before=AlertState.PENDING, at_ms=2_000, notify=False, reason="cooldown")
    assert told.to_fields()[::2] == [
        "transition", "alert_id", "rule", "severity", "service", "labels", "from", "to", "at_ms", "episode_ms",
        "value", "threshold", "summary", "runbook", "contributors", "notify", "reason", "actor", "cooldown_ms",
    ]  # fmt: skip


def test_the_server_adds_what_the_cooldown_key_decides() -> None:
    """Before the server has decided, the entry has neither notify nor reason."""
    told = transition_of(RECORD, before=AlertState.PENDING, at_ms=2_000, notify=None)
    assert not {"notify", "reason"} & set(told.to_fields()[::2])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (b"severity", b"awful"),
        (b"labels", b"[1]"),
        (b"at_ms", b"soon"),
        (b"value", b"nan"),
        (b"notify", b"2"),
        (b"contributors", b'[{"labels":1}]'),
    ],
)
def test_a_malformed_entry_names_its_field(field: bytes, value: bytes) -> None:
    """The dead-letter stream says what was wrong."""
    told = transition_of(RECORD, before=AlertState.PENDING, at_ms=2_000, notify=True)
    with pytest.raises(MalformedEventError, match=repr(field.decode())):
        Transition.from_fields(fields_of(told) | {field: value})


def test_an_entry_without_a_field_names_it() -> None:
    """Nothing is guessed."""
    told = fields_of(transition_of(RECORD, before=AlertState.PENDING, at_ms=2_000, notify=True))
    del told[b"episode_ms"]
    with pytest.raises(MalformedEventError, match="lacks field 'episode_ms'"):
        Transition.from_fields(told)


def test_resolving_by_hand_mutes_and_tells_who_did_it() -> None:
    """A person's word ends the episode; the record stays until one closed pane is clear."""
    muted, told = resolve_by_hand(RECORD, "ann", 9_000)
    assert (muted.state, muted.is_muted, muted.is_active, muted.changed_at_ms) == (
        AlertState.RESOLVED,
        True,
        False,
        9_000,
    )
    assert (told.before, told.after, told.actor, told.notify, told.reason) == (
        AlertState.FIRING,
        AlertState.RESOLVED,
        "ann",
        True,
        "resolved_by_hand",
    )


def test_resolving_a_pending_alert_by_hand_notifies_nobody() -> None:
    """Nobody was told of it."""
    _, told = resolve_by_hand(replace(RECORD, state=AlertState.PENDING), "ann", 9_000)
    assert told.notify is False


def test_a_muted_alert_cannot_be_resolved_again() -> None:
    """One resolution, one entry."""
    muted, _ = resolve_by_hand(RECORD, "ann", 9_000)
    with pytest.raises(ValueError, match="resolved"):
        resolve_by_hand(muted, "bob", 9_001)
