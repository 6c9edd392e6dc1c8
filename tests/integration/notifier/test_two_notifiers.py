"""Several notifiers share a channel: each transition is delivered once, whoever dies when."""

import pytest

from barograph_core.keys import ShardKeys
from barograph_core.stream import Connection
from barograph_notifier.channel import Outcome, Retry, Sent
from barograph_notifier.notification import Notification
from barograph_notifier.outbox import Outbox, Turn
from barograph_notifier.queue_plan import Item
from barograph_notifier.worker import group_of
from tests.integration.notifier.desk import CHANNEL, Desk
from tests.support import FakeClock
from tests.unit.notifier.samples import FIRING, RESOLVED, Recorder, transition

FIRED = transition(FIRING)
CLEARED = transition(RESOLVED, number=2)


@pytest.fixture
def one(connection: Connection, keys: ShardKeys, clock: FakeClock) -> Desk:
    return Desk(connection, keys, clock, consumer="one")


@pytest.fixture
def two(connection: Connection, keys: ShardKeys, clock: FakeClock) -> Desk:
    return Desk(connection, keys, clock, consumer="two")


def claim(desk: Desk) -> None:
    """Take over everything that is pending, as XAUTOCLAIM would."""
    last = desk.last_id()
    desk.connection.command("XCLAIM", desk.keys.alerts, group_of(CHANNEL), desk.consumer, 0, str(last))


def test_an_entry_claimed_away_is_left_to_the_other(one: Desk, two: Desk) -> None:
    """The one that slept finds its entry lost and enqueues nothing."""
    one.write(FIRED)
    entries = one.read()
    claim(two)
    one.handler.handle(entries, is_redelivered=False)
    assert (one.waiting(), one.counters["fence_rejections"]) == ([], 1)
    two.handler.handle(entries, is_redelivered=True)
    two.send()
    assert one.deliveries() == [("sent", "ok")]


def test_an_entry_enqueued_before_the_reply_was_lost_is_not_enqueued_again(one: Desk) -> None:
    """The consumer hands its pending entries over once more; this one is not pending any longer."""
    one.write(FIRED)
    entries = one.read()
    one.handler.handle(entries, is_redelivered=False)
    one.send()
    one.handler.handle(entries, is_redelivered=True)
    one.send()
    assert one.deliveries() == [("sent", "ok")]


def test_while_one_sends_the_other_keeps_away(one: Desk, two: Desk) -> None:
    """The lease gives each alert to one sender at a time."""

    class Nosy(Recorder):
        def send(self, notification: Notification, *, key: str, timeout_s: float) -> Outcome:
            assert two.sender.make_pass(two.stop) == 500
            return super().send(notification, key=key, timeout_s=timeout_s)

    busy = Desk(one.connection, one.keys, one.clock, Nosy())
    busy.tell(FIRED)
    assert busy.deliveries() == [("sent", "ok")]
    assert two.channel.sent == []


def test_whoever_lost_the_lease_records_nothing(one: Desk, two: Desk) -> None:
    """A sender that slept through its lease finds its record fenced. The other has sent with the same key."""

    class Sleeper(Recorder):
        def send(self, notification: Notification, *, key: str, timeout_s: float) -> Outcome:
            one.connection.command("DEL", one.keys.lease(CHANNEL, "a1"))
            two.send()
            return super().send(notification, key=key, timeout_s=timeout_s)

    asleep = Desk(one.connection, one.keys, one.clock, Sleeper())
    asleep.tell(FIRED)
    assert asleep.deliveries() == [("sent", "ok")]
    assert asleep.counters["fence_rejections"] == 1
    assert asleep.channel.sent[0][1] == two.channel.sent[0][1]


def test_a_death_between_sending_and_recording_sends_again_with_the_same_key(one: Desk, two: Desk) -> None:
    """The one duplicate there can be; the key lets the receiver drop it."""

    class Dying(Recorder):
        def send(self, notification: Notification, *, key: str, timeout_s: float) -> Outcome:
            super().send(notification, key=key, timeout_s=timeout_s)
            raise KeyboardInterrupt

    dying = Desk(one.connection, one.keys, one.clock, Dying())
    with pytest.raises(KeyboardInterrupt):
        dying.tell(FIRED)
    # Until its lease has run out nobody else may send.
    assert two.send() == 500
    one.connection.command("DEL", one.keys.lease(CHANNEL, "a1"))
    two.send()
    assert [key for _, key in dying.channel.sent] == [key for _, key in two.channel.sent]
    assert two.deliveries() == [("sent", "ok")]


def test_a_firing_that_a_dying_sender_may_have_told_gets_its_resolution(one: Desk, two: Desk) -> None:
    """Nobody is left waiting for the end of an alert because a worker died at the wrong moment."""

    class Dying(Recorder):
        def send(self, notification: Notification, *, key: str, timeout_s: float) -> Outcome:
            super().send(notification, key=key, timeout_s=timeout_s)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Desk(one.connection, one.keys, one.clock, Dying()).tell(FIRED)
    one.connection.command("DEL", one.keys.lease(CHANNEL, "a1"))
    two.tell(CLEARED)
    assert two.channel.statuses == ["resolved"]
    assert two.deliveries() == [("suppressed", "superseded"), ("sent", "ok")]


def test_whoever_lost_the_lease_before_it_sends_keeps_quiet(one: Desk, two: Desk) -> None:
    """A sender that froze after it had read the queue does not send what the other has sent."""

    class Frozen(Outbox):
        def begin(self, turn: Turn, item: Item) -> bool:
            one.connection.command("DEL", one.keys.lease(CHANNEL, "a1"))
            two.send()
            return super().begin(turn, item)

    frozen = Desk(one.connection, one.keys, one.clock, outbox_class=Frozen)
    frozen.tell(FIRED)
    assert (frozen.channel.sent, two.channel.statuses) == ([], ["firing"])
    assert frozen.counters["fence_rejections"] == 1


def test_a_sender_takes_up_its_own_lease_again(one: Desk) -> None:
    """After an error half-way it need not wait for the lease to run out."""
    one.write(FIRED)
    one.handle()
    assert one.outbox.take_turn("a1", 60_000) is not None
    one.send()
    assert one.deliveries() == [("sent", "ok")]


def test_entries_handed_over_in_the_wrong_order_are_told_in_the_right_one(one: Desk, two: Desk) -> None:
    """The resolution was read by a faster consumer; its firing must not be told after it."""
    one.write(FIRED)
    late = one.read()
    two.write(CLEARED)
    two.handle()
    two.send()
    one.handler.handle(late, is_redelivered=True)
    one.send()
    assert one.deliveries() == [("suppressed", "not_delivered"), ("suppressed", "superseded")]


def test_what_arrives_during_a_failing_attempt_is_looked_at_at_once(one: Desk) -> None:
    """The resolution that came meanwhile makes the repetition needless: it does not wait for the backoff."""

    class Slow(Recorder):
        def send(self, notification: Notification, *, key: str, timeout_s: float) -> Outcome:
            one.write(CLEARED)
            one.handle()
            return super().send(notification, key=key, timeout_s=timeout_s)

    slow = Desk(one.connection, one.keys, one.clock, Slow([Retry(None, "timeout"), Sent("ok")]))
    slow.tell(FIRED)
    assert slow.deliveries() == [("retry", "timeout"), ("suppressed", "superseded"), ("suppressed", "not_delivered")]
