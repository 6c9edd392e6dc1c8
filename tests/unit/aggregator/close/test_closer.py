"""Closing on fakeredis at watermarks the test chooses: whatever order things come in, nothing is stuck or doubled."""

import logging
from collections.abc import Callable, Sequence

import pytest

from barograph_aggregator.close.call import ClosingCall
from barograph_aggregator.close.closer import Closer
from barograph_aggregator.close.pane_memory import PaneMemory
from barograph_aggregator.close.pane_queue import OpenPane
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.link import Reply, Value
from barograph_core.server.replies import as_bytes
from barograph_core.steps import DEFAULT_KEEP
from tests.support import append
from tests.unit.aggregator.test_aggregator import Pipeline, minutes_ago


class Desk:
    """A pipeline, a closer of its own, and times counted from the start of a minute some minutes ago."""

    def __init__(self, keep: str = DEFAULT_KEEP) -> None:
        self.pipeline = Pipeline(keep=keep)
        self.start = minutes_ago(self.pipeline, 5)
        self.closer = self.make_closer(self.pipeline.connection)

    @property
    def keys(self) -> ShardKeys:
        return self.pipeline.keys

    def make_closer(self, connection: Connection) -> Closer:
        return Closer(connection, self.keys, self.pipeline.settings, self.pipeline.steps, self.pipeline.counters)

    def commit(self, *ats: int) -> None:
        self.pipeline.send(*((self.start + at, "/a", 200, 5.0) for at in ats))
        self.pipeline.handler.handle(self.pipeline.read(), is_redelivered=False)

    def heartbeat(self, through: int, service: str = "ranker") -> None:
        through_ms = self.start + through
        append(self.pipeline.connection, self.keys, {}, service=service, mode="heartbeat", seq=0, through_ms=through_ms)

    def advance(self, watermark: int) -> None:
        self.closer.advance(self.start + watermark)

    def closed_through(self) -> int:
        return self.pipeline.store.services()["ranker"] - self.start

    def panes(self, step_ms: int) -> list[tuple[int, int, int]]:
        """Return start, requests and missing of every closed pane."""
        found = self.pipeline.store.read("ranker", step_ms, self.start, self.start + 300_000)
        return [(pane.start_ms - self.start, pane.pane.requests, pane.missing) for pane in found]


def test_a_roll_up_that_must_wait_does_not_hold_its_service() -> None:
    """The watermark jumps over a quiet second: the roll-up waits for panes that come later in the same pass."""
    desk = Desk()
    desk.commit(7_000)
    desk.advance(9_400)
    desk.commit(12_000)
    desk.advance(13_500)
    assert desk.closed_through() == 13_000
    assert (desk.panes(10_000), desk.pipeline.counters["close_conflicts"]) == ([(0, 1, 0)], 0)


def test_empty_panes_are_stored_where_a_jump_passes_a_dead_instance() -> None:
    """After a pause of the aggregators, too, silence is told from a quiet service."""
    desk = Desk()
    desk.commit(1_000)
    desk.heartbeat(2_500)
    desk.advance(2_000)
    desk.commit(5_000)
    desk.advance(6_000)
    assert desk.panes(1_000) == [(1_000, 1, 0), (2_000, 0, 1), (3_000, 0, 1), (4_000, 0, 1), (5_000, 1, 1)]


def test_a_long_hole_is_filled_over_several_ticks() -> None:
    """Each tick has a bound, and the pane behind the hole waits its turn."""
    desk = Desk()
    desk.commit(0)
    desk.heartbeat(500)
    desk.advance(0)
    desk.commit(100_000)
    for _ in range(3):
        desk.advance(101_000)
    assert (desk.closed_through(), len(desk.panes(1_000))) == (101_000, 101)


def test_many_dead_instances_do_not_make_one_endless_tick() -> None:
    """Empty panes have a bound for all services together, and yet every service gains on the clock."""
    desk = Desk()
    services = [f"service{number}" for number in range(20)]
    for service in services:
        desk.pipeline.connection.command("HSET", desk.keys.closed, service, desk.start)
        desk.heartbeat(100, service)
    desk.advance(200_000)
    closed = [through - desk.start for through in desk.pipeline.store.services().values()]
    assert (min(closed), max(closed), sum(closed)) == (2_000, 60_000, 620_000)


class Interleaved(Connection):
    """A connection to the same server between whose commands somebody else comes."""

    def __init__(self, connection: Connection, between: Callable[[], None]) -> None:
        super().__init__(connection._link)
        self._between = between

    def pipeline(self, commands: Sequence[Sequence[Value]]) -> list[Reply]:
        replies: list[Reply] = []
        for command in commands:
            replies.append(self.command(*command))
            between, self._between = self._between, lambda: None
            between()
        return replies


def test_a_closing_between_two_reads_counts_nothing_twice() -> None:
    """A pipeline is not a transaction: another closer and a late commit come between its commands."""
    desk = Desk()
    desk.commit(1_000)

    def others() -> None:
        desk.advance(2_000)
        desk.commit(1_500, 1_600)

    slow = desk.make_closer(Interleaved(desk.pipeline.connection, others))
    slow.advance(desk.start + 2_000)
    desk.advance(3_000)
    assert desk.panes(1_000) == [(1_000, 3, 0)]


@pytest.mark.parametrize("command", ["RPUSH", "SET"])
def test_foreign_data_holds_one_service_and_no_other(command: str, caplog: pytest.LogCaptureFixture) -> None:
    """It is said once, not twenty times a second."""
    desk = Desk()
    start = desk.start + 1_000
    desk.pipeline.connection.command(command, desk.keys.parts("aaa", start), b"foreign")
    desk.pipeline.connection.command("ZADD", desk.keys.open, start + 1_000, f"aaa:1000:{start}")
    desk.commit(1_000)
    with caplog.at_level(logging.ERROR):
        desk.advance(2_000)
        desk.advance(3_000)
    assert desk.panes(1_000) == [(1_000, 1, 0)]
    assert [record.message for record in caplog.records] == ["pane.cannot_close"]


def test_what_cannot_close_does_not_stand_in_the_way_of_others() -> None:
    """Of one service that cannot be read there is one more pane each second, and they are the oldest of all."""
    desk = Desk()
    for second in range(500):
        start = desk.start + second * 1_000
        desk.pipeline.connection.command("RPUSH", desk.keys.parts("aaa", start), b"of a newer worker")
        desk.pipeline.connection.command("ZADD", desk.keys.open, start + 1_000, f"aaa:1000:{start}")
        desk.pipeline.connection.command("ZADD", desk.keys.open, start + 2_000, f"of-other-settings:2000:{start}")
    desk.commit(200_000)
    for _ in range(2):
        desk.advance(600_000)
    assert desk.panes(1_000) == [(200_000, 1, 0)]
    assert desk.pipeline.counters["loop_errors"] == 1


def test_roll_ups_that_must_wait_do_not_stand_in_the_way_of_others() -> None:
    """A service whose panes are held cannot make its roll-ups, however many they become."""
    desk = Desk()
    desk.pipeline.connection.command("SET", desk.keys.producers("aaa"), b"foreign")
    desk.pipeline.connection.command("HSET", desk.keys.closed, "aaa", desk.start - 30_000_000)
    for number in range(1, 2_501):
        start = desk.start - number * 10_000
        desk.pipeline.connection.command("ZADD", desk.keys.rollups, start + 10_000, f"aaa:10000:{start}")
    desk.commit(1_000)
    desk.advance(60_000)
    assert (desk.panes(10_000), desk.panes(60_000)) == ([(0, 1, 0)], [(0, 1, 0)])


def test_a_service_goes_on_when_its_data_can_be_read_again(caplog: pytest.LogCaptureFixture) -> None:
    """It is tried every few seconds, and what is wrong with it the next time is said again."""
    desk = Desk()

    def spoil(at: int) -> None:
        parts = desk.keys.parts("ranker", desk.start + at)
        desk.pipeline.connection.command("RPUSH", parts, b"foreign")
        desk.advance(at + 1_000)
        desk.pipeline.connection.command("RPOP", parts)

    for at in (1_000, 20_000):
        desk.commit(at)
        spoil(at)
        closed = len(desk.panes(1_000))
        for _ in range(100):
            desk.advance(at + 1_000)
        assert len(desk.panes(1_000)) == closed + 1
    assert [record.message for record in caplog.records] == ["pane.cannot_close"] * 2


def test_a_foreign_key_where_an_empty_pane_belongs_holds_one_service_and_no_other() -> None:
    """Also where the panes of a silence are to be stored: roll-ups of the others are made."""
    desk = Desk()
    start = desk.start
    desk.pipeline.connection.command("HSET", desk.keys.closed, "aaa", start)
    desk.heartbeat(500, "aaa")
    desk.pipeline.connection.command("SET", desk.keys.panes("aaa", 1_000, start), b"foreign")
    desk.commit(1_000)
    desk.advance(60_000)
    assert (desk.panes(10_000), desk.panes(60_000)) == ([(0, 1, 0)], [(0, 1, 0)])
    assert desk.pipeline.store.services()["aaa"] == start


def test_of_two_closers_one_hands_up_late_events_of_an_expired_pane() -> None:
    """It leaves no revision: a list with as many parts again must not pass for the one that was read."""
    desk = Desk(keep="1s:10s,10s:2h,1m:2d")
    desk.commit(0)
    desk.commit(60_000)
    desk.advance(61_000)
    desk.pipeline.connection.command("DEL", desk.keys.panes("ranker", 1_000, desk.start))
    desk.commit(100)
    late = OpenPane(desk.start + 1_000, 1_000, "ranker")
    slow = ClosingCall(desk.pipeline.connection, desk.keys, desk.pipeline.settings, desk.pipeline.steps, PaneMemory())
    (source,) = slow.read([late])
    desk.advance(61_500)
    desk.commit(200, 300)
    slow.close({"ranker": [(late, source)]}, desk.start + 61_500, 0)
    desk.advance(62_000)
    assert desk.panes(10_000) == [(0, 4, 0)]


def test_a_pane_of_other_settings_is_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    """After a change of `keep` roll-ups of a step that is gone are left behind."""
    desk = Desk()
    desk.pipeline.connection.command("ZADD", desk.keys.rollups, desk.start, f"ranker:5000:{desk.start - 5_000}")
    desk.commit(1_000)
    desk.advance(60_000)
    assert (desk.panes(10_000), desk.panes(60_000)) == ([(0, 1, 0)], [(0, 1, 0)])
    assert [record.message for record in caplog.records] == ["pane.cannot_close"]


def test_large_panes_go_fewer_at_a_time() -> None:
    """A round trip holds the server for as long as it takes: it is bounded in bytes, not only in panes."""
    desk = Desk()
    calls = ClosingCall(desk.pipeline.connection, desk.keys, desk.pipeline.settings, desk.pipeline.steps, PaneMemory())
    before = calls.panes_at_once
    routes = [(desk.start, f"/{number:040d}", 200, float(number)) for number in range(1_000)]
    for _ in range(60):
        desk.pipeline.send(*routes)
    desk.pipeline.handler.handle(desk.pipeline.read(), is_redelivered=False)
    blob = as_bytes(desk.pipeline.connection.command("LINDEX", desk.keys.parts("ranker", desk.start), 0))
    desk.pipeline.connection.command("RPUSH", desk.keys.parts("ranker", desk.start), *[blob] * 20)
    calls.read([OpenPane(desk.start + 1_000, 1_000, "ranker")])
    assert (before, calls.panes_at_once) == (50, 4 * 1_048_576 // (21 * len(blob) + 1))
    assert calls.panes_at_once < 50
