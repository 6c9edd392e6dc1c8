"""Events as JSON Lines: one object a row, without absent fields; and access logs in the same form."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Final, cast

from barograph_cli.history.rows.event_row import EventRow
from barograph_cli.history.rows.notes import Notes
from barograph_cli.history.rows.request_documents import RequestDocuments
from barograph_cli.history.rows.request_fields import LogColumns
from barograph_cli.history.rows.row_reading import BadRowError, Document
from barograph_cli.history.rows.text_lines import read_lines

_ESCAPES: Final = re.compile(rb"(?<!\\)(?:\\x[0-9A-Fa-f]{2})+")

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


class JsonlWriter:
    """Writes rows to a stream, which the caller closes."""

    def __init__(self, output: BinaryIO) -> None:
        self._output = output

    def write(self, rows: Iterable[EventRow]) -> None:
        self._output.write("".join(f"{_encode(_document(row))}\n" for row in rows).encode())

    def close(self) -> None:
        self._output.flush()


def read_jsonl(source: BinaryIO, columns: LogColumns, notes: Notes) -> Iterator[tuple[int, Document | BadRowError]]:
    """Yield the number from 1 on of each line that is not blank, and its row or the reason why it has none.

    An object without a kind of event is a request of an access log, as nginx and Apache write it where they are told to
    write JSON.
    """
    requests = RequestDocuments(columns, notes)
    for number, line in read_lines(source):
        if isinstance(line, BadRowError):
            yield number, line
        elif line.strip():
            document = _parsed(line)
            yield number, document if isinstance(document, BadRowError) else requests.row_of(document)


def _parsed(line: bytes) -> Document | BadRowError:
    try:
        value = _loaded(line)
    # RecursionError: brackets within brackets, a thousand deep.
    except (ValueError, RecursionError) as error:
        return BadRowError(f"the line is not JSON: {str(error)[:80]}")
    if not isinstance(value, dict):
        return BadRowError("the line is no JSON object")
    return cast("Document", value)


def _loaded(line: bytes) -> object:
    try:
        return json.loads(line)
    except ValueError:
        if b"\\x" not in line:
            raise
    # nginx without escape=json, and Apache, write \x.. for what is not printable, which JSON does not have.
    return json.loads(_ESCAPES.sub(_as_json, line))


def _as_json(found: re.Match[bytes]) -> bytes:
    text = bytes.fromhex(found[0].decode().replace("\\x", "")).decode(errors="replace")
    return json.dumps(text)[1:-1].encode()


def _document(row: EventRow) -> dict[str, object]:
    document: dict[str, object] = {"time_ms": row.time_ms}
    if row.entry_id is not None:
        document["entry_id"] = str(row.entry_id)
    pairs = row.label_pairs
    labels = dict(pairs)
    document |= {
        "service": row.service,
        "instance": row.instance,
        "kind": row.kind.name,
        # A free label may have the name of a fixed one: an object cannot hold both.
        "labels": labels if len(labels) == len(pairs) else pairs,
    }
    if row.status is not None:
        document["status"] = row.status
    for measure, value in zip(row.kind.measures, row.values, strict=True):
        if value is not None:
            document[measure.name] = value
    document["weight"] = row.weight
    document["is_other"] = row.is_other
    if row.is_folded:
        document["is_folded"] = True
    return document
