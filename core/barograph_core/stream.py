"""The connection to the server: commands, function calls, entries, and errors in our own words.

No ``redis.*`` exception and no redis-py reply object leaves this module.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple, cast

import redis

from barograph_core.cluster_link import ClusterLink
from barograph_core.errors import CommandRefusedError, MalformedEventError
from barograph_core.link import Link, Reply, ServerLink, Value, open_server, server_options
from barograph_core.refusals import CLIENT_ERRORS, translate
from barograph_core.server_url import parse_server_url

__all__ = [
    "Connection",
    "Entry",
    "EntryId",
    "Reply",
    "Value",
    "as_bytes",
    "as_entries",
    "as_hash",
    "as_int",
    "as_list",
    "as_text",
]


class EntryId(NamedTuple):
    """An entry id of a stream. Compares as a pair of ints; as text, ``9-0`` would come after ``10-0``."""

    ms: int
    seq: int

    def __str__(self) -> str:
        return f"{self.ms}-{self.seq}"

    @classmethod
    def parse(cls, text: bytes | str) -> "EntryId":
        """Read ``ms-seq``.

        Raises:
            ValueError: ``text`` is not an entry id.
        """
        decoded = text.decode() if isinstance(text, bytes) else text
        ms, _, seq = decoded.partition("-")
        return cls(int(ms), int(seq or 0))


class Entry(NamedTuple):
    """One record of a stream."""

    id: EntryId
    fields: Mapping[bytes, bytes]

    def text(self, field: str) -> str:
        """Return a plain-text field.

        Raises:
            MalformedEventError: The field is absent or not UTF-8.
        """
        raw = self.fields.get(field.encode())
        if raw is None:
            raise MalformedEventError(f"field {field!r} is missing", self.fields)
        try:
            return raw.decode()
        except UnicodeDecodeError as error:
            raise MalformedEventError(f"field {field!r} is not UTF-8", self.fields) from error

    def integer(self, field: str) -> int:
        """Return a whole-number field.

        Raises:
            MalformedEventError: The field is absent or not a whole number.
        """
        text = self.text(field)
        try:
            return int(text)
        except ValueError as error:
            raise MalformedEventError(f"field {field!r} is {text!r}, not a whole number", self.fields) from error


def as_text(reply: Reply) -> str:
    """Return a bulk or status reply as text."""
    if isinstance(reply, bytes):
        return reply.decode()
    raise CommandRefusedError(f"expected text from the server, got {reply!r}")


def as_bytes(reply: Reply) -> bytes:
    """Return a bulk reply as it is."""
    if isinstance(reply, bytes):
        return reply
    raise CommandRefusedError(f"expected bytes from the server, got {reply!r}")


def as_int(reply: Reply) -> int:
    """Return an integer reply, or a bulk reply that holds one."""
    if isinstance(reply, int):
        return reply
    return int(as_text(reply))


def as_list(reply: Reply) -> list[Reply]:
    """Return an array reply."""
    if isinstance(reply, list):
        return reply
    raise CommandRefusedError(f"expected an array from the server, got {reply!r}")


def as_hash(reply: Reply) -> dict[str, bytes]:
    """Return a flat array of fields and values as a dict, fields decoded."""
    flat = as_list(reply)
    return {as_text(flat[i]): as_bytes(flat[i + 1]) for i in range(0, len(flat), 2)}


# What ``_make`` does, without its line of Python for each entry.
_new_id = partial(tuple.__new__, EntryId)
_new_entry = partial(tuple.__new__, Entry)


def as_entries(reply: Reply) -> list[Entry]:
    """Return an XRANGE-like reply as entries. Entries that were trimmed while pending come with no fields."""
    if reply is None:
        return []
    # Every event passes here: in a few passes of C for all entries, not in lines of Python for each.
    rows = [item for item in as_list(reply) if item is not None]
    if not rows:
        return []
    if set(map(type, rows)) != {list}:
        raise CommandRefusedError("expected arrays as entries from the server, got something else")
    # Ids, fields and values of streams are bulk strings on every server; nothing is left of a trimmed entry but its id.
    ids, flats = zip(*cast("list[tuple[bytes, list[bytes] | None]]", rows), strict=True)
    fields = [dict(zip(pairs, pairs, strict=False)) for pairs in [iter(flat or ()) for flat in flats]]
    return list(map(_new_entry, zip(_entry_ids(ids), fields, strict=True)))


def _entry_ids(raws: Sequence[bytes]) -> Iterator[EntryId]:
    parts = list(map(int, b"-".join(raws).split(b"-")))
    return map(_new_id, zip(parts[::2], parts[1::2], strict=True))


def _unless_error(reply: Reply | Exception) -> Reply:
    if isinstance(reply, Exception):
        raise translate(reply) from reply
    return reply


class Connection:
    """A client of one server, of the master behind Sentinels, or of a Cluster; for one thread.

    The client library's own retries are off: redis-py 8 re-sends a command up to ten times after a lost
    reply, which turned one XADD into two entries.
    """

    def __init__(self, client: "redis.Redis | Link", *, keeps_link: bool = False) -> None:
        is_link = isinstance(client, ServerLink | ClusterLink)
        self._link = cast(Link, client) if is_link else ServerLink(cast("redis.Redis", client), keeps_link=keeps_link)

    @classmethod
    def open(
        cls, url: str, *, socket_timeout_s: float = 5.0, client_name: str = "", keeps_link: bool = False
    ) -> "Connection":
        """Make a connection to ``url``; nothing is sent before the first command.

        Args:
            url: As ``parse_server_url`` reads it.
            socket_timeout_s: Bound on connecting and on each reply; must exceed every BLOCK.
            client_name: Shown by ``CLIENT LIST``.
            keeps_link: Whether to hold on to one socket instead of asking the client's pool for it before each
                command, which takes a third of a command's CPU; a socket that the server closed meanwhile then
                costs a command. For who repeats commands anyway.

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
            StreamUnavailableError: Gone, slow, loading, read-only, full; try again later.
            NoGroupError: The consumer group is not there.
            CommandRefusedError: Any other error reply.
        """
        try:
            return self._link.send(args)
        except CLIENT_ERRORS as error:
            raise translate(error) from error

    def call(self, function: str, keys: Sequence[str], args: Sequence[Value] = (), *, read_only: bool = False) -> Reply:
        """Call one function of the library.

        Raises:
            StreamUnavailableError: As ``command``; ``no_library`` when the function is not loaded.
        """
        return self.command("FCALL_RO" if read_only else "FCALL", function, len(keys), *keys, *args)

    def pipeline(self, commands: Sequence[Sequence[Value]]) -> list[Reply]:
        """Send commands in one round trip, without MULTI; the first error reply is raised.

        In a Cluster it is one round trip to each node concerned, and order holds only within a shard. Commands
        without a key go where the first key goes.

        Raises:
            BarographError: As ``command``.
        """
        if not commands:
            return []
        try:
            replies = self._link.send_all(commands)
        except CLIENT_ERRORS as error:
            raise translate(error) from error
        return [_unless_error(reply) for reply in replies]

    def masters(self) -> "list[Connection]":
        """Return a connection to each server that takes writes: for what every node must hold.

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
