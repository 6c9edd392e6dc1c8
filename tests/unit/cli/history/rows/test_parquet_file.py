"""Parquet that cannot be read ends in one sentence, not in a traceback."""

import io
import os
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from barograph_cli.failure import CommandError
from barograph_cli.history.import_input import Rows
from barograph_cli.history.rows.csv_file import read_csv
from barograph_cli.history.rows.event_row import EventRow
from barograph_cli.history.rows.jsonl_file import read_jsonl
from barograph_cli.history.rows.notes import Notes
from barograph_cli.history.rows.parquet_file import ParquetWriter, read_parquet
from barograph_cli.history.rows.request_fields import LogColumns
from barograph_cli.history.rows.row_reading import BadRowError, RowDefaults, row_of
from barograph_core.events.kinds import KINDS

FILES = Path(__file__).with_name("files")
DEFAULTS = RowDefaults("log", "import:1")
ROW = EventRow(1_000, None, "ranker", "import:1", KINDS["request"], ("/a", "GET"), 200, (12.5,))


def read(source: BinaryIO) -> Rows:
    return read_parquet(source, LogColumns({}, []), Notes())


def events(rows: Rows) -> tuple[list[EventRow], int]:
    """Return the events, and the number of bad rows."""
    found, bad = list[EventRow](), 0
    for _, document in rows:
        try:
            if isinstance(document, BadRowError):
                raise document
            found.append(row_of(document, DEFAULTS))
        except BadRowError:
            bad += 1
    return found, bad


def events_of(name: str) -> tuple[list[EventRow], int]:
    with (FILES / name).open("rb") as file:
        return events(read(file))


def written() -> bytes:
    output = io.BytesIO()
    writer = ParquetWriter(output)
    writer.write([ROW] * 50)
    writer.close()
    return output.getvalue()


def test_damage_anywhere_is_told(tmp_path: Path) -> None:
    """Some shows as an error of pyarrow, some as one of the system, some as text that is none."""
    whole, told = written(), set[str]()
    for at in range(4, len(whole) - 4, 7):
        path = tmp_path / "damaged.parquet"
        path.write_bytes(whole[:at] + bytes((whole[at] ^ 0xFF,)) + whole[at + 1 :])
        with path.open("rb") as file:
            try:
                list(read(file))
            except CommandError as error:
                told.add(str(error)[:19])
    assert told == {"cannot read Parquet"}


def test_a_text_that_is_no_unicode_is_told() -> None:
    # It has no types.
    pyarrow: Any = import_module("pyarrow")
    offsets, data = pyarrow.py_buffer(bytes((0, 0, 0, 0, 1, 0, 0, 0))), pyarrow.py_buffer(b"\xff")
    text = pyarrow.Array.from_buffers(pyarrow.string(), 1, [None, offsets, data])
    output = io.BytesIO()
    import_module("pyarrow.parquet").write_table(pyarrow.table({"service": text}), output)
    with pytest.raises(CommandError, match="cannot read Parquet after row 0"):
        list(read(output))


def test_a_pipe_is_refused() -> None:
    """Its end is read first. Written into before it is read, so that nothing waits."""
    receiving, sending = os.pipe()
    os.write(sending, written()[:1_000])
    os.close(sending)
    with os.fdopen(receiving, "rb") as pipe, pytest.raises(CommandError, match="cannot come from a pipe"):
        read(pipe)


@pytest.mark.parametrize("tool", ["pandas", "polars", "duckdb"])
def test_an_export_that_went_through_another_tool_is_the_same(tool: str) -> None:
    """Labels as a table of all names with nulls, whole numbers as floats, NaN, an index column."""
    with (FILES / "export.jsonl").open("rb") as file:
        exported, _ = events(read_jsonl(file, LogColumns({}, []), Notes()))
    found, bad = events_of(f"{tool}-events.parquet")
    # The file of pandas was filtered, which is what gives it an index column.
    kept = [row for row in exported if tool != "pandas" or row.kind.name != "system"]
    assert (found, bad) == (kept, 0)
    assert len(kept) >= 19


@pytest.mark.parametrize("tool", ["pandas", "polars", "duckdb"])
def test_an_access_log_that_went_through_another_tool_is_the_same(tool: str) -> None:
    """Timestamps, nulls in place of a duration, and one row without a status, which is bad in each form."""
    with (FILES / "requests.csv").open("rb") as file:
        logged, bad_rows = events(read_csv(file, LogColumns({}, []), Notes()))
    found, bad = events_of(f"{tool}-requests.parquet")
    kept = [row for row in logged if tool != "pandas" or row.labels[0] != "/none"]
    assert (found, bad, bad_rows) == (kept, 1, 1)
    assert [row.values for row in kept if row.status == 504] == [(None,), (None,)]
    assert len(kept) >= 18


def parquet_of(columns: dict[str, Any], **options: Any) -> tuple[list[EventRow], int]:
    pyarrow: Any = import_module("pyarrow")
    output = io.BytesIO()
    import_module("pyarrow.parquet").write_table(pyarrow.table(columns), output, **options)
    output.seek(0)
    return events(read(output))


@pytest.mark.parametrize(
    "options", [{}, {"use_deprecated_int96_timestamps": True}], ids=["nanoseconds", "Spark's INT96"]
)
def test_times_in_nanoseconds_are_read(options: dict[str, object]) -> None:
    pyarrow: Any = import_module("pyarrow")
    ns = 1_772_366_400_250_123_456
    for times in (pyarrow.array([ns], pyarrow.timestamp("ns")), pyarrow.array([ns], pyarrow.timestamp("ns", "UTC"))):
        (row,), bad = parquet_of({"time": times, "method": ["GET"], "path": ["/a"], "status": [200]}, **options)
        assert (row.time_ms, bad) == (1_772_366_400_250, 0)


def test_labels_may_be_a_map_or_pairs_of_one() -> None:
    pyarrow: Any = import_module("pyarrow")
    pairs = [("route", "/a"), ("method", "GET")]
    tables = [{"key": name, "value": text} for name, text in pairs]
    for labels in (pyarrow.array([pairs], pyarrow.map_(pyarrow.string(), pyarrow.string())), pyarrow.array([tables])):
        columns = {"time_ms": [1_000], "kind": ["request"], "labels": labels, "status": [200], "duration_ms": [1.0]}
        (row,), _ = parquet_of(columns)
        assert row.labels == ("/a", "GET")


def test_decimal_numbers_are_read() -> None:
    values = {"status": [Decimal(200)], "duration_ms": [Decimal("1.50")]}
    (row,), _ = parquet_of({"time_ms": [1_000], "method": ["GET"], "path": ["/a"], **values})
    assert (row.status, row.values) == (200, (1.5,))
