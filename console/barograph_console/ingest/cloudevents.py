"""Reads CloudEvents 1.0: the envelope in JSON, or in the headers of a request. Pure."""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Final, cast
from urllib.parse import unquote

from barograph_console.ingest.row_error import RowError, shown
from barograph_console.ingest.rows import Defaults, parse_time, read_row
from barograph_console.store.ingest.event_log import Event
from barograph_core.events.kinds import KINDS, is_service_name
from barograph_core.text.foreign_json import load_foreign_json

SPEC_HEADER: Final = "ce-specversion"
_PREFIX: Final = "ce-"
_REQUIRED: Final = ("specversion", "id", "source", "type")
_TYPES: Final = {f"barograph.{name}.v1": name for name in KINDS}
_MAX_ATTRIBUTE: Final = 1_024
_DIGEST_BYTES: Final = 8


def is_cloud_event(document: object) -> bool:
    """Say whether a JSON document is the envelope of a CloudEvent."""
    return isinstance(document, Mapping) and "specversion" in document


def envelope_in(headers: Mapping[str, str]) -> dict[str, object]:
    """Return the attributes that stand in the headers of a request: the binary mode.

    Names are in lower case. Values may be percent-encoded, as the HTTP binding wants it.
    """
    return {
        name.removeprefix(_PREFIX): unquote(value, errors="replace")
        for name, value in headers.items()
        if name.startswith(_PREFIX)
    }


def read_cloud_event(envelope: Mapping[str, object], *, now_ms: int, service: str = "") -> Event:
    """Return the event that a CloudEvent carries in ``data`` or ``data_base64``.

    Args:
        envelope: Its attributes and its data.
        now_ms: The time of arrival.
        service: Of events that name none, in place of their source.

    Raises:
        RowError: It carries none; the error names the part that is wrong.
    """
    for name in _REQUIRED:
        value = envelope.get(name)
        if not isinstance(value, str) or not 1 <= len(value) <= _MAX_ATTRIBUTE:
            raise RowError(name, f"is {shown(value) if name in envelope else 'missing'}; a CloudEvent has it, as text")
    texts = cast("Mapping[str, str]", envelope)
    if texts["specversion"] != "1.0":
        raise RowError("specversion", f"is {shown(texts['specversion'])}; here it is 1.0")
    kind = _TYPES.get(texts["type"])
    if kind is None:
        raise RowError("type", f"is {shown(texts['type'])}; it is one of {', '.join(_TYPES)}")
    time = envelope.get("time")
    source = texts["source"].strip("/")
    defaults = Defaults(
        now_ms=now_ms,
        service=service or (source if is_service_name(source) else ""),
        kind=kind,
        at_ms=None if time is None else parse_time(time, "time"),
        digest=digest_of(texts["source"], texts["id"]),
    )
    try:
        return read_row(_data(envelope), defaults)
    except RowError as error:
        where = f"data.{error.where}" if error.where else "data"
        raise RowError(where, str(error)) from error


def digest_of(*parts: str) -> bytes:
    """Return the digest of an identity, which is the same each time that the event is sent."""
    # The lengths keep ("a", "bc") and ("ab", "c") apart.
    text = "\n".join([*(str(len(part)) for part in parts), *parts])
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=_DIGEST_BYTES).digest()


def _data(envelope: Mapping[str, object]) -> object:
    packed = envelope.get("data_base64")
    if packed is None:
        if "data" not in envelope:
            raise RowError("", "is missing")
        return envelope["data"]
    if not isinstance(packed, str):
        raise RowError("", f"data_base64 is {shown(packed)}, not text")
    try:
        return cast("object", load_foreign_json(base64.b64decode(packed, validate=True)))
    except (binascii.Error, ValueError) as error:
        raise RowError("", "data_base64 holds no JSON document") from error
