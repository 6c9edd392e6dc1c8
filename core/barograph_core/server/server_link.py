"""The link to one server, or to the master that Sentinels name, through redis-py."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias, cast

import redis
from redis import exceptions as client_errors
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from barograph_core.server.link import Link, Reply, Value
from barograph_core.server.url import ServerUrl

# Keyword arguments of redis-py's clients.
Options: TypeAlias = Mapping[str, Any]

# Short, because a Sentinel that does not answer delays the question to the next one.
_SENTINEL_TIMEOUT_S: Final = 1.0
# Errors after which the socket cannot be used again.
_BROKEN: Final = (client_errors.ConnectionError, client_errors.TimeoutError, OSError)


class ServerLink:
    """One server, through a client of redis-py."""

    def __init__(self, client: "redis.Redis", *, keeps_link: bool = False, sentinel: Sentinel | None = None) -> None:
        # Raw replies have the same shape in every version of the client, and are parsed only once, by us.
        client.response_callbacks.clear()
        self._client = client
        self._keeps_link = keeps_link
        self._sentinel = sentinel

    def send(self, args: Sequence[Value]) -> Reply:
        if self._keeps_link and self._client.connection is None:
            self._client.connection = self._client.connection_pool.get_connection()
        try:
            return cast(Reply, self._client.execute_command(*args))  # type: ignore[no-untyped-call]  # redis-py types none
        except _BROKEN:
            if self._keeps_link:
                self._let_go()
            raise

    def _let_go(self) -> None:
        """Return a broken socket to the pool: only the pool asks the Sentinels for the present master."""
        kept, self._client.connection = self._client.connection, None
        if kept is not None:
            self._client.connection_pool.release(kept)

    def send_all(self, commands: Sequence[Sequence[Value]]) -> list[Reply | Exception]:
        pipe = self._client.pipeline(transaction=False)
        pipe.response_callbacks.clear()
        for args in commands:
            pipe.execute_command(*args)  # type: ignore[no-untyped-call]  # redis-py types none
        # If redis-py raised the errors, their texts would begin with the command.
        replies: list[Reply | Exception] = pipe.execute(raise_on_error=False)
        return replies

    def masters(self) -> Sequence[Link]:
        return [self]

    def close(self) -> None:
        try:
            self._client.close()
            if self._sentinel is not None:
                self._sentinel.close()
        except (client_errors.RedisError, OSError):
            return


def server_options(socket_timeout_s: float, client_name: str) -> Options:
    """Return the options of every client of redis-py: raw replies of RESP2, no retries of its own."""
    return {
        "protocol": 2,
        "decode_responses": False,
        "retry": Retry(NoBackoff(), 0),
        "socket_timeout": socket_timeout_s,
        "socket_connect_timeout": socket_timeout_s,
        "client_name": client_name or None,
    }


def open_server(url: ServerUrl, options: Options, *, keeps_link: bool) -> ServerLink:
    """Make a link to one server, or to the master that Sentinels name; nothing is sent before the first command.

    A link whose socket broke asks the Sentinels again before its next command. A demoted master refuses writes, which
    counts as a broken socket.
    """
    if url.topology == "server":
        return ServerLink(redis.Redis.from_url(url.url, **options), keeps_link=keeps_link)
    timeout_s = min(options["socket_timeout"], _SENTINEL_TIMEOUT_S)
    asking = {**options, "socket_timeout": timeout_s, "socket_connect_timeout": timeout_s, **url.sentinel_options}
    sentinel = Sentinel(list(url.hosts), sentinel_kwargs=asking)  # type: ignore[no-untyped-call]  # redis-py types none
    client = sentinel.master_for(url.master, **{**options, **url.options})  # type: ignore[no-untyped-call]  # redis-py types none
    return ServerLink(client, keeps_link=keeps_link, sentinel=sentinel)
