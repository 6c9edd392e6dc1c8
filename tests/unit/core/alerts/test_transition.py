"""The entries of the alerts stream."""

from dataclasses import replace

import pytest

from barograph_core.alerts.record import AlertState
from barograph_core.alerts.transition import Transition, transition_of
from barograph_core.errors import MalformedEventError
from tests.unit.core.alerts.samples import RECORD


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


def test_the_server_adds_what_the_quiet_channels_decide() -> None:
    """Before the server has decided, the entry has neither notify nor reason nor muted."""
    told = replace(transition_of(RECORD, before=AlertState.PENDING, at_ms=2_000, notify=None), muted=("a",))
    assert not {"notify", "reason", "muted"} & set(told.to_fields()[::2])


def test_muted_channels_are_read_back() -> None:
    told = replace(transition_of(RECORD, before=AlertState.PENDING, at_ms=2_000, notify=True), muted=("hook", "mail"))
    assert fields_of(told)[b"muted"] == b"hook,mail"
    assert Transition.from_fields(fields_of(told)) == told


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (b"severity", b"awful"),
        (b"labels", b"[1]"),
        (b"at_ms", b"soon"),
        (b"value", b"nan"),
        (b"notify", b"2"),
        (b"until_ms", b"later"),
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


def test_a_flag_with_its_words_survives_the_stream() -> None:
    """And costs entries without one nothing."""
    told = transition_of(
        RECORD,
        before=AlertState.FIRING,
        at_ms=2_000,
        notify=False,
        actor="ann",
        flag="acknowledged",
        note="näher",
        until_ms=3,
    )
    assert told.to_fields()[-6:] == ["flag", "acknowledged", "note", "näher", "until_ms", "3"]
    assert Transition.from_fields(fields_of(told)) == told
    assert told.is_only_flag


def test_a_flag_of_a_newer_version_is_a_transition_from_a_state_to_itself() -> None:
    """Every reader can place it."""
    told = transition_of(RECORD, before=AlertState.FIRING, at_ms=2_000, notify=False, flag="escalated")
    assert Transition.from_fields(fields_of(told)).flag == "escalated"
