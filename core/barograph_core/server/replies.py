"""Converts the server's replies to Python values: entry ids, entries, hashes, lists and numbers."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple, cast

from barograph_core.errors import CommandRefusedError, MalformedEventError
from barograph_core.server.link import Reply


class EntryId(NamedTuple):
    """An entry id of a stream. Ids compare as pairs of ints: as text, ``9-0`` would come after ``10-0``."""

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
        decoded = text.decode(errors="replace") if isinstance(text, bytes) else text
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
    """Return a bulk or status reply as text. Bytes that are no UTF-8, which any client may write, are replaced."""
    if isinstance(reply, bytes):
        return reply.decode(errors="replace")
    raise CommandRefusedError(f"expected text from the server, got {reply!r}")


def as_bytes(reply: Reply) -> bytes:
    """Return a bulk reply unchanged."""
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


def as_facts(reply: Reply) -> dict[str, Reply]:
    """Return a flat array of names and replies of any type, as XINFO gives it, as a dict."""
    flat = as_list(reply)
    return {as_text(flat[i]): flat[i + 1] for i in range(0, len(flat), 2)}


def as_now_ms(reply: Reply) -> int:
    """Return a reply to TIME in ms since the epoch."""
    seconds, micros = map(as_int, as_list(reply))
    return seconds * 1_000 + micros // 1_000


def as_entry_id(reply: Reply) -> EntryId:
    """Return a bulk reply that holds an entry id."""
    return EntryId.parse(as_text(reply))


# These do what ``_make`` does, without its line of Python for each entry.
_new_id = partial(tuple.__new__, EntryId)


_new_entry = partial(tuple.__new__, Entry)


def as_entries(reply: Reply) -> list[Entry]:
    """Return an XRANGE-like reply as entries. Entries that were trimmed while pending come with no fields."""
    if reply is None:
        return []
    # Every event passes here, so work in a few passes of C for all entries, without a line of Python for each.
    rows = [item for item in as_list(reply) if item is not None]
    if not rows:
        return []
    if set(map(type, rows)) != {list}:
        raise CommandRefusedError("expected arrays as entries from the server, got something else")
    # Ids, fields and values of streams are bulk strings on every server; a trimmed entry has only its id left.
    ids, flats = zip(*cast("list[tuple[bytes, list[bytes] | None]]", rows), strict=True)
    fields = [dict(zip(pairs, pairs, strict=False)) for pairs in [iter(flat or ()) for flat in flats]]
    return list(map(_new_entry, zip(_entry_ids(ids), fields, strict=True)))


def _entry_ids(raws: Sequence[bytes]) -> Iterator[EntryId]:
    parts = list(map(int, b"-".join(raws).split(b"-")))
    return map(_new_id, zip(parts[::2], parts[1::2], strict=True))
