"""Numbers the label sets of a kind. Each is read and checked once, however many entries contain it."""

from collections.abc import Sequence
from itertools import accumulate, compress, pairwise
from typing import Final, cast

import numpy as np

from barograph_core.decode.labels import read_label_sets
from barograph_core.errors import MalformedEventError
from barograph_core.events.kinds import MAX_EVENTS_PER_BATCH, Kind, Labels
from barograph_core.events.messagepack import shown, split_arrays, unpack_value
from barograph_core.numerics.arrays import IntArray

# Limits of a table: about a hundred MB as Python objects.
_MAX_LABEL_SETS: Final = 1 << 18
_MAX_LABEL_SET_BYTES: Final = 32 * 1_048_576
_MAX_BLOCK_BYTES: Final = 8 * 1_048_576
# Number of blocks to cut at once: few enough that their label sets are still in the processor's cache when looked up.
_BLOCKS_AT_ONCE: Final = 32


class LabelTable:
    """All label sets of one kind that entries have contained so far, in the order in which they first appeared.

    A label set is a series and, where the kind has one, a status code. A table only grows. Its owner replaces it when
    it ``is_full``, so that memory stays bounded whatever clients send.
    """

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._blocks: dict[bytes, IntArray] = {}
        self._block_bytes = self._label_set_bytes = 0
        self._numbers: dict[bytes, int] = {}
        self._series_of_labels: dict[Labels, int] = {}
        self._series: list[int] = []
        self._status: list[int] = []
        self._ranked: list[Labels] = []
        self._arrays = (np.empty(0, np.int64), np.empty(0, np.int64))

    def __len__(self) -> int:
        return len(self._series)

    @property
    def is_full(self) -> bool:
        return len(self) > _MAX_LABEL_SETS or self._label_set_bytes > _MAX_LABEL_SET_BYTES

    def numbers(self, blocks: Sequence[bytes]) -> list[IntArray]:
        """Return for each packed array of label sets the numbers of these.

        Raises:
            MalformedEventError: One of ``blocks`` is no array of label sets of the kind.
        """
        # With many series no two entries contain the same ones: forget the arrays then, and keep their label sets.
        if self._block_bytes > _MAX_BLOCK_BYTES:
            self._blocks.clear()
            self._block_bytes = 0
        known = self._blocks
        new = dict.fromkeys(block for block in blocks if block not in known)
        distinct = list(new)
        for start in range(0, len(distinct), _BLOCKS_AT_ONCE):
            self._add(distinct[start : start + _BLOCKS_AT_ONCE])
        return list(map(known.__getitem__, blocks))

    def _add(self, blocks: Sequence[bytes]) -> None:
        try:
            # Packed label sets are compared: to unpack one takes longer than all other work on its event.
            packed, counts = split_arrays(blocks, max_items=MAX_EVENTS_PER_BATCH)
        except MalformedEventError as error:
            raise MalformedEventError(f"labels are not an array of label sets: {error.reason}") from error
        found = list(map(self._numbers.get, packed))
        if None in found:
            self._append(list(dict.fromkeys(compress(packed, [number is None for number in found]))))
            found = list(map(self._numbers.get, packed))
        numbers = np.array(found, np.int64)
        for block, (start, end) in zip(blocks, pairwise(accumulate(counts, initial=0)), strict=True):
            self._blocks[block] = numbers[start:end]
            self._block_bytes += len(block)

    def _append(self, packed: Sequence[bytes]) -> None:
        items = [unpack_value(label_set, max_items=MAX_EVENTS_PER_BATCH) for label_set in packed]
        if set(map(type, items)) != {tuple}:
            raise MalformedEventError(f"labels {shown(items)} holds something that is no array")
        labels, status = read_label_sets(cast("list[tuple[object, ...]]", items), self._kind)
        series = self._series_of_labels
        for label_set, label in zip(packed, labels, strict=True):
            self._numbers[label_set] = len(self._numbers)
            self._series.append(series.setdefault(label, len(series)))
            self._label_set_bytes += len(label_set)
        self._status += status

    @property
    def series(self) -> IntArray:
        """Return for each label set the rank of its series in the order of their labels."""
        self._rank()
        return self._arrays[0]

    @property
    def status(self) -> IntArray:
        """Return for each label set its status code, 0 where the kind has none."""
        self._rank()
        return self._arrays[1]

    @property
    def labels(self) -> Sequence[Labels]:
        """Return the labels of the series, ascending, without the status."""
        self._rank()
        return self._ranked

    def _rank(self) -> None:
        if len(self._arrays[0]) == len(self._series):
            return
        by_coming = list(self._series_of_labels)
        # The list is mostly sorted already, and sorting is fast then.
        self._ranked = sorted([*self._ranked, *by_coming[len(self._ranked) :]])
        order = np.fromiter(map(self._series_of_labels.__getitem__, self._ranked), np.int64, len(by_coming))
        ranks = np.empty(len(order), np.int64)
        ranks[order] = np.arange(len(order))
        self._arrays = (ranks[np.array(self._series, np.int64)], np.array(self._status, np.int64))
