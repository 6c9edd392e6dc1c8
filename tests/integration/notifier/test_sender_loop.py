"""The sender's loop outlives the server and its own mistakes."""

from barograph_core.errors import CommandRefusedError, StreamUnavailableError
from barograph_core.keys import ShardKeys
from barograph_core.stream import Connection
from barograph_notifier.channel import Outcome
from barograph_notifier.notification import Notification
from barograph_notifier.outbox import Outbox, Turn, Verdict
from barograph_notifier.worker import SharedCounters
from tests.integration.notifier.desk import Desk
from tests.support import FakeClock, fake_connection
from tests.unit.notifier.samples import FIRING, RESOLVED, Recorder, transition

FIRED = transition(FIRING)


class ShakyOutbox(Outbox):
    """Fails as told before it works."""

    look_errors: list[Exception]
    record_errors: list[Exception]

    def due(self, now_ms: int, limit: int) -> list[str]:
        if self.look_errors:
            raise self.look_errors.pop()
        return super().due(now_ms, limit)

    def record(self, turn: Turn, verdict: Verdict) -> bool:
        if self.record_errors:
            raise self.record_errors.pop()
        return super().record(turn, verdict)


def shaky(look_errors: list[Exception], record_errors: list[Exception]) -> Desk:
    ShakyOutbox.look_errors, ShakyOutbox.record_errors = look_errors, record_errors
    return Desk(fake_connection(), ShardKeys(), FakeClock(), outbox_class=ShakyOutbox)


def run_until_sent(desk: Desk, count: int) -> None:
    """Run the loop until so many deliveries are noted."""

    class Stop:
        def is_set(self) -> bool:
            return len(desk.deliveries()) >= count

    desk.sender.run(Stop())  # type: ignore[arg-type]  # all that the loop asks of its event


def test_the_loop_goes_on_after_errors() -> None:
    """The server away, then a fault of our own: both are waited out and counted."""
    desk = shaky([ValueError("ours"), StreamUnavailableError("unreachable")], [])
    desk.write(FIRED)
    desk.handle()
    run_until_sent(desk, 1)
    assert desk.deliveries() == [("sent", "ok")]
    assert (desk.counters["reconnects"], desk.counters["loop_errors"]) == (1, 1)


def test_what_was_sent_is_not_sent_again_because_the_record_failed() -> None:
    """A server that refuses the record must not turn one alert into one each second."""
    desk = shaky([], [StreamUnavailableError("timeout"), CommandRefusedError("WRONGTYPE")])
    desk.write(FIRED)
    desk.handle()
    run_until_sent(desk, 1)
    assert len(desk.channel.sent) == 1
    assert desk.deliveries() == [("sent", "ok")]


def test_what_was_sent_counts_as_sent_though_it_was_overtaken_before_the_record() -> None:
    """Its resolution goes out too: people were told of the firing."""
    desk = shaky([], [StreamUnavailableError("timeout")])

    class Overtaken(Recorder):
        def send(self, notification: Notification, *, key: str, timeout_s: float) -> Outcome:
            if not self.sent:
                desk.write(transition(RESOLVED, number=2))
                desk.handle()
            return super().send(notification, key=key, timeout_s=timeout_s)

    busy = Desk(desk.connection, desk.keys, desk.clock, Overtaken(), outbox_class=ShakyOutbox)
    busy.write(FIRED)
    busy.handle()
    run_until_sent(busy, 2)
    assert busy.channel.statuses == ["firing", "resolved"]
    assert busy.deliveries() == [("sent", "ok"), ("sent", "ok")]


def test_a_stop_leaves_what_is_due_to_the_next_worker(
    connection: Connection, keys: ShardKeys, clock: FakeClock
) -> None:
    """Nothing new is begun once the stop is asked for."""
    desk = Desk(connection, keys, clock)
    desk.write(FIRED)
    desk.handle()
    desk.stop.set()
    desk.sender.make_pass(desk.stop)
    assert (desk.channel.sent, desk.waiting()) == ([], ["a1"])


def test_threads_share_one_count() -> None:
    counters = SharedCounters()
    counters.add("deliveries_sent")
    counters.add("deliveries_sent", 2)
    assert counters["deliveries_sent"] == 3
