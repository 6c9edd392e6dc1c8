"""The connection to the server: commands, function calls, entries, and errors in our own words.

No ``redis.*`` exception and no redis-py reply object leaves this module.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias, cast

import redis
from redis import exceptions as client_errors
from redis.backoff import NoBackoff
from redis.retry import Retry

from barograph_core.errors import (
    BarographError,
    CommandRefusedError,
    MalformedEventError,
    NoGroupError,
    StreamUnavailableError,
)

Value: TypeAlias = bytes | str | int | float
# RESP2 without client-side callbacks: this is all that can come back.
Reply: TypeAlias = bytes | int | list["Reply"] | None


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


@dataclass(frozen=True, slots=True)
class Entry:
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


def as_entries(reply: Reply) -> list[Entry]:
    """Return an XRANGE-like reply as entries. Entries that were trimmed while pending come with no fields."""
    if reply is None:
        return []
    entries: list[Entry] = []
    for item in as_list(reply):
        if item is None:
            continue
        entry_id, flat = as_list(item)
        pairs = [] if flat is None else as_list(flat)
        if not _BYTES_ONLY.issuperset(map(type, pairs)):
            raise CommandRefusedError(f"expected fields and values from the server, got {pairs!r}")
        # Every event passes here: one pass in C instead of two calls for each field.
        flat_bytes = cast("list[bytes]", pairs)
        fields = dict(zip(flat_bytes[::2], flat_bytes[1::2], strict=True))
        entries.append(Entry(EntryId.parse(as_bytes(entry_id)), fields))
    return entries


_BYTES_ONLY = frozenset((bytes,))

_REFUSALS = (
    # how the server's text begins, our reason
    ("OOM ", "out_of_memory"),
    ("READONLY ", "read_only"),
    ("Function not found", "no_library"),
    ("LOADING ", "loading"),
    ("NOAUTH ", "authentication"),
    ("WRONGPASS ", "authentication"),
    ("NOPERM ", "refused"),
    ("MISCONF ", "refused"),
    ("MASTERDOWN ", "refused"),
    ("CLUSTERDOWN ", "refused"),
    ("TRYAGAIN ", "refused"),
    ("NOREPLICAS ", "refused"),
    # Somebody's script runs for seconds.
    ("BUSY ", "refused"),
    # A blocked read when the master became a replica, or when the stream was deleted.
    ("UNBLOCKED ", "refused"),
    # NOPERM inside a function, in the words of Redis and of Valkey.
    ("The user executing the script can't run", "refused"),
    ("ACL failure in script", "refused"),
)
# redis-py takes the code off the text of these.
_REFUSING_ERRORS = (
    client_errors.NoPermissionError,
    client_errors.ClusterDownError,
    client_errors.MasterDownError,
    client_errors.TryAgainError,
)


def _translate(error: Exception) -> BarographError:
    text = str(error)
    if isinstance(error, client_errors.AuthenticationError | client_errors.AuthorizationError):
        return StreamUnavailableError("authentication", text)
    if isinstance(error, client_errors.BusyLoadingError):
        return StreamUnavailableError("loading", text)
    if isinstance(error, client_errors.OutOfMemoryError):
        return StreamUnavailableError("out_of_memory", text)
    if isinstance(error, client_errors.ReadOnlyError):
        return StreamUnavailableError("read_only", text)
    if isinstance(error, client_errors.TimeoutError):
        return StreamUnavailableError("timeout", text)
    if isinstance(error, client_errors.ConnectionError | OSError):
        return StreamUnavailableError("unreachable", text)
    if isinstance(error, _REFUSING_ERRORS):
        return StreamUnavailableError("refused", text)
    # Only the beginning: further on there may be a key, with whatever name a service gave itself.
    if text.startswith("NOGROUP"):
        return NoGroupError(text)
    for beginning, reason in _REFUSALS:
        if text.startswith(beginning):
            return StreamUnavailableError(reason, text)
    return CommandRefusedError(text)


def _unless_error(reply: Reply | Exception) -> Reply:
    if isinstance(reply, Exception):
        raise _translate(reply) from reply
    return reply


class Connection:
    """A client of one server, for one thread.

    The client library's own retries are off: redis-py 8 re-sends a command up to ten times after a lost
    reply, which turned one XADD into two entries.
    """

    def __init__(self, client: "redis.Redis", *, keeps_link: bool = False) -> None:
        # Raw replies: one shape on every client version, and no parsing that is paid twice.
        client.response_callbacks.clear()
        self._client = client
        self._keeps_link = keeps_link

    @classmethod
    def open(
        cls, url: str, *, socket_timeout_s: float = 5.0, client_name: str = "", keeps_link: bool = False
    ) -> "Connection":
        """Make a connection to ``url``; nothing is sent before the first command.

        Args:
            url: ``redis://``, ``rediss://`` or ``unix://``, with password and database as redis-py reads them.
            socket_timeout_s: Bound on connecting and on each reply; must exceed every BLOCK.
            client_name: Shown by ``CLIENT LIST``.
            keeps_link: Whether to hold on to one socket instead of asking the client's pool for it before each
                command, which takes a third of a command's CPU; a socket that the server closed meanwhile then
                costs a command. For who repeats commands anyway.

        Raises:
            ValueError: ``url`` has another scheme or cannot be read.
        """
        client = redis.Redis.from_url(
            url,
            protocol=2,
            decode_responses=False,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=socket_timeout_s,
            socket_connect_timeout=socket_timeout_s,
            client_name=client_name or None,
        )
        return cls(client, keeps_link=keeps_link)

    def command(self, *args: Value) -> Reply:
        """Send one command and return its raw reply.

        Raises:
            StreamUnavailableError: Gone, slow, loading, read-only, full; try again later.
            NoGroupError: The consumer group is not there.
            CommandRefusedError: Any other error reply.
        """
        try:
            if self._keeps_link and self._client.connection is None:
                self._client.connection = self._client.connection_pool.get_connection()
            reply = cast(Reply, self._client.execute_command(*args))  # type: ignore[no-untyped-call]  # redis-py types none
        except (client_errors.RedisError, OSError) as error:
            raise _translate(error) from error
        return reply

    def call(self, function: str, keys: Sequence[str], args: Sequence[Value] = (), *, read_only: bool = False) -> Reply:
        """Call one function of the library.

        Raises:
            StreamUnavailableError: As ``command``; ``no_library`` when the function is not loaded.
        """
        return self.command("FCALL_RO" if read_only else "FCALL", function, len(keys), *keys, *args)

    def pipeline(self, commands: Sequence[Sequence[Value]]) -> list[Reply]:
        """Send commands in one round trip, without MULTI; the first error reply is raised.

        Raises:
            BarographError: As ``command``.
        """
        if not commands:
            return []
        pipe = self._client.pipeline(transaction=False)
        pipe.response_callbacks.clear()
        for args in commands:
            pipe.execute_command(*args)  # type: ignore[no-untyped-call]  # redis-py types none
        try:
            # Raised by redis-py itself, an error's text would begin with the command.
            replies: list[Reply | Exception] = pipe.execute(raise_on_error=False)
        except (client_errors.RedisError, OSError) as error:
            raise _translate(error) from error
        return [_unless_error(reply) for reply in replies]

    def close(self) -> None:
        """Close the sockets. The connection opens again if it is used again."""
        try:
            self._client.close()
        except (client_errors.RedisError, OSError):
            return
