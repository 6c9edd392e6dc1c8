"""Figures as the server stores them: a field for each series of a block, in it a record for each pane.

All records of a field have one size, which ``baro_close_1`` writes before them, so that a kind can gain measures.
Records with fewer measures are read, and the others are absent. Records with more come from a newer version and are
refused. Workers of two versions may write to one field: ``baro_close_1`` fills up the shorter records with zeros.

Fields of the first version do not state the size: their records have ``events.kinds.UNSTATED_MEASURES``.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from barograph_core.errors import MalformedEventError
from barograph_core.events.kinds import ERROR_STATUS, FAILED, UNSTATED_MEASURES, Kind
from barograph_core.numerics.arrays import IntArray
from barograph_core.panes.series_table import STATUS_SPAN, SeriesTable
from barograph_core.panes.summary_table import SummaryTable, split_row_bins
from barograph_core.store.blocks import WHOLE, series_name

STORED_QUANTILES: Final = (0.5, 0.95, 0.99)
# Format of the field ``blocks.MISSING_FIELD``. It states no size, because it never grows.
MISSING_FORMAT: Final = np.dtype([("place", "<u2"), ("missing", "<u2")])
# Two bytes of size and one that marks them. The third byte of a record says whether it is an estimate, and is 0 or 1.
_SIZE_BYTES: Final = 3
_SIZE_MARK: Final = 255
_MEASURE: Final = np.dtype(
    [("count", "<u8"), ("total", "<f8"), ("minimum", "<f8"), ("maximum", "<f8"), ("bins", "<i4", (3,))]
)


def record_format(kind: Kind, measures: int | None = None) -> "np.dtype[np.void]":
    """Return how a record lies in memory: little-endian, without gaps, led by the pane's place in its block.

    Args:
        kind: As this version knows it.
        measures: How many measures the record has, when these are not all of the kind.
    """
    head: list[tuple[str, str]] = [("place", "<u2"), ("estimated", "?"), ("events", "<u8")]
    if kind.has_status:
        head.append(("errors", "<u8"))
    return np.dtype([*head, ("measures", _MEASURE, (len(kind.measures) if measures is None else measures,))])


def read_records(kind: Kind, content: bytes) -> bytes:
    """Return the records of a field of figures, each in the format of this version.

    Raises:
        MalformedEventError: It is no such field, or a newer version wrote it.
    """
    size, records = _stated_size(kind, content)
    known = record_format(kind).itemsize
    if size == known:
        return records
    if size > known:
        raise MalformedEventError(
            f"figures of {size} bytes are longer than the {known} of {kind.name} that this version knows: "
            "a newer version wrote them"
        )
    if (known - size) % _MEASURE.itemsize or size < record_format(kind, 1).itemsize or len(records) % size:
        raise MalformedEventError(f"{len(records)} bytes are not figures of {size} bytes each")
    # Measures are only appended, and one without values is all zeros.
    widened = np.zeros((len(records) // size, known), np.uint8)
    widened[:, :size] = np.frombuffer(records, np.uint8).reshape(-1, size)
    return widened.tobytes()


def _stated_size(kind: Kind, content: bytes) -> tuple[int, bytes]:
    """Return the size of the records of a field, and the records."""
    if content[2:_SIZE_BYTES] == bytes([_SIZE_MARK]):
        return int.from_bytes(content[:2], "little"), content[_SIZE_BYTES:]
    measures = UNSTATED_MEASURES.get(kind.name)
    if measures is None:
        raise MalformedEventError(f"figures of {kind.name} do not begin with their size")
    return record_format(kind, measures).itemsize, content


def figure_fields(tables: Sequence[SeriesTable], place: int) -> list[str | bytes]:
    """Return the name of a field and a record, in turn, for each kind as a whole and each series of a pane.

    Args:
        tables: The tables of the pane.
        place: Place of the pane in its block; the first is 0.
    """
    fields: list[str | bytes] = []
    for table in tables:
        size = len(table.labels)
        whole = table if size == 1 else SeriesTable.fold([table], [[WHOLE] * size])
        fields += (series_name(table.kind.name, WHOLE), _records(whole, place).tobytes())
        content, width = _records(table, place).tobytes(), record_format(table.kind).itemsize
        for index, labels in enumerate(table.labels):
            fields += (series_name(table.kind.name, labels), content[index * width : (index + 1) * width])
    return fields


def field_of(records: Sequence[bytes]) -> bytes:
    """Return the field that ``baro_close_1`` makes of the records of one series, given in the order of their panes.

    For tests and measurements: on the server only that function writes figures.
    """
    return len(records[0]).to_bytes(2, "little") + bytes([_SIZE_MARK]) + b"".join(records)


def _records(table: SeriesTable, place: int) -> "npt.NDArray[np.void]":
    records = np.zeros(len(table.labels), record_format(table.kind))
    records["place"], records["events"], records["estimated"] = place, table.events, table.estimated > 0
    if table.kind.has_status:
        records["errors"] = error_counts(table)
    records["measures"] = _measures(table.summaries).reshape(len(table.labels), -1)
    return records


def error_counts(table: SeriesTable) -> IntArray:
    """Return for each series the number of events that failed."""
    names = table.kind.measure_names
    if FAILED in names:
        rows = np.arange(len(table.labels)) * len(names) + names.index(FAILED)
        return np.array([round(float(total)) for total in table.summaries.take(rows).totals.sums()], np.int64)
    series, codes = np.divmod(table.status, STATUS_SPAN)
    is_error = codes >= ERROR_STATUS
    errors = np.zeros(len(table.labels), np.int64)
    np.add.at(errors, series[is_error], table.status_counts[is_error])
    return errors


def outcome_counts(table: SeriesTable) -> IntArray:
    """Return for each series the number of events that say whether they failed."""
    names = table.kind.measure_names
    if FAILED not in names:
        return table.events
    rows = np.arange(len(table.labels)) * len(names) + names.index(FAILED)
    return table.summaries.counts[rows]


def quantile_bins(table: SummaryTable, quantiles: Sequence[float]) -> IntArray:
    """Return for each quantile (first axis) and row the bin that ``Sketch.quantile`` finds; 0 in empty rows."""
    _, bins = split_row_bins(table.bins)
    cumulated = np.cumsum(table.bin_counts)
    ends = np.cumsum(table.counts)
    found = np.zeros((len(quantiles), len(table.counts)), np.int64)
    filled = np.flatnonzero(table.counts)
    for index, quantile in enumerate(quantiles):
        ranks = (quantile * (table.counts[filled] - 1)).astype(np.int64)
        before = ends[filled] - table.counts[filled] + ranks
        found[index, filled] = bins[np.searchsorted(cumulated, before, side="right")]
    return found


def _measures(table: SummaryTable) -> "npt.NDArray[np.void]":
    measures = np.zeros(len(table.counts), _MEASURE)
    measures["count"], measures["minimum"], measures["maximum"] = table.counts, table.minimum, table.maximum
    measures["total"] = np.fromiter(map(float, table.totals.sums()), np.float64, len(table.counts))
    measures["bins"] = quantile_bins(table, STORED_QUANTILES).T
    return measures
