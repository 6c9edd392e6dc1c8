"""Events as JSON Lines: one object a row, what is absent left out."""

import json
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Final, cast

from barograph_cli.history.event_row import EventRow
from barograph_cli.history.row_reading import BadRowError, Document

# A row of ours has some hundred bytes, and at most some ten thousand, with all labels.
MAX_LINE_BYTES: Final = 1_048_576

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


class JsonlWriter:
    """Writes rows to a stream that stays the caller's."""

    def __init__(self, output: BinaryIO) -> None:
        self._output = output

    def write(self, rows: Iterable[EventRow]) -> None:
        self._output.write("".join(f"{_encode(_document(row))}\n" for row in rows).encode())

    def close(self) -> None:
        self._output.flush()


def read_jsonl(source: BinaryIO) -> Iterator[tuple[int, Document | BadRowError]]:
    """Yield each line that is not blank as an object, or what is wrong with it, with its number from 1 on."""
    number = 0
    while line := source.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(line) > MAX_LINE_BYTES:
            while line and not line.endswith(b"\n"):
                line = source.readline(MAX_LINE_BYTES)
            yield number, BadRowError(f"the line is longer than {MAX_LINE_BYTES} bytes")
        elif line.strip():
            yield number, _parsed(line)


def _parsed(line: bytes) -> Document | BadRowError:
    try:
        value: object = json.loads(line)
    # RecursionError: brackets within brackets, a thousand deep.
    except (ValueError, RecursionError) as error:
        return BadRowError(f"the line is not JSON: {str(error)[:80]}")
    if not isinstance(value, dict):
        return BadRowError("the line is no JSON object")
    return cast("Document", value)


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
        # A free label may bear the name of a fixed one, which an object cannot hold.
        "labels": labels if len(labels) == len(pairs) else pairs,
    }
    if row.status is not None:
        document["status"] = row.status
    for measure, value in zip(row.kind.measures, row.values, strict=True):
        if value is not None:
            document[measure.name] = value
    document["weight"] = row.weight
    document["is_other"] = row.is_other
    return document
