"""What a channel does with each kind of alerts entry."""

import pytest

from barograph_core.transitions import Transition
from barograph_notifier.admission import Admission, admit
from tests.unit.notifier.samples import FIRING, INACTIVE, PENDING, RESOLVED, transition


@pytest.mark.parametrize(
    ("what", "is_routed", "expected"),
    [
        (transition(FIRING), True, (Admission.ENQUEUE, "")),
        (transition(FIRING), False, (Admission.SUPPRESS, "unrouted")),
        (transition(FIRING, notify=False, reason="cooldown"), True, (Admission.SUPPRESS, "cooldown")),
        (transition(FIRING, notify=False), True, (Admission.SUPPRESS, "muted")),
        (transition(FIRING, before=FIRING, reason="reminder"), True, (Admission.ENQUEUE, "")),
        (transition(PENDING, before=INACTIVE), True, (Admission.ACKNOWLEDGE, "")),
        (transition(INACTIVE, before=PENDING), True, (Admission.ACKNOWLEDGE, "")),
        (transition(RESOLVED, before=PENDING), True, (Admission.ACKNOWLEDGE, "")),
        (transition(INACTIVE, before=RESOLVED), True, (Admission.ACKNOWLEDGE, "")),
        (transition(RESOLVED), True, (Admission.ENQUEUE, "")),
        (transition(INACTIVE, before=FIRING), True, (Admission.ENQUEUE, "")),
        (transition(RESOLVED, notify=False, reason="silenced"), True, (Admission.ENQUEUE, "")),
        (transition(RESOLVED), False, (Admission.ENQUEUE_IF_KNOWN, "unrouted")),
    ],
)
def test_entries_are_sent_noted_or_only_acknowledged(
    what: Transition, is_routed: bool, expected: tuple[Admission, str]
) -> None:
    """Firings ask the routes; resolutions follow their firing; the rest is nobody's news."""
    assert admit(what, is_routed=is_routed) == expected
