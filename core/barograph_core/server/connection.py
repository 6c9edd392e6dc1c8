"""The connection to the server: commands and function calls in, raw replies and our own errors out.

No ``redis.*`` exception and no reply object of redis-py leaves this module.
"""

from collections.abc import Sequence
from typing import cast

import redis

from barograph_core.errors import BarographError, StreamUnavailableError
from barograph_core.server.cluster import ClusterLink
from barograph_core.server.link import Link, Reply, Value
from barograph_core.server.refusals import CLIENT_ERRORS, translate
from barograph_core.server.replies import as_now_ms
from barograph_core.server.server_link import ServerLink, open_server, server_options
from barograph_core.server.url import parse_server_url


def _unless_error(reply: Reply | Exception) -> Reply:
    if isinstance(reply, Exception):
        raise translate(reply) from reply
    return reply


class Connection:
    """A client of one server, of the master behind Sentinels, or of a Cluster; for one thread.

    The client library's own retries are off: redis-py 8 re-sends a command up to ten times after a lost
    reply, which turned one XADD into two entries.

    Attributes:
        breaks: How often the server was lost. What a caller remembers of its replies may be what a failover has lost.
    """

    breaks = 0

    def __init__(self, client: "redis.Redis | Link", *, keeps_link: bool = False) -> None:
        is_link = isinstance(client, ServerLink | ClusterLink)
        self._link = cast(Link, client) if is_link else ServerLink(cast("redis.Redis", client), keeps_link=keeps_link)

    @classmethod
    def open(
        cls, url: str, *, socket_timeout_s: float = 5.0, client_name: str = "", keeps_link: bool = False
    ) -> "Connection":
        """Make a connection to ``url``; nothing is sent before the first command.

        Args:
            url: One of the forms of ``parse_server_url``.
            socket_timeout_s: Bound on connecting and on each reply; must exceed every BLOCK.
            client_name: Shown by ``CLIENT LIST``.
            keeps_link: Whether to keep one socket instead of taking it from the client's pool for each command, which
                costs a third of a command's CPU. If the server closed the socket meanwhile, the next command fails:
                choose this only where commands are repeated anyway.

        Raises:
            ValueError: ``url`` has another scheme or cannot be read.
        """
        parsed, options = parse_server_url(url), server_options(socket_timeout_s, client_name)
        if parsed.topology == "cluster":
            return cls(ClusterLink(parsed, options, keeps_link=keeps_link))
        return cls(open_server(parsed, options, keeps_link=keeps_link))

    def command(self, *args: Value) -> Reply:
        """Send one command and return its raw reply.

        Raises:
            StreamUnavailableError: The server is gone, slow, loading, read-only or full; try again later.
            NoGroupError: The consumer group does not exist.
            CommandRefusedError: The server replied with any other error.
        """
        try:
            return self._link.send(args)
        except CLIENT_ERRORS as error:
            raise self._noted(translate(error)) from error

    def _noted(self, error: BarographError) -> BarographError:
        self.breaks += isinstance(error, StreamUnavailableError)
        return error

    def call(self, function: str, keys: Sequence[str], args: Sequence[Value] = (), *, read_only: bool = False) -> Reply:
        """Call one function of the library.

        Raises:
            StreamUnavailableError: See ``command``; its reason is ``no_library`` when the function is not loaded.
        """
        return self.command("FCALL_RO" if read_only else "FCALL", function, len(keys), *keys, *args)

    def pipeline(self, commands: Sequence[Sequence[Value]]) -> list[Reply]:
        """Send commands in one round trip, without MULTI; the first error reply is raised.

        In a Cluster it is one round trip to each node concerned, and order holds only within a shard. Commands
        without a key go where the first key goes.

        Raises:
            BarographError: One of the errors of ``command``.
        """
        if not commands:
            return []
        try:
            replies = self._link.send_all(commands)
        except CLIENT_ERRORS as error:
            raise self._noted(translate(error)) from error
        return [_unless_error(reply) for reply in replies]

    def masters(self) -> "list[Connection]":
        """Return a connection to each server that takes writes, such as all masters of a Cluster.

        They share this connection's sockets and thread.

        Raises:
            StreamUnavailableError: No node of the Cluster can be asked.
        """
        try:
            return [Connection(link) for link in self._link.masters()]
        except CLIENT_ERRORS as error:
            raise translate(error) from error

    def close(self) -> None:
        """Close the sockets. The connection opens again if it is used again."""
        self._link.close()


def read_now(connection: Connection) -> int:
    """Return the server's clock in ms since the epoch."""
    return as_now_ms(connection.command("TIME"))
