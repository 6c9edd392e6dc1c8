"""What a channel does with each kind of alerts entry."""

from dataclasses import replace

import pytest

from barograph_core.alerts.transition import Transition
from barograph_notifier.outbox.entry_action import EntryAction, action_for
from tests.unit.notifier.samples import FIRING, INACTIVE, PENDING, RESOLVED, flagged, transition

# Of an alert that flapped and has been clear for a while.
CALM = replace(transition(RESOLVED, before=INACTIVE), flag="flapping_ended")


@pytest.mark.parametrize(
    ("what", "is_routed", "expected"),
    [
        (transition(FIRING), True, (EntryAction.ENQUEUE, "")),
        (transition(FIRING), False, (EntryAction.SUPPRESS, "unrouted")),
        (transition(FIRING, notify=False, reason="cooldown"), True, (EntryAction.SUPPRESS, "cooldown")),
        (transition(FIRING, notify=False), True, (EntryAction.SUPPRESS, "muted")),
        (transition(FIRING, before=FIRING, reason="reminder"), True, (EntryAction.ENQUEUE, "")),
        (transition(PENDING, before=INACTIVE), True, (EntryAction.ACKNOWLEDGE, "")),
        (transition(INACTIVE, before=PENDING), True, (EntryAction.ACKNOWLEDGE, "")),
        (transition(RESOLVED, before=PENDING), True, (EntryAction.ACKNOWLEDGE, "")),
        (transition(INACTIVE, before=RESOLVED), True, (EntryAction.ACKNOWLEDGE, "")),
        (transition(RESOLVED), True, (EntryAction.ENQUEUE, "")),
        (transition(INACTIVE, before=FIRING), True, (EntryAction.ENQUEUE, "")),
        (transition(RESOLVED, notify=False, reason="silenced"), True, (EntryAction.ENQUEUE, "")),
        (transition(RESOLVED), False, (EntryAction.ENQUEUE_IF_KNOWN, "unrouted")),
        (CALM, True, (EntryAction.ENQUEUE, "")),
        (CALM, False, (EntryAction.ENQUEUE_IF_KNOWN, "unrouted")),
    ],
)
def test_entries_are_sent_noted_or_only_acknowledged(
    what: Transition, is_routed: bool, expected: tuple[EntryAction, str]
) -> None:
    """The routes decide about firings; resolutions follow their firing; other transitions are not sent."""
    assert action_for(what, "hook", is_routed=is_routed) == expected


@pytest.mark.parametrize("is_routed", [True, False])
def test_a_flag_goes_where_its_firing_went_if_it_can_be_shown(is_routed: bool) -> None:
    """Whatever the routes say by now. Elsewhere there is nothing to send, and nothing to put on record."""
    shown = action_for(flagged(), "hook", is_routed=is_routed, shows_flag=True)
    assert shown == (EntryAction.ENQUEUE_IF_KNOWN, "")
    assert action_for(flagged(), "hook", is_routed=is_routed) == (EntryAction.ACKNOWLEDGE, "")
    # An acknowledgement that ran out is told like any firing.
    expired = replace(flagged("unacknowledged"), notify=True, reason="ack_expired")
    assert action_for(expired, "hook", is_routed=True) == (EntryAction.ENQUEUE, "")


def test_a_channel_obeys_the_entry_that_mutes_it() -> None:
    """The others send it; a resolution is never muted by a cooldown."""
    muted = replace(transition(FIRING), muted=("hook", "mail"))
    assert action_for(muted, "hook", is_routed=True) == (EntryAction.SUPPRESS, "cooldown")
    assert action_for(muted, "pager", is_routed=True) == (EntryAction.ENQUEUE, "")
