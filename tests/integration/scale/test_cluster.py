"""A connection to a Cluster: every command reaches the node of its key, whatever moves, and never two times."""

import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from barograph_core.errors import BarographError, CommandRefusedError, StreamUnavailableError
from barograph_core.functions.library import ensure_library, loaded_version
from barograph_core.keyspace.keys import ShardKeys, shard_tag
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_int, as_list
from barograph_core.server.slots import hash_slot
from tests.servers import Cluster, Node, running_cluster
from tests.support import append, request_batch, wait_until

SHARDS = [ShardKeys(tag=shard_tag(index, 12)) for index in range(12)]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture(params=[False, True], ids=["pooled", "keeps_link"])
def connection(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Connection]:
    opened = Connection.open(cluster.url, keeps_link=request.param)
    yield opened
    opened.close()


def move_slot(cluster: Cluster, tag: str, to: Node) -> None:
    """Give a slot without keys to another node; the client is not told."""
    identity = to.command("CLUSTER", "MYID")
    assert isinstance(identity, bytes)
    for node in cluster.nodes:
        node.command("CLUSTER", "SETSLOT", hash_slot(tag), "NODE", identity.decode())


def test_every_master_gets_the_library(cluster: Cluster, connection: Connection) -> None:
    for node in cluster.nodes:
        node.command("FUNCTION", "FLUSH")
    assert loaded_version(connection) is None
    assert ensure_library(connection) == "loaded"
    assert ensure_library(connection) == "current"
    cluster.nodes[1].command("FUNCTION", "FLUSH")
    assert loaded_version(connection) is None
    assert ensure_library(connection) == "loaded"


def test_a_pipeline_over_all_shards_comes_back_in_order(connection: Connection) -> None:
    connection.pipeline([("SET", keys.epoch, index) for index, keys in enumerate(SHARDS)])
    time, *found = connection.pipeline([("TIME",), *(("GET", keys.epoch) for keys in SHARDS)])
    assert len(as_list(time)) == 2
    assert found == [str(index).encode() for index in range(12)]
    connection.pipeline([("DEL", keys.epoch) for keys in SHARDS])


def test_one_of_the_nodes_is_not_the_cluster(cluster: Cluster) -> None:
    """The message says how the URL must begin."""
    connection = Connection.open(cluster.nodes[0].url)
    with pytest.raises(CommandRefusedError, match=r"redis\+cluster"):
        connection.pipeline([("GET", keys.epoch) for keys in SHARDS])
    connection.close()


def test_a_plain_server_is_not_a_cluster(valkey_url: str) -> None:
    connection = Connection.open(valkey_url.replace("redis://", "redis+cluster://"))
    with pytest.raises(StreamUnavailableError, match="luster mode is not enabled"):
        connection.command("PING")
    connection.close()


def test_a_slot_that_moved_is_followed(cluster: Cluster, connection: Connection) -> None:
    """MOVED says that nothing was executed: the command goes to the new holder, once."""
    keys = ShardKeys(tag="moving")
    home = cluster.holder(keys.tag)
    other = next(node for node in cluster.nodes if node is not home)
    assert connection.command("INCR", keys.epoch) == 1
    connection.command("DEL", keys.epoch)
    move_slot(cluster, keys.tag, other)
    try:
        assert connection.command("INCR", keys.epoch) == 1
        assert connection.pipeline([("INCR", keys.epoch), ("INCR", keys.epoch)]) == [2, 3]
        connection.command("DEL", keys.epoch)
    finally:
        move_slot(cluster, keys.tag, home)
    assert connection.pipeline([("INCR", keys.epoch), ("INCR", keys.epoch)]) == [1, 2]
    connection.command("DEL", keys.epoch)


def test_a_slot_on_its_way_is_asked_for(cluster: Cluster, connection: Connection) -> None:
    """ASK is for this once: the slot still belongs to the old holder."""
    keys = ShardKeys(tag="asking")
    home = cluster.holder(keys.tag)
    other = next(node for node in cluster.nodes if node is not home)
    names = [as_bytes_text(node.command("CLUSTER", "MYID")) for node in (home, other)]
    other.command("CLUSTER", "SETSLOT", hash_slot(keys.tag), "IMPORTING", names[0])
    home.command("CLUSTER", "SETSLOT", hash_slot(keys.tag), "MIGRATING", names[1])
    try:
        assert connection.command("INCR", keys.epoch) == 1
        assert connection.pipeline([("INCR", keys.epoch), ("INCR", keys.epoch)]) == [2, 3]
        # Of two keys one is here and one there: nothing is executed, later it will be.
        with pytest.raises(StreamUnavailableError, match="refused"):
            connection.command("DEL", keys.epoch, keys.open)
        connection.command("DEL", keys.epoch)
    finally:
        for node in (other, home):
            node.command("CLUSTER", "SETSLOT", hash_slot(keys.tag), "STABLE")


def as_bytes_text(reply: object) -> str:
    assert isinstance(reply, bytes)
    return reply.decode()


def test_a_lost_reply_is_not_sent_again(cluster: Cluster, connection: Connection) -> None:
    """Nobody knows whether the command was executed: whoever sent it decides, not the client."""
    keys = ShardKeys(tag="lost")
    home = cluster.holder(keys.tag)
    quick = Connection.open(cluster.url, socket_timeout_s=0.3)
    assert quick.command("INCR", keys.epoch) == 1
    sends: list[Callable[[], object]] = [
        partial(quick.command, "INCR", keys.epoch),
        partial(quick.pipeline, [("INCR", keys.epoch)]),
    ]
    for sent, send in enumerate(sends, start=2):
        # What it is sent now it executes when it wakes, and then finds nobody to answer.
        home.freeze()
        with pytest.raises(StreamUnavailableError, match="timeout"):
            send()
        home.thaw()
        wait_until(partial(holds, quick, keys, sent), what="what was sent")
    assert connection.command("INCR", keys.epoch) == 4, "nothing was sent twice"
    connection.command("DEL", keys.epoch)
    quick.close()


def test_a_node_that_was_away_is_found_again(tmp_path: Path) -> None:
    """Shards on other nodes go on meanwhile, and appends stay idempotent."""
    with running_cluster(
        tmp_path, 3, "--appendonly", "yes", "--appendfsync", "always", "--cluster-require-full-coverage", "no"
    ) as cluster:
        connection = Connection.open(cluster.url, socket_timeout_s=1.0)
        ensure_library(connection)
        by_node = {cluster.holder(keys.tag).port: keys for keys in SHARDS}
        victim = cluster.nodes[1]
        batch = request_batch([(1_700_000_000_000, "/", 200, 1.0)])
        for keys in by_node.values():
            assert append(connection, keys, batch)[0] == "ok"
        victim.kill()
        with pytest.raises(StreamUnavailableError):
            append(connection, by_node[victim.port], batch, seq=2)
        for port, keys in by_node.items():
            if port != victim.port:
                wait_until(partial(appended, connection, keys, 2), what="a shard that is not concerned")
        victim.start()
        keys = by_node[victim.port]
        wait_until(lambda: appended(connection, keys, 2), what="the node")
        assert as_int(connection.command("XLEN", keys.events)) == 2
        connection.close()


def holds(connection: Connection, keys: ShardKeys, count: int) -> bool:
    return connection.command("GET", keys.epoch) == str(count).encode()


def appended(connection: Connection, keys: ShardKeys, seq: int) -> bool:
    try:
        return append(connection, keys, request_batch([(1_700_000_000_000, "/", 200, 1.0)]), seq=seq)[0] in (
            "ok",
            "dup",
        )
    except BarographError:
        return False


def test_threads_with_connections_of_their_own_do_not_disturb_each_other(cluster: Cluster) -> None:
    def count(keys: ShardKeys) -> None:
        own = Connection.open(cluster.url)
        for _ in range(200):
            own.command("INCR", keys.epoch)
        own.close()

    threads = [threading.Thread(target=count, args=(keys,)) for keys in SHARDS[:6]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    connection = Connection.open(cluster.url)
    assert connection.pipeline([("GET", keys.epoch) for keys in SHARDS[:6]]) == [b"200"] * 6
    connection.close()
