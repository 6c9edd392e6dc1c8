"""The order in which one channel sends the transitions of one alert."""

from dataclasses import replace

import pytest

from barograph_core.errors import MalformedEventError
from barograph_core.server.replies import EntryId
from barograph_notifier.outbox.queue_plan import DeliveryMemory, Done, Item, Send, Suppress, Wait, next_action
from tests.unit.notifier.samples import FIRING, RESOLVED, item, transition

FIRED = item(10, transition(FIRING))
CLEARED = item(20, transition(RESOLVED, number=2))
DELIVERED = DeliveryMemory(
    finished=EntryId(10, 0),
    delivered_episode_ms=1_000,
    delivered_transition=FIRED.transition.transition,
    service=FIRED.transition.service,
)


def test_an_empty_queue_is_done() -> None:
    assert next_action([], DeliveryMemory(), 0) == Done()


def test_a_firing_is_sent() -> None:
    assert next_action([FIRED], DeliveryMemory(), 0) == Send(FIRED)


def test_a_firing_that_was_overtaken_is_not_sent() -> None:
    """Nobody is woken for what is over."""
    assert next_action([FIRED, CLEARED], DeliveryMemory(), 0) == Suppress(FIRED, "superseded")


def test_an_end_that_is_not_told_because_the_alert_flaps_overtakes_nothing() -> None:
    """The notice that waits for its group, or for its next attempt, is sent all the same; a later update takes over."""
    flap = replace(item(20, transition(RESOLVED, number=2)), mute="flapping")
    assert next_action([FIRED, flap], DeliveryMemory(), 0) == Send(FIRED)
    assert next_action([flap], DELIVERED, 0) == Suppress(flap, "flapping")
    update = item(30, transition(FIRING, episode_ms=2_000))
    assert next_action([FIRED, flap, update], DeliveryMemory(), 0) == Suppress(FIRED, "superseded")
    calm = item(40, transition(RESOLVED, episode_ms=2_000, number=3))
    assert next_action([FIRED, flap, calm], DeliveryMemory(), 0) == Suppress(FIRED, "superseded")


def test_the_episodes_of_an_incident_are_one_to_a_channel() -> None:
    """What answers the first message stands in the thread of the next ones."""
    update = item(30, replace(transition(FIRING, episode_ms=2_000), incident_ms=1_000))
    after = DeliveryMemory().after_sent(FIRED, "thread-1").after_sent(update, "message-2")
    assert (after.delivered_episode_ms, after.first_ref_of(update)) == (1_000, "thread-1")


def test_a_resolution_is_sent_where_the_firing_was() -> None:
    assert next_action([CLEARED], DELIVERED, 0) == Send(CLEARED)


def test_a_resolution_is_not_sent_where_the_firing_never_arrived() -> None:
    """Also where only the firing of an earlier episode arrived, and its resolution too."""
    assert next_action([CLEARED], DeliveryMemory(), 0) == Suppress(CLEARED, "not_delivered")
    after = DELIVERED.after_sent(CLEARED, "")
    again = item(40, transition(RESOLVED, episode_ms=2_000, number=2))
    assert next_action([again], after, 0) == Suppress(again, "not_delivered")


def test_a_resolution_ends_an_earlier_episode_that_was_left_open() -> None:
    """Its own firing was never delivered, but an older one was, and still stands."""
    later = item(40, transition(RESOLVED, episode_ms=2_000, number=2))
    assert next_action([later], DELIVERED, 0) == Send(later)


def test_a_resolution_is_told_before_the_next_firing() -> None:
    """A resolution is never overtaken: it waits for its next attempt, and what follows waits with it."""
    waiting = item(20, transition(RESOLVED, number=2), due_ms=5_000, attempt=1)
    next_firing = item(30, transition(FIRING, episode_ms=2_000))
    assert next_action([waiting, next_firing], DELIVERED, 1_000) == Wait(5_000)
    assert next_action([waiting, next_firing], DELIVERED, 5_000) == Send(waiting)


def test_a_firing_waits_for_its_next_attempt() -> None:
    waiting = item(10, due_ms=5_000, attempt=1)
    assert next_action([waiting], DeliveryMemory(), 4_999) == Wait(5_000)


def test_a_firing_that_comes_after_its_resolution_is_not_sent() -> None:
    """Two consumers of one group may hand entries over in the wrong order."""
    after = DeliveryMemory().after_unsent(CLEARED)
    assert next_action([FIRED], after, 0) == Suppress(FIRED, "superseded")


def test_a_transition_written_twice_is_sent_once() -> None:
    """After a failover the alerter may write one transition again: same id, other entry."""
    twin = item(11, FIRED.transition)
    assert next_action([twin], DELIVERED, 0) == Suppress(twin, "duplicate")


def test_a_muted_resolution_is_not_sent() -> None:
    muted = item(20, transition(RESOLVED, number=2, notify=False, reason="silenced"), mute="silenced")
    assert next_action([muted], DELIVERED, 0) == Suppress(muted, "silenced")


def test_memory_keeps_the_open_episode() -> None:
    delivered = DeliveryMemory().after_sent(FIRED, "")
    assert delivered == DELIVERED
    assert delivered.after_unsent(item(15)).delivered_episode_ms == 1_000
    assert delivered.after_sent(CLEARED, "").delivered_episode_ms is None
    assert delivered.after_unsent(item(5)).finished == EntryId(10, 0)


def test_items_and_memory_survive_their_json() -> None:
    """Text that is hard on JSON included."""
    hard = item(10, transition(summary='"\\\x1b é \u2028'), mute="x", due_ms=7, attempt=3)
    assert Item.from_json(EntryId(10, 0), hard.to_json().encode()) == hard
    assert DeliveryMemory.from_json(DELIVERED.to_json().encode()) == DELIVERED
    assert DeliveryMemory.from_json(DeliveryMemory().to_json().encode()) == DeliveryMemory()


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"entry":[]}', b"\xff", b'{"entry":{"a":1}}'])
def test_what_is_no_item_is_malformed(text: bytes) -> None:
    with pytest.raises(MalformedEventError):
        Item.from_json(EntryId(1, 0), text)
    with pytest.raises(MalformedEventError):
        DeliveryMemory.from_json(text)
