"""Sends each command to the node of a Cluster that holds its key.

We use redis-py's cluster client only to learn which node holds which slot. Its pipeline repeats commands after a
timeout even with retries off (an append would land twice), and it asks the server for the keys of every XREADGROUP.
Here ``key_of`` finds the key of a command, and the key carries its shard's tag.
"""

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias, cast

import redis
from redis import exceptions as client_errors
from redis.cluster import ClusterNode, RedisCluster

from barograph_core.server.link import Link, Reply, Value
from barograph_core.server.server_link import Options, ServerLink
from barograph_core.server.slots import slot_of_key
from barograph_core.server.url import ServerUrl

# Host and port of a node.
_Place: TypeAlias = tuple[str, int]

_MAX_REDIRECTS: Final = 4
# Commands whose first key is not their first argument, with its place.
_KEY_PLACES: Final[Mapping[str, int]] = {"FCALL": 3, "FCALL_RO": 3, "XGROUP": 2, "XINFO": 2, "MEMORY": 2, "OBJECT": 2}
_KEYLESS: Final = frozenset({"CLIENT", "CONFIG", "DBSIZE", "FUNCTION", "INFO", "PING", "SCAN", "TIME"})
# Errors after which the map of the slots is read again: it is out of date, or a node is away.
_STALE_ERRORS: Final = (
    client_errors.ConnectionError,
    client_errors.TimeoutError,
    client_errors.ClusterDownError,
    OSError,
)


def key_of(args: Sequence[Value]) -> str | bytes | None:
    """Return the key by which a command is routed, ``None`` when it has none."""
    name = str(args[0]).upper()
    if name in _KEYLESS:
        return None
    if name in ("FCALL", "FCALL_RO") and int(args[2]) == 0:
        return None
    at = args.index("STREAMS") + 1 if name in ("XREAD", "XREADGROUP") else _KEY_PLACES.get(name, 1)
    if at >= len(args):
        return None
    key = args[at]
    return key if isinstance(key, bytes) else str(key)


class ClusterLink:
    """A Cluster, through a link to each node that was needed so far.

    After MOVED or ASK nothing was executed, so the command is sent again to the node that is named. After a lost
    reply the command may have been executed, so the error is raised; the next command reads the map of slots again.
    """

    def __init__(self, url: ServerUrl, options: Options, *, keeps_link: bool = False) -> None:
        self._hosts = url.hosts
        self._options: Options = {**options, **url.options}
        self._keeps_link = keeps_link
        self._cluster: RedisCluster | None = None
        self._is_stale = False
        self._links: dict[_Place, ServerLink] = {}
        # Slots that have moved since the map of slots was read.
        self._moved: dict[int, _Place] = {}

    def send(self, args: Sequence[Value]) -> Reply:
        key = key_of(args)
        for _ in range(_MAX_REDIRECTS):
            try:
                return self._link_of(key).send(args)
            except client_errors.MovedError as moved:
                self._follow(moved)
            except client_errors.AskError as ask:
                reply = self._ask(ask, args)
                if isinstance(reply, Exception):
                    raise reply from ask
                return reply
            except _STALE_ERRORS:
                self._is_stale = True
                raise
        raise client_errors.ClusterDownError("the slot keeps moving")

    def send_all(self, commands: Sequence[Sequence[Value]]) -> list[Reply | Exception]:
        """See ``Link``. Commands without a key go where the first key goes; order holds within a slot."""
        replies: list[Reply | Exception] = [None] * len(commands)
        keys = [key_of(args) for args in commands]
        first = next((key for key in keys if key is not None), None)
        waiting = list(range(len(commands)))
        for _ in range(_MAX_REDIRECTS):
            by_link: dict[ServerLink, list[int]] = {}
            for at in waiting:
                key = keys[at]
                by_link.setdefault(self._link_of(first if key is None else key), []).append(at)
            for link, places in by_link.items():
                for at, reply in zip(places, self._send_to(link, [commands[at] for at in places]), strict=True):
                    replies[at] = reply
            waiting = [at for at in waiting if self._is_redirected(replies, at, commands[at])]
            if not waiting:
                return replies
        return replies

    def _send_to(self, link: ServerLink, commands: Sequence[Sequence[Value]]) -> list[Reply | Exception]:
        try:
            return link.send_all(commands)
        except _STALE_ERRORS:
            self._is_stale = True
            raise

    def _is_redirected(self, replies: list[Reply | Exception], at: int, args: Sequence[Value]) -> bool:
        """Say whether a command must be sent again because its slot has moved; after ASK it is sent here and now."""
        reply = replies[at]
        if isinstance(reply, client_errors.MovedError):
            self._follow(reply)
            return True
        if isinstance(reply, client_errors.AskError):
            replies[at] = self._ask(reply, args)
        elif isinstance(reply, _STALE_ERRORS):
            self._is_stale = True
        return False

    def masters(self) -> Sequence[Link]:
        self._is_stale = True
        return [self._link_to(_place_of(node)) for node in _primaries(self._topology())]

    def close(self) -> None:
        for link in self._links.values():
            link.close()
        cluster, self._cluster = self._cluster, None
        self._links = {}
        self._moved = {}
        if cluster is not None:
            cluster.close()

    def _topology(self) -> RedisCluster:
        """Return the map of slots, read again when it may have changed."""
        if self._cluster is None:
            self._cluster = RedisCluster(
                startup_nodes=[_node(host, port) for host, port in self._hosts],
                # Shards whose nodes are up keep working while another node is away.
                require_full_coverage=False,
                **self._options,
            )
        elif self._is_stale:
            try:
                self._cluster.nodes_manager.initialize()
            except (client_errors.RedisError, client_errors.RedisClusterException, OSError):
                # All nodes may have come back under other addresses: next time start from those of the URL.
                self.close()
                raise
            self._moved = {}
        self._is_stale = False
        return self._cluster

    def _link_of(self, key: str | bytes | None) -> ServerLink:
        cluster = self._topology()
        if key is None:
            return self._link_to(_place_of(_primaries(cluster)[0]))
        slot = slot_of_key(key)
        moved = self._moved.get(slot)
        if moved is not None:
            return self._link_to(moved)
        try:
            return self._link_to(_place_of(cluster.nodes_manager.get_node_from_slot(slot)))
        except client_errors.RedisClusterException:
            # No node held the slot when the map was read; one may hold it now.
            self._is_stale = True
            raise

    def _link_to(self, place: _Place) -> ServerLink:
        link = self._links.get(place)
        if link is None:
            host, port = place
            link = ServerLink(redis.Redis(host=host, port=port, **self._options), keeps_link=self._keeps_link)
            self._links[place] = link
        return link

    def _follow(self, moved: client_errors.MovedError) -> None:
        # Record this slot only; reloading all slots could ask a node that does not know of the move yet. We keep the
        # record ourselves because redis-py's interface for it differs between versions.
        self._moved[moved.slot_id] = (cast(str, moved.host), moved.port)

    def _ask(self, ask: client_errors.AskError, args: Sequence[Value]) -> Reply | Exception:
        """Send this one command to the node that the slot is moving to."""
        link = self._link_to((cast(str, ask.host), ask.port))
        return self._send_to(link, [("ASKING",), args])[1]


def _primaries(cluster: RedisCluster) -> list[ClusterNode]:
    nodes: list[ClusterNode] = cluster.get_primaries()  # type: ignore[no-untyped-call]  # redis-py types none
    return nodes


def _place_of(node: ClusterNode) -> _Place:
    return cast("_Place", (node.host, node.port))


def _node(host: str, port: int) -> ClusterNode:
    return ClusterNode(host, port)  # type: ignore[no-untyped-call]  # redis-py types none
