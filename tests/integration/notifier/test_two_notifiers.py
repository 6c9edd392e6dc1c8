"""Several notifiers share a channel: each transition is delivered once, whichever of them dies."""

from collections.abc import Sequence

import pytest

from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_notifier.channel import Outcome, Retry, Sent
from barograph_notifier.notification import Notification
from barograph_notifier.outbox.queue_plan import Item
from barograph_notifier.outbox.turns import Turns
from barograph_notifier.sending.senders import SenderFactory
from barograph_notifier.worker import group_of
from tests.integration.notifier.harness import CHANNEL, LEASE_MS, NotifierHarness
from tests.support import FakeClock
from tests.unit.notifier.samples import FIRING, RESOLVED, Recorder, transition

FIRED = transition(FIRING)
CLEARED = transition(RESOLVED, number=2)


@pytest.fixture
def one(connection: Connection, keys: ShardKeys, clock: FakeClock) -> NotifierHarness:
    return NotifierHarness(connection, keys, clock, consumer="one")


@pytest.fixture
def two(connection: Connection, keys: ShardKeys, clock: FakeClock) -> NotifierHarness:
    return NotifierHarness(connection, keys, clock, consumer="two")


def claim(harness: NotifierHarness) -> None:
    """Take over everything that is pending, as XAUTOCLAIM would."""
    last = harness.last_id()
    harness.connection.command("XCLAIM", harness.keys.alerts, group_of(CHANNEL), harness.consumer, 0, str(last))


def lose_lease(harness: NotifierHarness) -> None:
    """End the lease of the alert, as time would; what it delayed is due then."""
    harness.connection.command("DEL", harness.keys.lease(CHANNEL, "a1"))
    harness.clock.advance(LEASE_MS)


def test_an_entry_claimed_away_is_left_to_the_other(one: NotifierHarness, two: NotifierHarness) -> None:
    """The one that slept finds its entry lost and enqueues nothing."""
    one.write(FIRED)
    entries = one.read()
    claim(two)
    one.handler.handle(entries, is_redelivered=False)
    assert (one.waiting(), one.counters["fence_rejections"]) == ([], 1)
    two.handler.handle(entries, is_redelivered=True)
    two.send()
    assert one.deliveries() == [("sent", "ok")]


def test_an_entry_enqueued_before_the_reply_was_lost_is_not_enqueued_again(one: NotifierHarness) -> None:
    """The consumer hands its pending entries over once more; this one is not pending any longer."""
    one.write(FIRED)
    entries = one.read()
    one.handler.handle(entries, is_redelivered=False)
    one.send()
    one.handler.handle(entries, is_redelivered=True)
    one.send()
    assert one.deliveries() == [("sent", "ok")]


def test_while_one_sends_the_other_keeps_away(one: NotifierHarness, two: NotifierHarness) -> None:
    """The lease gives each alert to one sender at a time."""

    class Nosy(Recorder):
        def send(self, notification: Notification, *, key: str, timeout_s: float) -> Outcome:
            assert two.sender.make_pass(two.stop) == 500
            return super().send(notification, key=key, timeout_s=timeout_s)

    busy = NotifierHarness(one.connection, one.keys, one.clock, Nosy())
    busy.deliver(FIRED)
    assert busy.deliveries() == [("sent", "ok")]
    assert two.channel.sent == []


def test_a_sender_that_lost_the_lease_records_nothing(one: NotifierHarness, two: NotifierHarness) -> None:
    """A sender that slept through its lease finds its record fenced. The other has sent with the same key."""

    class Sleeper(Recorder):
        def send(self, notification: Notification, *, key: str, timeout_s: float) -> Outcome:
            lose_lease(one)
            two.send()
            return super().send(notification, key=key, timeout_s=timeout_s)

    asleep = NotifierHarness(one.connection, one.keys, one.clock, Sleeper())
    asleep.deliver(FIRED)
    assert asleep.deliveries() == [("sent", "ok")]
    assert asleep.counters["fence_rejections"] == 1
    assert asleep.channel.sent[0][1] == two.channel.sent[0][1]


def test_a_death_between_sending_and_recording_sends_again_with_the_same_key(
    one: NotifierHarness, two: NotifierHarness
) -> None:
    """The one duplicate there can be; the key lets the receiver drop it."""

    class Dying(Recorder):
        def send(self, notification: Notification, *, key: str, timeout_s: float) -> Outcome:
            super().send(notification, key=key, timeout_s=timeout_s)
            raise KeyboardInterrupt

    dying = NotifierHarness(one.connection, one.keys, one.clock, Dying())
    with pytest.raises(KeyboardInterrupt):
        dying.deliver(FIRED)
    # Until its lease has expired, no other sender may send.
    assert two.send() == 500
    lose_lease(one)
    two.send()
    assert [key for _, key in dying.channel.sent] == [key for _, key in two.channel.sent]
    assert two.deliveries() == [("sent", "ok")]


def test_a_firing_that_a_dying_sender_may_have_delivered_gets_its_resolution(
    one: NotifierHarness, two: NotifierHarness
) -> None:
    """Nobody is left waiting for the end of an alert because a worker died at the wrong moment."""

    class Dying(Recorder):
        def send(self, notification: Notification, *, key: str, timeout_s: float) -> Outcome:
            super().send(notification, key=key, timeout_s=timeout_s)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        NotifierHarness(one.connection, one.keys, one.clock, Dying()).deliver(FIRED)
    lose_lease(one)
    two.deliver(CLEARED)
    assert two.channel.statuses == ["resolved"]
    assert two.deliveries() == [("suppressed", "superseded"), ("sent", "ok")]


def test_a_sender_that_lost_the_lease_before_it_sends_does_not_send(one: NotifierHarness, two: NotifierHarness) -> None:
    """A sender that froze after it had read the queue does not send what the other has sent."""

    class FrozenTurns(Turns):
        def begin(self, items: Sequence[tuple[str, Item]]) -> list[bool]:
            lose_lease(one)
            two.send()
            return super().begin(items)

    class Frozen(SenderFactory):
        turns_class = FrozenTurns

    frozen = NotifierHarness(one.connection, one.keys, one.clock, factory_class=Frozen)
    frozen.deliver(FIRED)
    assert (frozen.channel.sent, two.channel.statuses) == ([], ["firing"])
    assert frozen.counters["fence_rejections"] == 1


def test_a_sender_takes_up_its_own_lease_again(one: NotifierHarness) -> None:
    """After an error half-way it need not wait for the lease to run out."""
    one.write(FIRED)
    one.handle()
    turns, _ = one.factory.turns(one.connection).take(["a1"], one.clock.now_ms())
    assert [turn.group for turn in turns] == ["a1"]
    one.clock.advance(LEASE_MS)
    one.send()
    assert one.deliveries() == [("sent", "ok")]


def test_entries_queued_in_the_wrong_order_are_sent_in_the_right_one(
    one: NotifierHarness, two: NotifierHarness
) -> None:
    """The resolution was read by a faster consumer; its firing must not be sent after it."""
    one.write(FIRED)
    late = one.read()
    two.write(CLEARED)
    two.handle()
    two.send()
    one.handler.handle(late, is_redelivered=True)
    one.send()
    assert one.deliveries() == [("suppressed", "not_delivered"), ("suppressed", "superseded")]


def test_what_arrives_during_a_failing_attempt_is_looked_at_at_once(one: NotifierHarness) -> None:
    """The resolution that came meanwhile makes the repetition needless: it does not wait for the backoff."""

    class Slow(Recorder):
        def send(self, notification: Notification, *, key: str, timeout_s: float) -> Outcome:
            one.write(CLEARED)
            one.handle()
            return super().send(notification, key=key, timeout_s=timeout_s)

    slow = NotifierHarness(one.connection, one.keys, one.clock, Slow([Retry(None, "timeout"), Sent("ok")]))
    slow.deliver(FIRED)
    assert slow.deliveries() == [("retry", "timeout"), ("suppressed", "superseded"), ("suppressed", "not_delivered")]
