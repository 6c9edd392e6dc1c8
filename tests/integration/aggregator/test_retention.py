"""Retention against a real aggregator and server: no entry goes unseen and uncounted, whoever takes it."""

import logging
import threading
from collections.abc import Iterator

import pytest

from barograph_aggregator.commit.commit import FencedCommitter
from barograph_aggregator.keep.retention import EventRetention
from barograph_aggregator.settings import AggregatorSettings
from barograph_aggregator.worker import AggregatorHandler
from barograph_core.clock import Clock, SystemClock
from barograph_core.functions.library import ensure_library
from barograph_core.keyspace.keys import AGGREGATOR_GROUP, ShardKeys
from barograph_core.pipeline.account import EventsAccount
from barograph_core.pipeline.reader import PipelineReader
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_int
from barograph_core.steps import DEFAULT_KEEP, parse_keep
from barograph_core.workers.counters import WorkerCounters
from tests.support import FakeClock, append, request_batch, wait_until

BOUND_BYTES = 400_000
EVENTS = 40


@pytest.fixture
def connection(real_url: str) -> Iterator[Connection]:
    opened = Connection.open(real_url)
    ensure_library(opened)
    yield opened
    opened.close()


class Shard:
    """A stream with a group that has read nothing, and a worker's retention."""

    def __init__(self, connection: Connection, keys: ShardKeys, *, bound_bytes: int = BOUND_BYTES) -> None:
        self.connection, self.keys = connection, keys
        self.counters = WorkerCounters()
        self.settings = AggregatorSettings(keep_events_bytes=bound_bytes)
        connection.command("XGROUP", "CREATE", keys.events, AGGREGATOR_GROUP, "0", "MKSTREAM")
        self.retention = self.make_retention()
        self._seq = 0
        self._now_ms = 0

    def make_retention(self, clock: Clock | None = None) -> EventRetention:
        clock = clock or SystemClock()
        return EventRetention(self.connection, self.keys, self.settings, clock, self.counters, group=AGGREGATOR_GROUP)

    def send(self, batches: int) -> None:
        for _ in range(batches):
            self._seq += 1
            rows = [(1_700_000_000_000 + number, f"/{number % 7}", 200, 5.0 + number) for number in range(EVENTS)]
            append(self.connection, self.keys, request_batch(rows, seq=self._seq), seq=self._seq)

    def trim(self, times: int = 1) -> None:
        for _ in range(times):
            self._now_ms += 1_000
            self.retention.trim(self._now_ms, is_closer=True)

    def account(self) -> EventsAccount:
        account = PipelineReader(self.connection, self.keys).read().account
        assert account is not None
        return account


def test_a_bound_that_overtakes_the_group_is_kept_counted_and_told(
    connection: Connection, keys: ShardKeys, caplog: pytest.LogCaptureFixture
) -> None:
    """To the event, and in one trim, though one call drops no more than a thousand."""
    shard = Shard(connection, keys)
    shard.send(1_500)
    with caplog.at_level(logging.ERROR):
        shard.trim()
    account = shard.account()
    left = as_int(connection.command("XLEN", keys.events))
    assert (account.lost, account.lost_events) == (1_500 - left, (1_500 - left) * EVENTS)
    assert (shard.counters["entries_lost"], shard.counters["events_lost"]) == (account.lost, account.lost_events)
    assert as_int(connection.command("MEMORY", "USAGE", keys.events)) <= BOUND_BYTES
    told = [record.__dict__ for record in caplog.records if record.message == "events.lost"]
    assert sum(facts["events"] for facts in told) == account.lost_events
    assert {facts["reason"] for facts in told} == {"keep_events_bytes"}


class SlowServer(FakeClock):
    """A clock by which each call takes 150 ms."""

    def monotonic_ms(self) -> float:
        self.advance(150)
        return super().monotonic_ms()


def test_a_long_trim_leaves_time_for_closing(connection: Connection, keys: ShardKeys) -> None:
    """The closing lease is for a second: the rest goes in the next ticks, without a pause between them."""
    shard = Shard(connection, keys)
    shard.send(4_500)
    retention = shard.make_retention(SlowServer())
    retention.trim(0, is_closer=True)
    assert 1_000 < shard.counters["entries_lost"] <= 2_000
    for _ in range(3):
        retention.trim(50, is_closer=True)
    assert as_int(connection.command("MEMORY", "USAGE", keys.events)) <= BOUND_BYTES


def test_a_trim_by_hand_is_told_once_with_the_entries(
    connection: Connection, keys: ShardKeys, caplog: pytest.LogCaptureFixture
) -> None:
    """By whichever worker looks first: two do not count it twice."""
    shard = Shard(connection, keys, bound_bytes=0)
    shard.send(500)
    shard.trim()
    connection.command("XTRIM", keys.events, "MAXLEN", 100)
    with caplog.at_level(logging.ERROR):
        shard.trim()
        shard.make_retention().trim(0, is_closer=False)
    assert (shard.account().lost, shard.account().lost_uncounted, shard.counters["entries_lost"]) == (400, 400, 400)
    (told,) = [record.__dict__ for record in caplog.records]
    assert (told["message"], told["entries"], told["events"]) == ("events.lost", 400, None)


def test_without_a_bound_an_unread_stream_grows(connection: Connection, keys: ShardKeys) -> None:
    """Somebody wants it so: the server's own bound then makes producers wait."""
    shard = Shard(connection, keys, bound_bytes=0)
    shard.send(1_500)
    shard.trim(5)
    assert (as_int(connection.command("XLEN", keys.events)), shard.account().lost) == (1_500, 0)


def test_those_that_do_not_close_look_seldom(connection: Connection, keys: ShardKeys) -> None:
    """Their looks are only there to remember, should the one that closes not outlive a flush."""
    shard = Shard(connection, keys, bound_bytes=0)
    shard.retention.trim(0, is_closer=False)
    shard.send(3)
    shard.retention.trim(4_999, is_closer=False)
    seen = shard.retention.account
    shard.retention.trim(5_000, is_closer=False)
    late = shard.retention.account
    assert seen is not None
    assert late is not None
    assert (seen.added, late.added) == (0, 3)


def test_the_sum_comes_out_at_every_moment_of_a_rough_life(connection: Connection, keys: ShardKeys) -> None:
    """Producers append, a worker reads and commits, an operator trims: added is never more or less than the rest."""
    shard = Shard(connection, keys, bound_bytes=0)
    stop = threading.Event()

    def disturb() -> None:
        other = Connection.open(str(connection_url))
        while not stop.is_set():
            reply = other.command(
                "XREADGROUP", "GROUP", AGGREGATOR_GROUP, "mine", "COUNT", 7, "BLOCK", 5, "STREAMS", keys.events, ">"
            )
            if isinstance(reply, list):
                (stream,) = reply
                assert isinstance(stream, list)
                entries = stream[1]
                assert isinstance(entries, list)
                ids = [entry[0] for entry in entries if isinstance(entry, list) and isinstance(entry[0], bytes)]
                commit = [keys.events, keys.open, keys.progress, keys.metrics]
                other.call("baro_commit_1", commit, [AGGREGATOR_GROUP, "mine", 1_000, 0, 0, 1_000, len(ids), *ids])
        other.close()

    connection_url = shard_url(connection)
    worker = threading.Thread(target=disturb)
    worker.start()
    surpluses: set[int] = set()
    try:
        for number in range(60):
            shard.send(10)
            if number % 20 == 19:
                connection.command("XTRIM", keys.events, "MAXLEN", 2)
            shard.trim()
            account = shard.retention.account
            assert account is not None
            surpluses.add(account.surplus)
        wait_until(lambda: shard.account().unread == 0 == shard.account().pending, what="the backlog to be worked off")
    finally:
        stop.set()
        worker.join()
    shard.trim()
    account = shard.account()
    assert surpluses == {0}
    assert (account.added, account.committed + account.lost, account.lost_counted) == (600, 600, 0)


def shard_url(connection: Connection) -> str:
    """Return the URL of the server that ``connection`` leads to."""
    port = connection.command("CONFIG", "GET", "port")
    assert isinstance(port, list)
    assert isinstance(port[1], bytes)
    return f"redis://127.0.0.1:{port[1].decode()}/0"


def test_a_clock_set_back_does_not_stop_retention(connection: Connection, keys: ShardKeys) -> None:
    """Memory would have no bound until the clock has caught up."""
    clock = FakeClock()
    handler = make_handler(connection, keys, clock, AggregatorSettings(keep_events_bytes=BOUND_BYTES, self_panes=False))
    shard = Shard(connection, keys)
    handler.tick(clock.now_ms())
    shard.send(1_500)
    clock.set_back(3_600_000)
    clock.advance(2_000)
    handler.tick(clock.now_ms())
    assert as_int(connection.command("MEMORY", "USAGE", keys.events)) <= BOUND_BYTES


def make_handler(
    connection: Connection, keys: ShardKeys, clock: Clock, settings: AggregatorSettings
) -> AggregatorHandler:
    committer = FencedCommitter(
        connection, keys, group=AGGREGATOR_GROUP, consumer="one", step_ms=1_000, keep_metrics_ms=3_600_000
    )
    return AggregatorHandler(
        connection,
        keys,
        settings,
        steps=parse_keep(DEFAULT_KEEP),
        consumer="one",
        committer=committer,
        clock=clock,
        counters=WorkerCounters(),
    )
