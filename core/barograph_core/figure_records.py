"""Figures as they lie in the store: a record of fixed size for each series and pane, a field for each series."""

import json
from collections.abc import Sequence
from typing import Final, cast

import numpy as np
import numpy.typing as npt

from barograph_core.arrays import IntArray
from barograph_core.errors import MalformedEventError
from barograph_core.events import ERROR_STATUS, Kind, Labels
from barograph_core.series_table import STATUS_SPAN, SeriesTable
from barograph_core.summary_table import SummaryTable, split_row_bins

STORED_QUANTILES: Final = (0.5, 0.95, 0.99)
# Labels of a kind as a whole, which no series has.
WHOLE: Final[Labels] = ()
# Beside the series, and in the same form: how many instances were missing from each pane.
MISSING_FIELD: Final = "missing"
MISSING_LAYOUT: Final = np.dtype([("place", "<u2"), ("missing", "<u2")])
_MEASURE: Final = np.dtype(
    [("count", "<u8"), ("total", "<f8"), ("minimum", "<f8"), ("maximum", "<f8"), ("bins", "<i4", (3,))]
)


def record_layout(kind: Kind) -> "np.dtype[np.void]":
    """Return how a record lies in memory: little-endian, without gaps, led by the pane's place in its block."""
    head: list[tuple[str, str]] = [("place", "<u2"), ("estimated", "?"), ("events", "<u8")]
    if kind.has_status:
        head.append(("errors", "<u8"))
    return np.dtype([*head, ("measures", _MEASURE, (len(kind.measures),))])


def figure_fields(tables: Sequence[SeriesTable], place: int) -> list[str | bytes]:
    """Return a field's name and a record for each kind as a whole and each series of a pane, in turn.

    Args:
        tables: The pane's.
        place: How many panes of the same block may come before it.
    """
    fields: list[str | bytes] = []
    for table in tables:
        size = len(table.labels)
        whole = table if size == 1 else SeriesTable.fold([table], [[WHOLE] * size])
        fields += (series_name(table.kind.name, WHOLE), _records(whole, place).tobytes())
        content, width = _records(table, place).tobytes(), record_layout(table.kind).itemsize
        for index, labels in enumerate(table.labels):
            fields += (series_name(table.kind.name, labels), content[index * width : (index + 1) * width])
    return fields


def _records(table: SeriesTable, place: int) -> "npt.NDArray[np.void]":
    records = np.zeros(len(table.labels), record_layout(table.kind))
    records["place"], records["events"], records["estimated"] = place, table.events, table.estimated > 0
    if table.kind.has_status:
        records["errors"] = error_counts(table)
    records["measures"] = _measures(table.summaries).reshape(len(table.labels), -1)
    return records


def series_name(kind: str, labels: Labels) -> str:
    """Return how a series is called in its blocks and on the list of its service: ``["request","/predict","POST"]``."""
    return json.dumps([kind, *labels], ensure_ascii=False, separators=(",", ":"))


def parse_series_name(name: bytes) -> tuple[str, Labels] | None:
    """Undo ``series_name``; ``None`` for the name of anything else in a block."""
    if not name.startswith(b"["):
        return None
    try:
        parts = cast("list[object]", json.loads(name))
    except ValueError as error:
        raise MalformedEventError(f"{name!r:.60} is not the name of a series") from error
    texts = [part for part in parts if isinstance(part, str)]
    if not texts or len(texts) < len(parts):
        raise MalformedEventError(f"{name!r:.60} is not the name of a series")
    return texts[0], tuple(texts[1:])


def error_counts(table: SeriesTable) -> IntArray:
    """Return for each series how many of its events had a status of 500 or above."""
    series, codes = np.divmod(table.status, STATUS_SPAN)
    is_error = codes >= ERROR_STATUS
    errors = np.zeros(len(table.labels), np.int64)
    np.add.at(errors, series[is_error], table.status_counts[is_error])
    return errors


def quantile_bins(table: SummaryTable, quantiles: Sequence[float]) -> IntArray:
    """Return for each quantile (first axis) and row the bin of its rank, as ``Sketch.quantile``; 0 in empty rows."""
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
