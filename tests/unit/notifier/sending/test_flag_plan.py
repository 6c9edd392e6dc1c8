"""When the flag of an alert is shown: only between the delivery of its firing and that of its end."""

from dataclasses import replace

import pytest

from barograph_core.server.replies import EntryId
from barograph_notifier.outbox.queue_plan import DeliveryMemory, Item
from barograph_notifier.outbox.turns import AlertQueue
from barograph_notifier.sending.flag_plan import plan_flags
from tests.unit.notifier.samples import FIRING, RESOLVED, flagged, item, transition

FIRED = item(10, transition(FIRING))
ACKNOWLEDGED = item(20, flagged())
CLEARED = item(30, transition(RESOLVED, number=3))
DELIVERED = DeliveryMemory().after_sent(FIRED, "ref")


def queue(*items: Item, memory: DeliveryMemory = DELIVERED, in_digest: str = "") -> AlertQueue:
    flags = tuple(one for one in items if one.is_flag)
    others = tuple(one for one in items if not one.is_flag)
    return AlertQueue("a1", others, memory, in_digest=in_digest, flags=flags)


def reasons(given: AlertQueue) -> list[str]:
    plan = plan_flags(given, 100)
    assert plan.candidate is None
    return [one.reason for one in plan.unsent]


def test_a_flag_is_shown_where_the_firing_was_delivered() -> None:
    plan = plan_flags(queue(ACKNOWLEDGED), 100)
    assert plan.candidate is not None
    assert (plan.candidate.item, plan.candidate.memory, plan.unsent) == (ACKNOWLEDGED, DELIVERED, [])


@pytest.mark.parametrize(
    "memory",
    [
        DeliveryMemory(),
        DELIVERED.after_sent(item(15, transition(RESOLVED, number=2)), ""),
        DeliveryMemory().after_doubt(FIRED),
        DeliveryMemory().after_sent(item(10, transition(FIRING, episode_ms=900)), ""),
    ],
    ids=["never told", "over there", "in doubt", "of another episode"],
)
def test_a_target_hears_of_no_flag_on_what_it_does_not_know(memory: DeliveryMemory) -> None:
    assert reasons(queue(ACKNOWLEDGED, memory=memory)) == ["not_delivered"]


def test_a_flag_waits_for_the_firing_before_it() -> None:
    plan = plan_flags(queue(FIRED, ACKNOWLEDGED, memory=DeliveryMemory()), 100)
    assert (plan.is_behind, plan.candidate, plan.unsent) == (True, None, [])


def test_a_flag_that_its_alert_outlived_is_not_shown() -> None:
    assert reasons(queue(ACKNOWLEDGED, CLEARED)) == ["superseded"]
    assert reasons(queue(FIRED, ACKNOWLEDGED, CLEARED, memory=DeliveryMemory())) == ["superseded"]


def test_of_several_flags_the_newest_counts() -> None:
    back = item(25, flagged("unacknowledged", number=3))
    plan = plan_flags(queue(ACKNOWLEDGED, back), 100)
    assert [(one.item, one.reason) for one in plan.unsent] == [(ACKNOWLEDGED, "superseded")]
    assert plan.candidate is not None
    assert plan.candidate.item == back


def test_a_flag_passes_a_repetition_that_an_acknowledgement_holds_back() -> None:
    repeated = replace(item(15, transition(FIRING, before=FIRING, reason="repeat")), repeat_ms=5)
    plan = plan_flags(queue(repeated, ACKNOWLEDGED), 100)
    assert plan.candidate is not None


def test_a_flag_leaves_an_alert_alone_that_is_part_of_a_digest_under_way() -> None:
    repeated = replace(item(15, transition(FIRING, before=FIRING, reason="repeat")), repeat_ms=5)
    assert plan_flags(queue(repeated, ACKNOWLEDGED, in_digest="15-0"), 100).is_behind


def test_a_flag_waits_for_its_next_attempt() -> None:
    again = replace(ACKNOWLEDGED, due_ms=500, attempt=1)
    assert plan_flags(queue(again), 100).later_ms == 500
    assert plan_flags(queue(again), 500).candidate is not None


def test_what_a_channel_remembers_of_an_alert_is_not_changed_by_a_flag() -> None:
    """Else a step of an escalation whose entry is older would be taken for a straggler."""
    assert DELIVERED.after_sent(ACKNOWLEDGED, "x") == DELIVERED
    assert DELIVERED.after_unsent(ACKNOWLEDGED) == DELIVERED
    assert DeliveryMemory().after_doubt(ACKNOWLEDGED) == DeliveryMemory()


def test_a_flag_that_comes_after_a_later_transition_was_told_is_not_shown() -> None:
    told = DELIVERED.after_sent(item(30, transition(FIRING, before=FIRING, number=3)), "")
    assert told.finished == EntryId(30, 0)
    assert reasons(queue(ACKNOWLEDGED, memory=told)) == ["superseded"]
