"""Panes as bytes: ``[version, kind, measures, tallies, series, columns, kind, …]`` in MessagePack, five parts a kind.

Equal panes give equal bytes: series and bins are sorted, widths and sums have one form.
Empty rows (a measure that no event of a series had) take one byte, for their count of 0.

``measures`` and ``tallies`` are the numbers of measures and of exact histograms (today that of the status) that the
writer knew of the kind. A pane with fewer measures is read, and the others are absent. A pane with more, or with an
unknown kind, comes from a newer version and is refused as a whole: it would be merged, written back and lose the rest.

Version 1 has three parts a kind, ``kind, series, columns``, and the measures of ``events.kinds.UNSTATED_MEASURES``.
"""

from collections.abc import Sequence
from itertools import accumulate, chain, pairwise
from typing import Final

import numpy as np

from barograph_core.errors import MalformedEventError
from barograph_core.events.kinds import (
    KINDS,
    MAX_FREE_LABELS,
    MAX_LABEL_BYTES,
    UNSTATED_MEASURES,
    Kind,
    Labels,
)
from barograph_core.events.messagepack import pack, unpack_array
from barograph_core.numerics.arrays import IntArray
from barograph_core.numerics.grouping import sum_by_row
from barograph_core.panes.packed_columns import ColumnReader, ColumnWriter
from barograph_core.panes.packed_summaries import read_summaries, write_summaries
from barograph_core.panes.series_table import STATUS_SPAN, SeriesTable
from barograph_core.panes.summary_table import SummaryTable

PANE_VERSION: Final = 2
# Number of parts that each kind takes, by version.
PARTS_PER_KIND: Final = {1: 3, 2: 5}
# Limit of the kinds in a pane. It is above what a newer version may write, so that such a pane is refused by its kinds.
MAX_KINDS: Final = 64
MAX_PANE_BYTES: Final = 32 * 1_048_576
MAX_PANE_SERIES: Final = 100_000
_NONE: Final = b"\0"
_SOME: Final = b"\1"


def pack_tables(tables: Sequence[SeriesTable]) -> bytes:
    """Pack the tables of one pane, which are in the order of ``events.kinds.KINDS``."""
    parts = (
        (table.kind.name, len(table.kind.measures), _tally_count(table.kind), len(table.labels), _pack_table(table))
        for table in tables
    )
    return pack([PANE_VERSION, *chain.from_iterable(parts)])


def unpack_tables(data: bytes) -> list[SeriesTable]:
    """Read a pane that ``pack_tables`` of this or an earlier version wrote, and refuse any other form of it.

    Raises:
        MalformedEventError: ``data`` is no such pane, or a newer version wrote it. The reason says which.
    """
    if len(data) > MAX_PANE_BYTES:
        raise MalformedEventError(f"a pane of {len(data)} bytes is longer than {MAX_PANE_BYTES}")
    version, *parts = unpack_array(data, max_items=1 + max(PARTS_PER_KIND.values()) * MAX_KINDS) or (None,)
    if type(version) is not int or version not in PARTS_PER_KIND:
        raise MalformedEventError(f"pane version {version!r:.60} is not 1 to {PANE_VERSION}")
    width = PARTS_PER_KIND[version]
    if len(parts) % width:
        raise MalformedEventError(f"a pane of {len(parts)} parts is not {width} for each kind")
    names = [name.decode(errors="replace") if isinstance(name, bytes) else "" for name in parts[::width]]
    known = KINDS if version > 1 else UNSTATED_MEASURES
    unknown = [name for name in names if name not in known]
    if unknown:
        raise MalformedEventError(f"pane kinds {unknown!r:.60} are not known: perhaps a newer version wrote the pane")
    if names != [name for name in KINDS if name in names]:
        raise MalformedEventError(f"pane kinds {names!r:.60} are not in order, once each")
    tables = [
        _unpack_table(KINDS[name], read_measure_count(KINDS[name], parts[at + 1 : at + width - 2]), size, content)
        for at, name, size, content in zip(
            range(0, len(parts), width), names, parts[width - 2 :: width], parts[width - 1 :: width], strict=True
        )
    ]
    # MessagePack has several forms of a number or a length, and panes are compared as bytes.
    if pack([version, *parts]) != data:
        raise MalformedEventError("a pane is not in its shortest form")
    return tables


def _tally_count(kind: Kind) -> int:
    return int(kind.has_status)


def read_measure_count(kind: Kind, stated: Sequence[object]) -> int:
    """Return how many measures a pane holds of ``kind``.

    Args:
        kind: As this version knows it.
        stated: Numbers of measures and tallies; empty in version 1, which does not state them.

    Raises:
        MalformedEventError: It is not a number that this version can read.
    """
    if not stated:
        if kind.name not in UNSTATED_MEASURES:
            raise MalformedEventError(f"pane kinds [{kind.name!r}] are not known in version 1")
        return UNSTATED_MEASURES[kind.name]
    measures, tallies = stated
    most = len(kind.measures)
    if type(measures) is not int or measures < 1:
        raise MalformedEventError(f"{measures!r:.60} is not a number of measures")
    if measures > most:
        raise MalformedEventError(
            f"{measures} measures of {kind.name} are more than the {most} that this version knows: "
            "a newer version wrote the pane"
        )
    if type(tallies) is not int or tallies != _tally_count(kind):
        raise MalformedEventError(f"{tallies!r:.60} tallies of {kind.name} are not {_tally_count(kind)}")
    return measures


def _pack_table(table: SeriesTable) -> bytes:
    writer = ColumnWriter()
    _write_labels(writer, table.labels)
    writer.integers(table.events)
    _write_estimated(writer, table.estimated)
    if table.kind.has_status:
        series, codes = np.divmod(table.status, STATUS_SPAN)
        writer.integers(np.bincount(series, minlength=len(table.labels)))
        writer.integers(codes)
        writer.integers(table.status_counts)
    write_summaries(writer, table.summaries)
    return writer.content()


def _unpack_table(kind: Kind, measures: int, size: object, content: object) -> SeriesTable:
    if type(size) is not int or not 1 <= size <= MAX_PANE_SERIES:
        raise MalformedEventError(f"{size!r:.60} is not 1 to {MAX_PANE_SERIES} series")
    if not isinstance(content, bytes):
        raise MalformedEventError(f"columns of {kind.name} are not bytes")
    reader = ColumnReader(content)
    labels = _read_labels(reader, kind, size)
    events = reader.integers(size, "events", least=1)
    estimated = _read_estimated(reader, events)
    status = status_counts = np.empty(0, np.int64)
    if kind.has_status:
        status, status_counts = _read_status(reader, events)
    summaries = read_summaries(reader, np.repeat(events, measures))
    reader.finish()
    if measures < len(kind.measures):
        summaries = _with_absent(summaries, measures, len(kind.measures))
    return SeriesTable(kind, labels, events, estimated, status, status_counts, summaries)


def _with_absent(summaries: SummaryTable, measures: int, width: int) -> SummaryTable:
    """Return ``summaries`` of ``measures`` rows a series with empty rows after them, ``width`` a series in all."""
    series, measure = np.divmod(np.arange(len(summaries.counts)), measures)
    size = len(summaries.counts) // measures * width
    return SummaryTable.fold([summaries], [series * width + measure], size)


def _write_labels(writer: ColumnWriter, labels: Sequence[Labels]) -> None:
    texts = list(chain.from_iterable(labels))
    content = "".join(texts).encode()
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    # In ASCII, which most labels are, each character is one byte.
    if int(lengths.sum()) != len(content):
        lengths = np.array([len(text.encode()) for text in texts], np.int64)
    writer.integers(np.fromiter(map(len, labels), np.int64, len(labels)))
    writer.integers(lengths)
    writer.raw(content)


def _read_labels(reader: ColumnReader, kind: Kind, size: int) -> list[Labels]:
    fixed = len(kind.labels)
    free = 2 * MAX_FREE_LABELS if kind.has_free_labels else 0
    widths = reader.integers(size, "label widths", most=fixed + free)
    # A series without labels is the kind as a whole.
    if not ((widths == 0) | ((widths >= fixed) & ((widths - fixed) % 2 == 0))).all():
        raise MalformedEventError(f"label widths do not fit kind {kind.name}")
    lengths = reader.integers(int(widths.sum()), "label lengths", most=MAX_LABEL_BYTES)
    content = reader.raw(int(lengths.sum()), "labels")
    try:
        texts = [content[start:end].decode() for start, end in pairwise(accumulate(lengths.tolist(), initial=0))]
    except UnicodeDecodeError as error:
        raise MalformedEventError("pane labels are not UTF-8") from error
    labels = [tuple(texts[start:end]) for start, end in pairwise(accumulate(widths.tolist(), initial=0))]
    if any(left >= right for left, right in pairwise(labels)):
        raise MalformedEventError("pane labels are repeated or not sorted")
    return labels


def _write_estimated(writer: ColumnWriter, estimated: IntArray) -> None:
    # Most panes hold no estimate, and need one byte for that.
    is_any = bool(estimated.any())
    writer.raw(_SOME if is_any else _NONE)
    if is_any:
        writer.integers(estimated)


def _read_estimated(reader: ColumnReader, events: IntArray) -> IntArray:
    mark = reader.raw(1, "estimated")
    if mark == _NONE:
        return np.zeros(len(events), np.int64)
    if mark != _SOME:
        raise MalformedEventError(f"estimated has the unknown mark {mark!r}")
    estimated = reader.integers(len(events), "estimated")
    if not estimated.any() or (estimated > events).any():
        raise MalformedEventError("estimated counts are all 0, or exceed the events")
    return estimated


def _read_status(reader: ColumnReader, events: IntArray) -> tuple[IntArray, IntArray]:
    widths = reader.integers(len(events), "status widths", most=STATUS_SPAN)
    total = int(widths.sum())
    series = np.repeat(np.arange(len(events)), widths)
    status = series * STATUS_SPAN + reader.integers(total, "status codes", most=STATUS_SPAN - 1)
    counts = reader.integers(total, "status counts", least=1)
    if (np.diff(status) <= 0).any():
        raise MalformedEventError("status codes are repeated or not sorted")
    if not np.array_equal(sum_by_row(counts, series, len(events)), events):
        raise MalformedEventError("status counts do not add up to the events")
    return status, counts
