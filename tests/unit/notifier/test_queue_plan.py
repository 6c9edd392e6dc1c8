"""The order in which one alert's transitions are told on one channel."""

import pytest

from barograph_core.errors import MalformedEventError
from barograph_core.stream import EntryId
from barograph_notifier.queue_plan import Done, Item, Memory, Send, Suppress, Wait, next_step
from tests.unit.notifier.samples import FIRING, RESOLVED, item, transition

FIRED = item(10, transition(FIRING))
CLEARED = item(20, transition(RESOLVED, number=2))
TOLD = Memory(finished=EntryId(10, 0), told_episode_ms=1_000, told_transition=FIRED.transition.transition)


def test_an_empty_queue_is_done() -> None:
    assert next_step([], Memory(), 0) == Done()


def test_a_firing_is_sent() -> None:
    assert next_step([FIRED], Memory(), 0) == Send(FIRED)


def test_a_firing_that_was_overtaken_is_not_sent() -> None:
    """Nobody is woken for what is over."""
    assert next_step([FIRED, CLEARED], Memory(), 0) == Suppress(FIRED, "superseded")


def test_a_resolution_is_sent_where_the_firing_was() -> None:
    assert next_step([CLEARED], TOLD, 0) == Send(CLEARED)


def test_a_resolution_is_not_sent_where_the_firing_never_arrived() -> None:
    """Also where only the firing of an earlier episode arrived, and its resolution too."""
    assert next_step([CLEARED], Memory(), 0) == Suppress(CLEARED, "not_delivered")
    after = TOLD.after(CLEARED, is_sent=True)
    again = item(40, transition(RESOLVED, episode_ms=2_000, number=2))
    assert next_step([again], after, 0) == Suppress(again, "not_delivered")


def test_a_resolution_ends_an_earlier_episode_that_was_left_open() -> None:
    """Its own firing was never told, but people still believe in an older one."""
    later = item(40, transition(RESOLVED, episode_ms=2_000, number=2))
    assert next_step([later], TOLD, 0) == Send(later)


def test_a_resolution_is_told_before_the_next_firing() -> None:
    """A resolution is never overtaken: it waits for its next attempt, and what follows waits with it."""
    waiting = item(20, transition(RESOLVED, number=2), due_ms=5_000, attempt=1)
    next_firing = item(30, transition(FIRING, episode_ms=2_000))
    assert next_step([waiting, next_firing], TOLD, 1_000) == Wait(5_000)
    assert next_step([waiting, next_firing], TOLD, 5_000) == Send(waiting)


def test_a_firing_waits_for_its_next_attempt() -> None:
    waiting = item(10, due_ms=5_000, attempt=1)
    assert next_step([waiting], Memory(), 4_999) == Wait(5_000)


def test_a_firing_that_comes_after_its_resolution_is_not_sent() -> None:
    """Two consumers of one group may hand entries over in the wrong order."""
    after = Memory().after(CLEARED, is_sent=False)
    assert next_step([FIRED], after, 0) == Suppress(FIRED, "superseded")


def test_a_transition_written_twice_is_sent_once() -> None:
    """After a failover the alerter may write one transition again: same id, other entry."""
    twin = item(11, FIRED.transition)
    assert next_step([twin], TOLD, 0) == Suppress(twin, "duplicate")


def test_a_muted_resolution_is_not_sent() -> None:
    muted = item(20, transition(RESOLVED, number=2, notify=False, reason="silenced"), mute="silenced")
    assert next_step([muted], TOLD, 0) == Suppress(muted, "silenced")


def test_memory_keeps_the_open_episode() -> None:
    told = Memory().after(FIRED, is_sent=True)
    assert told == TOLD
    assert told.after(item(15), is_sent=False).told_episode_ms == 1_000
    assert told.after(CLEARED, is_sent=True).told_episode_ms is None
    assert told.after(item(5), is_sent=False).finished == EntryId(10, 0)


def test_items_and_memory_survive_their_json() -> None:
    """Text that is hard on JSON included."""
    hard = item(10, transition(summary='"\\\x1b é \u2028'), mute="x", due_ms=7, attempt=3)
    assert Item.from_json(EntryId(10, 0), hard.to_json().encode()) == hard
    assert Memory.from_json(TOLD.to_json().encode()) == TOLD
    assert Memory.from_json(Memory().to_json().encode()) == Memory()


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"entry":[]}', b"\xff", b'{"entry":{"a":1}}'])
def test_what_is_no_item_is_malformed(text: bytes) -> None:
    with pytest.raises(MalformedEventError):
        Item.from_json(EntryId(1, 0), text)
    with pytest.raises(MalformedEventError):
        Memory.from_json(text)
