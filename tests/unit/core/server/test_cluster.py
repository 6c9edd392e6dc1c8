"""How a command finds its node: by its key, whatever redis-py's version, and though the map of the slots is old."""

from collections.abc import Callable, Sequence
from typing import cast

import pytest
import redis
from redis import exceptions as client_errors
from redis.cluster import ClusterNode

from barograph_core.errors import StreamUnavailableError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server import cluster as cluster_link
from barograph_core.server.cluster import ClusterLink, key_of
from barograph_core.server.connection import Connection
from barograph_core.server.link import Reply, Value
from barograph_core.server.slots import hash_slot, slot_of_key
from barograph_core.server.url import parse_server_url


@pytest.mark.parametrize(
    ("command", "key"),
    [
        (("GET", "k"), "k"),
        (("HGETALL", b"k"), b"k"),
        (("FCALL", "f", 2, "k", "l", "x"), "k"),
        (("FCALL_RO", "baro_version_1", 0), None),
        (("XREADGROUP", "GROUP", "g", "c", "COUNT", 5, "BLOCK", 9, "STREAMS", "k", ">"), "k"),
        (("XINFO", "GROUPS", "k"), "k"),
        (("XGROUP", "CREATE", "k", "g", "0", "MKSTREAM"), "k"),
        (("XPENDING", "k", "g"), "k"),
        (("TIME",), None),
        (("FUNCTION", "LOAD", "REPLACE", "…"), None),
        (("PING",), None),
    ],
)
def test_commands_are_routed_by_their_first_key(command: tuple[Value, ...], key: str | bytes | None) -> None:
    assert key_of(command) == key


def test_keys_of_a_shard_lie_in_the_slot_of_its_tag() -> None:
    keys = ShardKeys("baro", "117")
    assert {slot_of_key(keys.events), slot_of_key(keys.parts("a", 1).encode())} == {hash_slot("117")}


@pytest.mark.parametrize("key", ["plain", "empty{}braces", "open{brace"])
def test_a_key_without_a_tag_is_hashed_whole(key: str) -> None:
    """As the specification has it."""
    assert slot_of_key(key) == hash_slot(key)


def test_only_the_first_braces_count() -> None:
    assert slot_of_key("a{one}{two}") == hash_slot("one")


class Slots:
    """A map of the slots as redis-py keeps it: no node holds any, until the map is read again."""

    def __init__(self) -> None:
        self.asked = 0

    def get_node_from_slot(self, slot: int) -> ClusterNode:
        if not self.asked:
            raise client_errors.SlotNotCoveredError(f'Slot "{slot}" not covered by the cluster.')
        return ClusterNode("127.0.0.1", 7_000)  # type: ignore[no-untyped-call]  # redis-py types none

    def initialize(self) -> None:
        self.asked += 1


class ClusterOfSlots:
    def __init__(self, **_options: object) -> None:
        self.nodes_manager = Slots()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the ports of the nodes that commands went to: one without a slot, and one that holds it all."""
    ports: list[int] = []

    def answer(port: int) -> Reply:
        ports.append(port)
        if port == 7_000:
            raise client_errors.MovedError(f"{hash_slot('k')} 127.0.0.1:7001")
        return b"value"

    class Node:
        def __init__(self, client: "redis.Redis", **_options: object) -> None:
            self._port = cast(int, client.get_connection_kwargs()["port"])

        def send(self, _args: Sequence[Value]) -> Reply:
            return answer(self._port)

        def send_all(self, commands: Sequence[Sequence[Value]]) -> list[Reply | Exception]:
            try:
                return [answer(self._port) for _ in commands]
            except client_errors.MovedError as moved:
                return [moved for _ in commands]

    monkeypatch.setattr(cluster_link, "RedisCluster", ClusterOfSlots)
    monkeypatch.setattr(cluster_link, "ServerLink", Node)
    return ports


def get(connection: Connection) -> Reply:
    return connection.command("GET", "k")


def get_in_pipeline(connection: Connection) -> Reply:
    return connection.pipeline([("GET", "k")])[0]


@pytest.mark.usefixtures("sent")
@pytest.mark.parametrize("ask", [get, get_in_pipeline])
def test_a_slot_that_nobody_held_is_looked_up_again(ask: Callable[[Connection], Reply]) -> None:
    """A Cluster that was short of a node when we came would be short of it for ever."""
    connection = Connection(ClusterLink(parse_server_url("redis+cluster://h:1"), {}))
    with pytest.raises(StreamUnavailableError):
        ask(connection)
    assert ask(connection) == b"value"


def test_a_move_is_remembered(sent: list[int]) -> None:
    """By us: what redis-py calls its own function for that changed within the versions that we take."""
    connection = Connection(ClusterLink(parse_server_url("redis+cluster://h:1"), {}))
    with pytest.raises(StreamUnavailableError):
        connection.command("GET", "k")
    assert [connection.command("GET", "k") for _ in range(2)] == [b"value", b"value"]
    assert sent == [7_000, 7_001, 7_001]
