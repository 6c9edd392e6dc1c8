"""Events as Parquet: a column for each field and for each measure of any kind, labels as a map."""

import math
from collections.abc import Iterator, Sequence
from decimal import Decimal
from importlib import import_module
from typing import Any, BinaryIO, Final, cast

from barograph_cli.failure import USAGE, CommandError
from barograph_cli.history.rows.event_row import MEASURES, EventRow
from barograph_cli.history.rows.notes import Notes
from barograph_cli.history.rows.request_documents import RequestDocuments
from barograph_cli.history.rows.request_fields import LogColumns
from barograph_cli.history.rows.row_reading import BadRowError, Document
from barograph_core.text.one_line import one_line

# Number of rows held in memory at once; a row group compresses well from some ten thousand on.
_GROUP_ROWS: Final = 20_000


class ParquetWriter:
    """Writes rows to a stream, which the caller closes, a row group at a time."""

    def __init__(self, output: BinaryIO) -> None:
        self._arrow: Any = _imported("pyarrow")
        self._schema: Any = _schema(self._arrow)
        self._writer: Any = _imported("pyarrow.parquet").ParquetWriter(output, self._schema, compression="zstd")
        self._rows: list[EventRow] = []

    def write(self, rows: Sequence[EventRow]) -> None:
        self._rows += rows
        if len(self._rows) >= _GROUP_ROWS:
            self._write_group()

    def close(self) -> None:
        if self._rows:
            self._write_group()
        self._writer.close()

    def _write_group(self) -> None:
        rows, self._rows = self._rows, []
        columns: dict[str, list[object]] = {
            "time_ms": [row.time_ms for row in rows],
            "entry_id": [None if row.entry_id is None else str(row.entry_id) for row in rows],
            "service": [row.service for row in rows],
            "instance": [row.instance for row in rows],
            "kind": [row.kind.name for row in rows],
            "labels": [row.label_pairs for row in rows],
            "status": [row.status for row in rows],
            "weight": [row.weight for row in rows],
            "is_other": [row.is_other for row in rows],
            "is_folded": [row.is_folded for row in rows],
        }
        places = [{name: at for at, name in enumerate(row.kind.measure_names)} for row in rows]
        for name in MEASURES:
            columns[name] = [row.values[at[name]] if name in at else None for row, at in zip(rows, places, strict=True)]
        self._writer.write_table(self._arrow.Table.from_pydict(columns, schema=self._schema))


def read_parquet(source: BinaryIO, columns: LogColumns, notes: Notes) -> Iterator[tuple[int, Document | BadRowError]]:
    """Return the rows, each with its number from 1 on; a batch of them in memory at a time.

    They may have been through another tool: rows without a kind are requests of an access log, and values have the
    types that pandas, Polars, DuckDB and Spark give them.

    Raises:
        CommandError: The file is no Parquet, here or at a later row, or a pipe, or pyarrow is not installed.
    """
    arrow, parquet = _imported("pyarrow"), _imported("pyarrow.parquet")
    if not source.seekable():
        raise CommandError("Parquet cannot come from a pipe, its end is read first: name a file", USAGE)
    # Damage shows as any of these: in a page, in the description of the columns, in a text, in a date.
    unreadable = (arrow.ArrowException, OSError, ValueError, OverflowError)
    try:
        file = parquet.ParquetFile(source)
    except unreadable as error:
        raise CommandError(f"cannot read Parquet: {one_line(str(error).strip())}") from error
    return _rows(file, unreadable, RequestDocuments(columns, notes))


def _rows(
    file: Any, unreadable: tuple[type[Exception], ...], requests: RequestDocuments
) -> Iterator[tuple[int, Document | BadRowError]]:
    number = 0
    try:
        for batch in file.iter_batches(batch_size=_GROUP_ROWS):
            for row in _in_microseconds(batch).to_pylist():
                number += 1
                # All rows of a file have the same fields; what one lacks is null, or NaN if pandas wrote it.
                yield number, requests.row_of({name: _plain(value) for name, value in row.items()})
    except unreadable as error:
        raise CommandError(f"cannot read Parquet after row {number}: {one_line(str(error).strip())}") from error


def _in_microseconds(batch: Any) -> Any:
    """Return the batch without times in nanoseconds, which Python's own have no room for."""
    arrow = _imported("pyarrow")
    columns = [
        column.cast(arrow.timestamp("us", column.type.tz), safe=False)
        if arrow.types.is_timestamp(column.type) and column.type.unit == "ns"
        else column
        for column in batch.columns
    ]
    return arrow.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _plain(value: object) -> object:
    """Return a value as a row of a JSON file would have it; a table's fields without a value are left out."""
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {name: item for name, item in cast("dict[str, object]", value).items() if item is not None}
    if isinstance(value, list):
        # A map, of which Polars makes a list of tables {key, value}.
        return [_pair(item) for item in cast("list[object]", value)]
    return value


def _pair(item: object) -> object:
    if not isinstance(item, dict):
        return item
    fields = cast("dict[str, object]", item)
    return (fields["key"], fields["value"]) if fields.keys() == {"key", "value"} else fields


def _schema(arrow: Any) -> Any:
    # Names, services and kinds repeat: as dictionaries they take little in memory too.
    repeated = arrow.dictionary(arrow.int32(), arrow.string())
    fields = [
        arrow.field("time_ms", arrow.int64(), nullable=False),
        arrow.field("entry_id", arrow.string()),
        arrow.field("service", repeated, nullable=False),
        arrow.field("instance", repeated, nullable=False),
        arrow.field("kind", repeated, nullable=False),
        arrow.field("labels", arrow.map_(arrow.string(), arrow.string()), nullable=False),
        arrow.field("status", arrow.int16()),
        arrow.field("weight", arrow.int32(), nullable=False),
        arrow.field("is_other", arrow.bool_(), nullable=False),
        arrow.field("is_folded", arrow.bool_(), nullable=False),
    ]
    return arrow.schema([*fields, *(arrow.field(name, arrow.float64()) for name in MEASURES)])


def _imported(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise CommandError("Parquet needs pyarrow: pip install 'barograph[export]', or use JSONL", USAGE) from error
