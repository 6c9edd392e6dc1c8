"""Numbers the label sets of a kind, each read and checked once, however many entries name it."""

from collections.abc import Sequence
from itertools import accumulate, compress, pairwise
from typing import Final, cast

import numpy as np

from barograph_core.arrays import IntArray
from barograph_core.decode_labels import read_label_sets
from barograph_core.errors import MalformedEventError
from barograph_core.events import MAX_EVENTS_PER_BATCH, Kind, Labels
from barograph_core.messagepack import shown, split_arrays, unpack_value

# About a hundred MB as Python objects.
_MAX_LABEL_SETS: Final = 1 << 18
_MAX_LABEL_SET_BYTES: Final = 32 * 1_048_576
_MAX_BLOCK_BYTES: Final = 8 * 1_048_576
# Their label sets, each an object for a moment, should be gone from the processor's cache no sooner than they are used.
_BLOCKS_AT_ONCE: Final = 32


class LabelTable:
    """All label sets that entries of one kind named so far, in the order of their coming.

    A label set is a series and, where the kind has one, a status code. Grows only; whoever fills it asks
    ``is_full`` and begins another, so that memory stays bounded whatever strangers send.
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
        """Return for each packed array of label sets their numbers.

        Raises:
            MalformedEventError: One is no array of label sets as ``events.Kind`` says.
        """
        # Where there are many series no two entries name the same ones: these are forgotten, their label sets not.
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
            # Compared as they are packed: to unpack a label set takes longer than all that is done with its event.
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
        """Return for each label set the rank of its series: their order is that of their labels."""
        self._rank()
        return self._arrays[0]

    @property
    def status(self) -> IntArray:
        """Return for each label set its status code, 0 where the kind has none."""
        self._rank()
        return self._arrays[1]

    @property
    def labels(self) -> Sequence[Labels]:
        """Return the labels of the series, ascending: the status is no part of them."""
        self._rank()
        return self._ranked

    def _rank(self) -> None:
        if len(self._arrays[0]) == len(self._series):
            return
        by_coming = list(self._series_of_labels)
        # Mostly sorted, and sorting makes use of that.
        self._ranked = sorted([*self._ranked, *by_coming[len(self._ranked) :]])
        order = np.fromiter(map(self._series_of_labels.__getitem__, self._ranked), np.int64, len(by_coming))
        ranks = np.empty(len(order), np.int64)
        ranks[order] = np.arange(len(order))
        self._arrays = (ranks[np.array(self._series, np.int64)], np.array(self._status, np.int64))
