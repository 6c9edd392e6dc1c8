"""What closed panes take, as the server's allocator counts it, and the dropping of blocks that are not in use."""

from collections.abc import Iterator, Mapping

import pytest

from barograph_core.errors import BarographError
from barograph_core.functions.library import ensure_library
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.link import Value
from barograph_core.server.replies import as_hash, as_int, as_list
from barograph_core.services.ending import ServiceEnd

SPAN_MS = 10_000


@pytest.fixture
def server(real_url: str) -> Iterator[Connection]:
    """Return a connection to each real server in turn: fakeredis has no MEMORY."""
    opened = Connection.open(real_url)
    ensure_library(opened)
    yield opened
    opened.close()


def put(connection: Connection, keys: ShardKeys, start: int, size: int = 1_000, service: str = "ranker") -> str:
    """Write a block of one pane and return its name."""
    connection.command("HSET", keys.panes(service, 1_000, start), start, b"x" * size, f"r{start}", 0)
    return f"{service}:1000:{start}"


def key_of(keys: ShardKeys, name: str) -> str:
    service, step_ms, start_ms = name.rsplit(":", 2)
    return keys.panes(service, int(step_ms), int(start_ms))


def weigh(connection: Connection, keys: ShardKeys, *names: str) -> Mapping[str, bytes]:
    blocks = [key_of(keys, name) for name in names]
    return as_hash(connection.call("baro_weigh_1", [keys.store, keys.weights, *blocks], [10_000, *names]))


def drop(connection: Connection, keys: ShardKeys, *names: str) -> list[int]:
    blocks = [key_of(keys, name) for name in names]
    args = [item for name in names for item in (name, SPAN_MS)]
    reply = connection.call("baro_drop_1", [keys.store, keys.weights, keys.open, keys.rollups, *blocks], args)
    return [as_int(figure) for figure in as_list(reply)]


def usage(connection: Connection, keys: ShardKeys, name: str) -> int:
    return as_int(connection.command("MEMORY", "USAGE", key_of(keys, name), "SAMPLES", 0))


def test_the_sum_is_what_the_server_says_of_each_block(server: Connection, keys: ShardKeys) -> None:
    """Not an estimate: a block that grows is weighed anew, one that is gone is taken off."""
    first, second = put(server, keys, 0), put(server, keys, 10_000, 5_000)
    held = weigh(server, keys, first, second)
    assert int(held["bytes:1000"]) == usage(server, keys, first) + usage(server, keys, second)
    put(server, keys, 0, 3_000)
    server.command("DEL", key_of(keys, second))
    held = weigh(server, keys, first, second)
    assert (int(held["bytes:1000"]), int(held["blocks:1000"])) == (usage(server, keys, first), 1)
    assert list(as_hash(server.command("HGETALL", keys.weights))) == [first]


def test_what_is_dropped_is_counted_and_readers_are_told_from_when_on_all_is_kept(
    server: Connection, keys: ShardKeys
) -> None:
    """An absent pane would look like an empty one."""
    names = [put(server, keys, start) for start in (0, 10_000, 20_000)]
    before = int(weigh(server, keys, *names)["bytes:1000"])
    dropped, freed = drop(server, keys, *names[:2])
    held = weigh(server, keys)
    assert (dropped, int(held["bytes:1000"]), int(held["blocks:1000"])) == (2, before - freed, 1)
    assert (int(held["dropped_blocks:1000"]), int(held["dropped_bytes:1000"])) == (2, freed)
    assert (held["kept_from_ms:1000"], server.command("EXISTS", key_of(keys, names[0]))) == (b"20000", 0)


@pytest.mark.parametrize("queue", ["open", "rollups"])
def test_a_block_that_is_still_to_be_written_to_is_kept(server: Connection, keys: ShardKeys, queue: str) -> None:
    """Dropped, the late pane alone would be left of it, and look like the whole."""
    mine, theirs = put(server, keys, 0), put(server, keys, 0, service="other")
    weigh(server, keys, mine, theirs)
    server.command("ZADD", getattr(keys, queue), 3_000, "ranker:1000:2000", 11_000, "other:1000:10000")
    assert drop(server, keys, mine, theirs)[0] == 1
    assert server.command("EXISTS", key_of(keys, mine)) == 1


def test_names_that_cannot_be_read_are_refused_before_anything_is_written(server: Connection, keys: ShardKeys) -> None:
    put(server, keys, 0)
    wrong: list[list[Value]] = [["x", "ranker:1000:0"], [1, "ranker"]]
    for args in wrong:
        with pytest.raises(BarographError, match="barograph: argument"):
            server.call("baro_weigh_1", [keys.store, keys.weights, keys.panes("ranker", 1_000, 0)], args)
    with pytest.raises(BarographError, match="barograph: argument"):
        server.call("baro_drop_1", [keys.store, keys.weights, keys.open, keys.rollups, "k"], ["ranker", 1])
    assert server.command("EXISTS", keys.store, keys.weights) == 0


def test_without_memory_figures_nothing_is_bounded(connection: Connection, keys: ShardKeys) -> None:
    """On fakeredis: nothing is dropped on a guess; on a real server one block is one block."""
    held = weigh(connection, keys, put(connection, keys, 0))
    assert int(held.get("blocks:1000", b"0")) in (0, 1)


def test_a_deleted_service_weighs_nothing(server: Connection, keys: ShardKeys) -> None:
    """Else others' panes would be dropped for what is not there any more."""
    mine, theirs = put(server, keys, 0), put(server, keys, 0, service="other")
    server.command("ZADD", keys.blocks("ranker"), 10**13, "1000:0")
    before = int(weigh(server, keys, mine, theirs)["bytes:1000"])
    ServiceEnd(server, keys, "ranker").delete()
    held = weigh(server, keys)
    assert (int(held["bytes:1000"]), held["blocks:1000"]) == (usage(server, keys, theirs), b"1")
    assert before > int(held["bytes:1000"])
