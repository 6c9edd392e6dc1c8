"""Reads the plain-text fields of many entries of the events stream at once: one pass in C for each field."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Final, NamedTuple

from barograph_core.errors import MalformedEventError
from barograph_core.events.kinds import KINDS, MAX_EVENTS_PER_BATCH, SCHEMA_VERSION, Kind, is_service_name
from barograph_core.events.messagepack import shown

# Limit of whole numbers: the functions on the server count in float64.
MAX_WHOLE_NUMBER: Final = 2**53 - 1
MAX_INSTANCE_BYTES: Final = 256
_VERSION: Final = str(SCHEMA_VERSION).encode()
_MAX_DIGITS: Final = 16
_fields: Final = itemgetter(
    b"v", b"kind", b"service", b"instance", b"n", b"first_ms", b"last_ms", b"seq", b"through_ms", b"data"
)
# Size of the cache of origins, which all entries of a producer repeat; few shards have more instances.
_REMEMBERED_ORIGINS: Final = 4_096


class BatchOrigin(NamedTuple):
    """The values that all entries of one instance and kind have in common."""

    kind: Kind
    service: str
    instance: str


@dataclass(frozen=True, slots=True)
class Headers:
    """The plain-text fields of entries as columns, each value checked by itself, and the packed data."""

    origins: Sequence[BatchOrigin]
    sizes: Sequence[int]
    first_ms: Sequence[int]
    last_ms: Sequence[int]
    data: Sequence[bytes]

    def at(self, positions: Sequence[int]) -> "Headers":
        """Return the headers at ``positions``."""
        if len(positions) == len(self.origins):
            return self
        if len(positions) == 1:
            (at,) = positions
            return Headers(
                [self.origins[at]], [self.sizes[at]], [self.first_ms[at]], [self.last_ms[at]], [self.data[at]]
            )
        pick = itemgetter(*positions)
        return Headers(pick(self.origins), pick(self.sizes), pick(self.first_ms), pick(self.last_ms), pick(self.data))


def read_headers(entries: Sequence[Mapping[bytes, bytes]]) -> Headers:
    """Return the headers of ``entries``, at least one.

    Raises:
        MalformedEventError: A field of an entry is missing or has an invalid value.
    """
    try:
        rows = list(map(_fields, entries))
    except KeyError as error:
        # An entry of another version may lack a field. Its version is then the better reason.
        _check_versions({entry[b"v"] for entry in entries if b"v" in entry})
        raise MalformedEventError(f"field {error.args[0].decode()} is missing") from error
    versions, kinds, services, instances, sizes, first_ms, last_ms, seqs, through_ms, data = zip(*rows, strict=True)
    _check_versions(set(versions))
    origins = list(map(_origin, kinds, services, instances))
    counts = whole_numbers("n", sizes)
    if not 1 <= min(counts) <= max(counts) <= MAX_EVENTS_PER_BATCH:
        wrong = max(counts) if min(counts) else 0
        raise MalformedEventError(f"n {wrong} is not in 1..{MAX_EVENTS_PER_BATCH}")
    headers = Headers(origins, counts, whole_numbers("first_ms", first_ms), whole_numbers("last_ms", last_ms), data)
    # These are rarely used, so check them without converting them.
    for name, raws in (("seq", seqs), ("through_ms", through_ms)):
        check_whole_numbers(name, raws)
    return headers


def _check_versions(versions: set[bytes]) -> None:
    for version in versions - {_VERSION}:
        raise MalformedEventError(f"v {shown(version)} is not a known schema version, which is {SCHEMA_VERSION}")


def read_origin(fields: Mapping[bytes, bytes]) -> BatchOrigin:
    """Return the origin of an entry that ``read_headers`` has accepted."""
    return _origin(fields[b"kind"], fields[b"service"], fields[b"instance"])


def whole_numbers(name: str, raws: Sequence[bytes]) -> list[int]:
    """Return ``raws`` as integers.

    Raises:
        MalformedEventError: One is not a whole number from 0 to ``MAX_WHOLE_NUMBER``.
    """
    check_whole_numbers(name, raws)
    return list(map(int, raws))


def check_whole_numbers(name: str, raws: Sequence[bytes]) -> None:
    """Raise the MalformedEventError that ``whole_numbers`` would raise for ``raws``."""
    # int() alone would accept signs, spaces and underscores. A number of fewer than 16 digits is never too large.
    lengths = set(map(len, raws))
    if b"".join(raws).isdigit() and min(lengths) and max(lengths) < _MAX_DIGITS:
        return
    for raw in raws:
        if not (raw.isdigit() and len(raw) <= _MAX_DIGITS and int(raw) <= MAX_WHOLE_NUMBER):
            raise MalformedEventError(f"{name} {shown(raw)} is not a whole number in 0..{MAX_WHOLE_NUMBER}")


@lru_cache(_REMEMBERED_ORIGINS)
def _origin(kind_name: bytes, service: bytes, instance: bytes) -> BatchOrigin:
    kind = KINDS.get(_text(kind_name, "kind", 16))
    if kind is None:
        raise MalformedEventError(f"kind {shown(kind_name)} is none of {', '.join(KINDS)}")
    name = _text(service, "service", 64)
    if not is_service_name(name):
        raise MalformedEventError(f"service {name!r} is not 1 to 64 of A-Z a-z 0-9 . _ -")
    host = _text(instance, "instance", MAX_INSTANCE_BYTES)
    if not host.isprintable():
        raise MalformedEventError(f"instance {host!r} is not printable")
    return BatchOrigin(kind, name, host)


def _text(raw: bytes, name: str, most_bytes: int) -> str:
    if not 1 <= len(raw) <= most_bytes:
        raise MalformedEventError(f"{name} {shown(raw)} is not 1 to {most_bytes} bytes")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise MalformedEventError(f"{name} {shown(raw)} is not UTF-8") from error
