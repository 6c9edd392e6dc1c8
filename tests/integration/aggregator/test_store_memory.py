"""The bound on closed panes, on a real server: what goes, in which order, and what stays whatever the bound."""

import logging
from collections import Counter
from collections.abc import Iterator

import pytest

from barograph_aggregator.keep.store_memory import StoreMemory
from barograph_aggregator.settings import AggregatorSettings
from barograph_core.functions.library import ensure_library
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.link import Reply, Value
from barograph_core.server.replies import as_hash
from barograph_core.steps import parse_keep
from barograph_core.store.blocks import Block
from barograph_core.workers.counters import WorkerCounters

STEPS = parse_keep("1s:15m,10s:2h,1m:2d")
LATENESS_MS = 600_000
PANE_BYTES = 10_000


class Store:
    """A store of its own, whose watermark and clock the test moves."""

    def __init__(self, connection: Connection, keys: ShardKeys, bound_bytes: int) -> None:
        self.connection, self.keys = connection, keys
        self.counters = WorkerCounters()
        settings = AggregatorSettings(store_memory_bytes=bound_bytes, allowed_lateness_ms=LATENESS_MS)
        self.memory = StoreMemory(connection, keys, settings, STEPS, self.counters)
        self.now_ms = 0

    def fill(self, step_ms: int, *starts: int, service: str = "ranker") -> list[Block]:
        blocks = [Block(step_ms, start, service) for start in starts]
        for block in blocks:
            key = self.keys.panes(service, step_ms, block.start_ms)
            self.connection.command("HSET", key, block.start_ms, b"x" * PANE_BYTES)
        return blocks

    def look(self, watermark_ms: int, *written: Block) -> None:
        self.now_ms += 1_000
        self.memory.keep_within(self.now_ms, watermark_ms, written)

    def left(self) -> list[Block]:
        return sorted(Block.parse(name) for name in as_hash(self.connection.command("HGETALL", self.keys.weights)))

    def held(self) -> dict[str, int]:
        return {
            name: int(value) for name, value in as_hash(self.connection.command("HGETALL", self.keys.store)).items()
        }

    def held_bytes(self) -> int:
        return sum(value for name, value in self.held().items() if name.startswith("bytes:"))


@pytest.fixture
def connection(real_url: str) -> Iterator[Connection]:
    opened = Connection.open(real_url)
    ensure_library(opened)
    yield opened
    opened.close()


def test_within_the_bound_nothing_goes(connection: Connection, keys: ShardKeys) -> None:
    store = Store(connection, keys, 100 * PANE_BYTES)
    blocks = store.fill(1_000, *range(0, 200_000, 10_000))
    store.look(10_000_000, *blocks)
    assert (len(store.left()), store.counters["blocks_dropped"]) == (20, 0)


def test_the_finest_and_oldest_go_first_over_all_services(connection: Connection, keys: ShardKeys) -> None:
    """First the seconds, oldest first; then the tens of seconds. The minutes are the last to go."""
    store = Store(connection, keys, 9 * PANE_BYTES)
    minutes = store.fill(60_000, 0)
    tens = store.fill(10_000, 0, 60_000, 120_000)
    seconds = [
        block
        for start in range(0, 50_000, 10_000)
        for service in ("ranker", "other")
        for block in store.fill(1_000, start, service=service)
    ]
    store.look(10_000_000, *minutes, *tens, *seconds)
    assert store.left() == sorted([*seconds[-4:], *tens, *minutes])
    assert (store.held()["kept_from_ms:1000"], store.counters["blocks_dropped"]) == (30_000, 6)
    store.look(10_000_000, *store.fill(60_000, *range(3_600_000, 7_200_000 + 3_600_000, 1_440_000)))
    assert (store.left()[0].step_ms, store.held_bytes() <= 9 * PANE_BYTES) == (10_000, True)


def test_what_late_events_may_still_revise_stays_whatever_the_bound(
    connection: Connection, keys: ShardKeys, caplog: pytest.LogCaptureFixture
) -> None:
    """A block that is gone would come back with the late events alone. The log says that the bound cannot be kept."""
    store = Store(connection, keys, PANE_BYTES)
    blocks = store.fill(1_000, *range(0, 100_000, 10_000))
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            store.look(LATENESS_MS + 50_000, *blocks)
    assert [block.start_ms for block in store.left()] == [50_000, 60_000, 70_000, 80_000, 90_000]
    assert [record.message for record in caplog.records] == ["store.over_bound"]


class Counted(Connection):
    """A connection to the same server that counts its commands."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection._link)
        self.counts: Counter[tuple[Value, ...]] = Counter()

    def command(self, *parts: Value) -> Reply:
        self.counts[parts] += 1
        return super().command(*parts)


def test_where_nothing_may_go_is_not_looked_at_each_second(connection: Connection, keys: ShardKeys) -> None:
    """To choose what goes takes all weights, and a store of which nothing may go stays so for some time."""
    counted = Counted(connection)
    store = Store(counted, keys, PANE_BYTES)
    blocks = store.fill(1_000, *range(0, 100_000, 10_000))
    for _ in range(62):
        store.look(LATENESS_MS, *blocks)
    assert (len(store.left()), counted.counts["HGETALL", keys.weights]) == (10, 3 + 1)


def test_blocks_that_have_expired_are_taken_off_in_turn(connection: Connection, keys: ShardKeys) -> None:
    """Nobody tells when a key expires, or when a worker died before it had weighed what it wrote last."""
    store = Store(connection, keys, 0)
    blocks = store.fill(1_000, *range(0, 3_000_000, 10_000))
    store.look(0, *blocks)
    for block in blocks[1:]:
        connection.command("UNLINK", keys.panes(block.service, block.step_ms, block.start_ms))
    for _ in range(60):
        store.look(0)
    assert (len(store.left()), store.held()["blocks:1000"]) == (1, 1)
    assert store.held_bytes() == store.held()["bytes:1000"] > PANE_BYTES


def test_a_step_that_is_gone_from_the_settings_counts_until_it_expires(connection: Connection, keys: ShardKeys) -> None:
    """It takes memory all the same; it is not dropped before its time, since nobody knows how long its blocks are."""
    store = Store(connection, keys, PANE_BYTES)
    stale = store.fill(5_000, 0, 60_000)
    store.look(10_000_000, *stale)
    assert (store.left(), store.held()["blocks:5000"]) == (stale, 2)
