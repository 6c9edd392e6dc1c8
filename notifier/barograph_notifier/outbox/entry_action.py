"""Decides what a channel does with an entry of the alerts stream. Pure."""

from enum import StrEnum

from barograph_core.alerts.record import AlertState
from barograph_core.alerts.transition import Transition


class EntryAction(StrEnum):
    """The possible actions on an entry."""

    # No notification: pending alerts and alerts that were never firing.
    ACKNOWLEDGE = "acknowledge"
    SUPPRESS = "suppress"
    # To the outbox; the queue's plan decides when it is due.
    ENQUEUE = "enqueue"
    # To the outbox if the channel has delivered, or may still deliver, a firing of this alert; else suppress.
    ENQUEUE_IF_KNOWN = "enqueue_if_known"


UNROUTED = "unrouted"
COOLDOWN = "cooldown"


def action_for(
    transition: Transition, channel: str, *, is_routed: bool, shows_flag: bool = False
) -> tuple[EntryAction, str]:
    """Return the action and, for a suppression, the reason for the deliveries stream.

    Which channels the cooldown mutes is the alerter's decision; it stands on the entry.

    A resolution ignores the routes: it goes wherever its firing went, even when the routes have changed meanwhile. A
    muted resolution also goes to the outbox, because it overtakes a firing that waits there for its next attempt.
    A change of a flag goes wherever the firing went and can be shown (``shows_flag``); elsewhere it is nothing to send.
    """
    if transition.is_only_flag:
        return (EntryAction.ENQUEUE_IF_KNOWN if shows_flag else EntryAction.ACKNOWLEDGE), ""
    if transition.after is not AlertState.FIRING:
        # An alert that no longer flaps, and is clear, may have been clear for a while: its incident ends now.
        if transition.before is not AlertState.FIRING and transition.flag != "flapping_ended":
            return EntryAction.ACKNOWLEDGE, ""
        return (EntryAction.ENQUEUE, "") if is_routed else (EntryAction.ENQUEUE_IF_KNOWN, UNROUTED)
    if not transition.notify:
        return EntryAction.SUPPRESS, transition.reason or "muted"
    if channel in transition.muted:
        return EntryAction.SUPPRESS, COOLDOWN
    return (EntryAction.ENQUEUE, "") if is_routed else (EntryAction.SUPPRESS, UNROUTED)
