"""Rows of a file as events: which are taken, which are counted as bad."""

from collections.abc import Sequence

import pytest

from barograph_cli.failure import CommandError
from barograph_cli.history.import_run import RowReader
from barograph_cli.history.rows.row_reading import BadRowError, Document, RowDefaults

LATEST_MS = 1_772_366_400_000


def reader(*, is_strict: bool = False) -> RowReader:
    return RowReader(RowDefaults("ranker", "import:1"), LATEST_MS, is_strict)


def custom(**fields: object) -> Document:
    return {"kind": "custom", "labels": {"name": "n"}, "value": 1, **fields}


def read(rows: RowReader, documents: Sequence[Document | BadRowError]) -> list[int]:
    return [row.time_ms for row in rows.read(enumerate(documents, 2))]


def test_a_row_from_the_future_is_bad_and_those_after_it_count() -> None:
    """One clock that was wrong would else close every pane up to its time."""
    rows = reader()
    taken = read(rows, [custom(time_ms=LATEST_MS), custom(time="2099-01-01T00:00:00Z"), custom(time_ms=5)])
    assert (taken, rows.count.good, rows.count.bad) == ([LATEST_MS, 5], 2, 1)
    (bad,) = rows.count.first_bad
    assert (bad.line, bad.reason) == (3, "time is of 2099-01-01T00:00:00Z, which is still to come")


def test_a_row_that_names_its_entry_arrives_with_it() -> None:
    """On its own log an event from a clock that was ahead did not count either, and did no harm."""
    rows = reader()
    taken = read(
        rows,
        [
            custom(time_ms=LATEST_MS + 9, entry_id=f"{LATEST_MS}-0"),
            custom(time_ms=LATEST_MS, entry_id=f"{LATEST_MS + 1}-0"),
        ],
    )
    assert taken == [LATEST_MS + 9]
    assert "entry_id is of 2026-03-01T12:00:00.001Z" in rows.count.first_bad[0].reason


def test_a_strict_reader_stops_at_the_first_bad_row() -> None:
    with pytest.raises(CommandError, match="line 3: the line is not JSON; 1 rows before it were good"):
        read(reader(is_strict=True), [custom(time_ms=5), BadRowError("the line is not JSON"), custom(time_ms=6)])
