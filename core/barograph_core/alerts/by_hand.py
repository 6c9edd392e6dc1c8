"""What a person does to one alert: acknowledge it, take that back, resolve it. Pure."""

from dataclasses import replace
from typing import Final

from barograph_core.alerts.acknowledgement import Acknowledgement
from barograph_core.alerts.reason import ACK_EXPIRED, RESOLVED_BY_HAND
from barograph_core.alerts.record import AlertRecord, AlertState
from barograph_core.alerts.transition import Transition, transition_of

HandChange = tuple[AlertRecord, Transition]
# How long a resolution by hand mutes a breach that goes on.
MUTED_BY_HAND_MS: Final = 86_400_000


class NotApplicableError(ValueError):
    """The alert is in a state in which this cannot be done. Its text says so to the person."""


def acknowledge(record: AlertRecord, given: Acknowledgement, *, via: str = "") -> HandChange:
    """Note that a person looks after a firing alert. A later acknowledgement takes the place of an earlier one.

    Args:
        record: The alert.
        given: Who looks after it.
        via: The tool in which they said so; see ``Transition``.

    Raises:
        NotApplicableError: The alert does not fire.
    """
    if record.state is not AlertState.FIRING:
        raise NotApplicableError(f"alert {record.alert_id!r} is {record.state.value}, not firing")
    after = replace(record, ack=given, number=record.number + 1)
    entry = transition_of(
        after,
        before=record.state,
        at_ms=given.at_ms,
        notify=False,
        actor=given.actor,
        flag="acknowledged",
        note=given.note,
        until_ms=given.until_ms,
        via=via,
    )
    return after, entry


def unacknowledge(record: AlertRecord, *, actor: str, note: str, now_ms: int, via: str = "") -> HandChange:
    """Take an acknowledgement back; ``via`` is the tool in which that was said.

    Raises:
        NotApplicableError: There is none.
    """
    if record.ack is None:
        raise NotApplicableError(f"alert {record.alert_id!r} is not acknowledged")
    after = replace(record, ack=None, number=record.number + 1)
    entry = transition_of(
        after,
        before=record.state,
        at_ms=now_ms,
        notify=False,
        actor=actor,
        flag="unacknowledged",
        note=note,
        via=via,
    )
    return after, entry


def expire_acknowledgement(record: AlertRecord, now_ms: int) -> HandChange:
    """End an acknowledgement whose time is up; channels tell people that no one looks after the alert any more."""
    after = replace(record, ack=None, number=record.number + 1, is_announced=True)
    entry = transition_of(
        after,
        before=record.state,
        at_ms=now_ms,
        notify=True,
        reason=ACK_EXPIRED,
        flag="unacknowledged",
    )
    return after, entry


def resolve_by_hand(record: AlertRecord, *, actor: str, note: str, now_ms: int) -> HandChange:
    """End the episode because a person says so, and mute the alert until one closed pane is clear.

    Its quiet channels have to be forgotten with it: the next firing is announced, whatever was sent before.

    Args:
        record: A pending or firing alert.
        actor: The person who resolves it.
        note: Why, in their words.
        now_ms: Wall time.

    Returns:
        The record to keep (muted), and the entry; channels may send it if the alert was firing.

    Raises:
        NotApplicableError: The alert is neither pending nor firing.
    """
    if not record.is_active:
        raise NotApplicableError(f"alert {record.alert_id!r} is {record.state.value}, not pending or firing")
    muted = replace(
        record,
        state=AlertState.RESOLVED,
        number=record.number + 1,
        changed_at_ms=now_ms,
        is_muted=True,
        clear_since_ms=None,
        no_data_since_ms=None,
        ack=None,
    )
    entry = transition_of(
        muted,
        before=record.state,
        at_ms=now_ms,
        notify=record.state is AlertState.FIRING,
        reason=RESOLVED_BY_HAND,
        actor=actor,
        note=note,
    )
    return muted, entry
