"""The sender's loop outlives the server and its own mistakes."""

from collections.abc import Sequence
from typing import ClassVar

from barograph_core.errors import CommandRefusedError, StreamUnavailableError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_notifier.channel import Outcome
from barograph_notifier.notification import Notification
from barograph_notifier.outbox.results import Recorded, Results
from barograph_notifier.outbox.turns import Turn, Turns
from barograph_notifier.sending.senders import SenderFactory
from barograph_notifier.worker import SharedCounters
from tests.integration.notifier.harness import NotifierHarness
from tests.support import FakeClock, fake_connection
from tests.unit.notifier.samples import FIRING, RESOLVED, Recorder, transition

FIRED = transition(FIRING)


class ShakyTurns(Turns):
    """Raises the errors listed before it works."""

    errors: ClassVar[list[Exception]] = []

    def due(self, now_ms: int) -> tuple[list[str], float]:
        if self.errors:
            raise self.errors.pop()
        return super().due(now_ms)


class ShakyResults(Results):
    """Raises the errors listed before it works."""

    errors: ClassVar[list[Exception]] = []

    def record(self, results: Sequence[Recorded]) -> list[bool]:
        if results and self.errors:
            raise self.errors.pop()
        return super().record(results)


class ShakyFactory(SenderFactory):
    turns_class, results_class = ShakyTurns, ShakyResults


def shaky(look_errors: list[Exception], record_errors: list[Exception]) -> NotifierHarness:
    ShakyTurns.errors, ShakyResults.errors = look_errors, record_errors
    return NotifierHarness(fake_connection(), ShardKeys(), FakeClock(), factory_class=ShakyFactory)


def run_until_sent(harness: NotifierHarness, count: int) -> None:
    """Run the loop until so many deliveries are noted."""

    class Stop:
        def is_set(self) -> bool:
            return len(harness.deliveries()) >= count

    harness.sender.run(Stop())  # type: ignore[arg-type]  # all that the loop asks of its event


def test_the_loop_goes_on_after_errors() -> None:
    """The server away, then a fault of our own: both are waited out and counted."""
    harness = shaky([ValueError("ours"), StreamUnavailableError("unreachable")], [])
    harness.write(FIRED)
    harness.handle()
    run_until_sent(harness, 1)
    assert harness.deliveries() == [("sent", "ok")]
    assert (harness.counters["reconnects"], harness.counters["loop_errors"]) == (1, 1)


def test_what_was_sent_is_not_sent_again_because_the_record_failed() -> None:
    """A server that refuses the record must not turn one alert into one each second."""
    harness = shaky([], [StreamUnavailableError("timeout"), CommandRefusedError("WRONGTYPE")])
    harness.write(FIRED)
    harness.handle()
    run_until_sent(harness, 1)
    assert len(harness.channel.sent) == 1
    assert harness.deliveries() == [("sent", "ok")]


def test_what_was_sent_counts_as_sent_though_it_was_overtaken_before_the_record() -> None:
    """Its resolution is sent too, because the firing was delivered."""
    harness = shaky([], [StreamUnavailableError("timeout")])

    class Overtaken(Recorder):
        def send(self, notification: Notification, *, key: str, timeout_s: float) -> Outcome:
            if not self.sent:
                harness.write(transition(RESOLVED, number=2))
                harness.handle()
            return super().send(notification, key=key, timeout_s=timeout_s)

    busy = NotifierHarness(harness.connection, harness.keys, harness.clock, Overtaken(), factory_class=ShakyFactory)
    busy.write(FIRED)
    busy.handle()
    run_until_sent(busy, 2)
    assert busy.channel.statuses == ["firing", "resolved"]
    assert busy.deliveries() == [("sent", "ok"), ("sent", "ok")]


def test_a_stop_leaves_what_is_due_to_the_next_worker(
    connection: Connection, keys: ShardKeys, clock: FakeClock
) -> None:
    """Nothing new is begun once the stop is asked for."""
    harness = NotifierHarness(connection, keys, clock)
    harness.write(FIRED)
    harness.handle()
    harness.stop.set()
    harness.sender.make_pass(harness.stop)
    assert (harness.channel.sent, harness.waiting()) == ([], ["a1"])


class Counting(Turns):
    """Counts the groups of each turn, and those that were given back."""

    taken: ClassVar[list[int]] = []
    left: ClassVar[list[int]] = []

    def take(self, groups: Sequence[str], now_ms: int) -> tuple[list[Turn], int]:
        self.taken.append(len(groups))
        return super().take(groups, now_ms)

    def leave(self, turns: Sequence[tuple[Turn, int | None]], now_ms: int, *, clears: bool = False) -> None:
        if turns:
            self.left.append(len(turns))
        super().leave(turns, now_ms, clears=clears)


class CountingFactory(SenderFactory):
    turns_class = Counting


def test_a_slow_channel_has_small_batches_and_a_quick_one_large_ones(
    connection: Connection, keys: ShardKeys, clock: FakeClock
) -> None:
    """What is given back was taken in vain: it waits for nothing, and costs a call."""

    class Taking(Recorder):
        ms = 30

        def send(self, notification: Notification, *, key: str, timeout_s: float) -> Outcome:
            clock.advance(self.ms)
            return super().send(notification, key=key, timeout_s=timeout_s)

    channel = Taking()
    harness = NotifierHarness(connection, keys, clock, channel, factory_class=CountingFactory)
    Counting.taken, Counting.left = [], []
    harness.deliver(*(transition(FIRING, alert=f"a{number:03}") for number in range(40)))
    assert len(channel.sent) == 40
    # Two take 60 ms, and a batch half of 50.
    assert (Counting.taken[:3], Counting.left) == ([32, 1, 1], [30])
    channel.ms, Counting.taken = 0, []
    harness.deliver(*(transition(FIRING, alert=f"b{number:03}") for number in range(100)))
    assert Counting.taken == [1, 2, 4, 8, 16, 32, 32, 5]
    assert harness.deliveries() == [("sent", "ok")] * 140


def test_threads_share_one_count() -> None:
    counters = SharedCounters()
    counters.add("deliveries_sent")
    counters.add("deliveries_sent", 2)
    assert counters["deliveries_sent"] == 3
