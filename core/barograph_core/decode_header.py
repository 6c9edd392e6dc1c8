"""Reads the plain-text fields of an entry of the events stream."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Final, NamedTuple

from barograph_core.errors import MalformedEventError
from barograph_core.events import KINDS, MAX_EVENTS_PER_BATCH, SCHEMA_VERSION, Kind
from barograph_core.keys import is_service_name
from barograph_core.messagepack import shown

# The functions on the server count in float64.
MAX_WHOLE_NUMBER: Final = 2**53 - 1
MAX_INSTANCE_BYTES: Final = 256
_VERSION: Final = str(SCHEMA_VERSION).encode()
_MAX_DIGITS: Final = 16
_NUMBERS: Final = (b"n", b"first_ms", b"last_ms", b"seq", b"through_ms")
_raw_numbers: Final = itemgetter(*_NUMBERS)
# A producer's entries repeat them; few shards have more instances.
_REMEMBERED_SOURCES: Final = 4_096


class Source(NamedTuple):
    """What the entries of one instance and kind have in common."""

    kind: Kind
    service: str
    instance: str


class Header(NamedTuple):
    """The plain-text fields of an entry, each checked by itself."""

    source: Source
    n: int
    first_ms: int
    last_ms: int
    seq: int
    through_ms: int
    data: bytes


def read_header(fields: Mapping[bytes, bytes]) -> Header:
    """Return the header and the still packed data.

    Raises:
        MalformedEventError: A field is missing or no value of its kind.
    """
    try:
        if fields[b"v"] != _VERSION:
            raise MalformedEventError(
                f"v {shown(fields[b'v'])} is not a known schema version, which is {SCHEMA_VERSION}"
            )
        source = _source(fields[b"kind"], fields[b"service"], fields[b"instance"])
        n, first_ms, last_ms, seq, through_ms = _whole_numbers(_raw_numbers(fields))
        header = Header(source, n, first_ms, last_ms, seq, through_ms, fields[b"data"])
    except KeyError as error:
        raise MalformedEventError(f"field {error.args[0].decode()} is missing") from error
    if not 1 <= n <= MAX_EVENTS_PER_BATCH:
        raise MalformedEventError(f"n {n} is not in 1..{MAX_EVENTS_PER_BATCH}")
    return header


@lru_cache(_REMEMBERED_SOURCES)
def _source(kind_name: bytes, service: bytes, instance: bytes) -> Source:
    kind = KINDS.get(_text(kind_name, "kind", 16))
    if kind is None:
        raise MalformedEventError(f"kind {shown(kind_name)} is none of {', '.join(KINDS)}")
    name = _text(service, "service", 64)
    if not is_service_name(name):
        raise MalformedEventError(f"service {name!r} is not 1 to 64 of A-Z a-z 0-9 . _ -")
    host = _text(instance, "instance", MAX_INSTANCE_BYTES)
    if not host.isprintable():
        raise MalformedEventError(f"instance {host!r} is not printable")
    return Source(kind, name, host)


def _text(raw: bytes, name: str, most_bytes: int) -> str:
    if not 1 <= len(raw) <= most_bytes:
        raise MalformedEventError(f"{name} {shown(raw)} is not 1 to {most_bytes} bytes")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise MalformedEventError(f"{name} {shown(raw)} is not UTF-8") from error


def _whole_numbers(raws: Sequence[bytes]) -> list[int]:
    # All at once, since every entry has them; int() alone would take signs, spaces and underscores.
    if b"".join(raws).isdigit() and all(raws) and max(map(len, raws)) <= _MAX_DIGITS:
        numbers = list(map(int, raws))
        if max(numbers) <= MAX_WHOLE_NUMBER:
            return numbers
    return list(map(_whole_number, _NUMBERS, raws))


def _whole_number(name: bytes, raw: bytes) -> int:
    if not (raw.isdigit() and len(raw) <= _MAX_DIGITS and int(raw) <= MAX_WHOLE_NUMBER):
        raise MalformedEventError(f"{name.decode()} {shown(raw)} is not a whole number in 0..{MAX_WHOLE_NUMBER}")
    return int(raw)
