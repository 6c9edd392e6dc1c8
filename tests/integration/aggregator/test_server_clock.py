"""The server's clock is an hour wrong: every event counts, no pane closes early, and it recovers by itself."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from barograph_core.clock import SystemClock
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection, read_now
from barograph_core.server.replies import as_hash, as_int
from barograph_core.steps import parse_keep
from barograph_core.store.pane_store import PaneStore
from tests.integration.aggregator.running import Shard, running_aggregators
from tests.servers import FakedClock, Node, faked_clock, valkey_binary
from tests.support import wait_until

# Keys expire by the clock that is an hour ahead: fine panes must live for longer.
KEEP = "1s:3h,1m:2d"
CONFIG = f'[server]\nkeep = "{KEEP}"\n'
ROUNDS, EVENTS, HOUR_S = 10, 3, 3_600
KEYS = ShardKeys()


@pytest.fixture
def clock(tmp_path: Path) -> FakedClock:
    found = faked_clock(tmp_path)
    if found is None:
        pytest.skip("libfaketime is not installed")
    return found


@contextmanager
def running(clock: FakedClock, folder: Path) -> Generator[Shard]:
    node = Node(clock.program(valkey_binary()), folder / "server", ("--save", ""))
    node.start()
    try:
        with running_aggregators(node.url, KEYS, folder, config=CONFIG) as shard:
            yield shard
    finally:
        node.kill()


def requests(shard: Shard) -> int:
    store = PaneStore(shard.connection, KEYS, parse_keep(KEEP))
    now_ms = read_now(shard.connection)
    panes = store.read("ranker", 1_000, now_ms // 60_000 * 60_000 - 1_800_000, now_ms)
    return sum(pane.pane.requests for pane in panes)


def set_right(clock: FakedClock, shard: Shard) -> int:
    """Set the server's clock right, and return its time: it shows a new one only after some commands."""
    clock.set_off(0)
    own = SystemClock()
    wait_until(lambda: abs(read_now(shard.connection) - own.now_ms()) < 60_000, what="the right time")
    return read_now(shard.connection)


def watermark_ms(connection: Connection) -> int:
    return as_int(connection.command("HGET", KEYS.progress, "watermark_ms") or 0)


def closed_ms(connection: Connection) -> int:
    return int(as_hash(connection.command("HGETALL", KEYS.closed))["ranker"])


def test_a_clock_that_is_an_hour_ahead_for_a_moment_closes_nothing_early(clock: FakedClock, tmp_path: Path) -> None:
    """It is doubted and reported; afterwards all goes on as if nothing had been."""
    with running(clock, tmp_path) as shard:
        shard.send(ROUNDS, EVENTS)
        shard.wait_until_done()
        clock.set_off(HOUR_S)
        wait_until(lambda: "server.clock_ahead" in shard.log(), what="the doubt")
        set_right(clock, shard)
        reached_ms = max(watermark_ms(shard.connection), closed_ms(shard.connection))
        assert reached_ms <= read_now(shard.connection)
        shard.send(ROUNDS, EVENTS)
        shard.wait_until_done()
        account = shard.status().account
        assert account is not None
        assert (requests(shard), account.dead, account.lost, account.surplus) == (2 * ROUNDS * EVENTS, 0, 0, 0)


def test_after_a_clock_that_was_believed_panes_close_in_time_again(clock: FakedClock, tmp_path: Path) -> None:
    """An aggregator that starts meanwhile cannot know better. Once the clock is right, its frontier goes back."""
    clock.set_off(HOUR_S)
    with running(clock, tmp_path) as shard:
        shard.connection.command("HSET", KEYS.closed, "ranker", read_now(shard.connection) // 1_000 * 1_000 - 5_000)
        right_ms = set_right(clock, shard)
        wait_until(lambda: "server.clock_was_ahead" in shard.log(), what="the frontier to be set back")
        assert watermark_ms(shard.connection) <= read_now(shard.connection)
        assert right_ms - 1_000 <= closed_ms(shard.connection) <= read_now(shard.connection)
        shard.send(ROUNDS, EVENTS)
        shard.wait_until_done()
        account = shard.status().account
        assert account is not None
        assert (requests(shard), account.lost, account.surplus) == (ROUNDS * EVENTS, 0, 0)
        wait_until(lambda: closed_ms(shard.connection) > right_ms, what="the cursor to go on")
        assert shard.status().stuck == ()


def test_a_clock_that_is_set_back_an_hour_sets_nothing_back(clock: FakedClock, tmp_path: Path) -> None:
    """The aggregator's own clock does not agree: panes that were judged are not judged again."""
    with running(clock, tmp_path) as shard:
        shard.send(ROUNDS, EVENTS)
        shard.wait_until_done()
        before_ms = closed_ms(shard.connection)
        clock.set_off(-HOUR_S)
        wait_until(lambda: read_now(shard.connection) < before_ms - 1_000_000, what="the clock")
        shard.connection.command("XADD", KEYS.events, "*", "x", "y")
        wait_until(lambda: shard.status().dead_letters == 1, what="an entry of that time to be finished")
        assert closed_ms(shard.connection) >= before_ms
        set_right(clock, shard)
        shard.send(ROUNDS, EVENTS)
        shard.wait_until_done()
        account = shard.status().account
        assert account is not None
        assert (requests(shard), account.dead, account.lost) == (2 * ROUNDS * EVENTS, 1, 0)
