"""What becomes of an alerts entry when a channel reads it. Pure."""

from enum import StrEnum

from barograph_core.alerts import AlertState
from barograph_core.transitions import Transition


class Admission(StrEnum):
    """What to do with an entry."""

    # Nothing to tell: pending alerts and alerts that were never firing.
    ACKNOWLEDGE = "acknowledge"
    SUPPRESS = "suppress"
    # To the outbox; its turn decides.
    ENQUEUE = "enqueue"
    # To the outbox if the channel has, or may still get, something of this alert; else suppress.
    ENQUEUE_IF_KNOWN = "enqueue_if_known"


UNROUTED = "unrouted"


def admit(transition: Transition, *, is_routed: bool) -> tuple[Admission, str]:
    """Return what to do and, for a suppression, the reason for the deliveries stream.

    A resolution does not ask the routes: it goes wherever its firing went, also when a person has
    changed the routes meanwhile. A muted one still goes to the outbox, because it overtakes a firing
    that waits there for its next attempt.
    """
    if transition.after is not AlertState.FIRING:
        if transition.before is not AlertState.FIRING:
            return Admission.ACKNOWLEDGE, ""
        return (Admission.ENQUEUE, "") if is_routed else (Admission.ENQUEUE_IF_KNOWN, UNROUTED)
    if not transition.notify:
        return Admission.SUPPRESS, transition.reason or "muted"
    return (Admission.ENQUEUE, "") if is_routed else (Admission.SUPPRESS, UNROUTED)
