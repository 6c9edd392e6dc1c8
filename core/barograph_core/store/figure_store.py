"""Reads figures: only the fields of the wanted series of each block of roll-ups."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

import numpy as np

from barograph_core.events.kinds import Kind, Labels
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.link import Reply, Value
from barograph_core.server.replies import as_bytes, as_int, as_list
from barograph_core.steps import Step
from barograph_core.store.blocks import MISSING_FIELD, WHOLE, is_series_name, parse_series_name, series_name
from barograph_core.store.figure_records import MISSING_FORMAT, read_records, record_format
from barograph_core.store.figures import Figures

_MOST_BLOCKS: Final = 4_096

Names = Mapping[str, frozenset[Labels]]


class SeriesNames:
    """Remembers which series have figures in a block until a field is added to it. For any number of threads.

    Asking a day of blocks for the names of a thousand series takes longer than reading the figures of one series.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._blocks: dict[str, tuple[int, Names]] = {}
        # Blocks of one service mostly hold the same series, so that they can share one object.
        self._alike: dict[frozenset[bytes], Names] = {}

    @property
    def held(self) -> int:
        """Return how many sets of names are held."""
        return len(self._alike)

    def of_blocks(self, connection: Connection, blocks: Sequence[str]) -> list[Names]:
        """Return the names by kind of each of ``blocks``."""
        sizes = [as_int(reply) for reply in connection.pipeline([["HLEN", block] for block in blocks])]
        with self._lock:
            held = [self._blocks.get(block, (0, None)) for block in blocks]
        found = [names if size == known else None for size, (known, names) in zip(sizes, held, strict=True)]
        changed = [at for at, names in enumerate(found) if names is None and sizes[at]]
        replies = connection.pipeline([["HKEYS", blocks[at]] for at in changed]) if changed else []
        for at, reply in zip(changed, replies, strict=True):
            fields = as_list(reply)
            found[at] = self._keep(blocks[at], len(fields), fields)
        return [names or {} for names in found]

    def _keep(self, block: str, size: int, fields: Sequence[Reply]) -> Names:
        series = frozenset(name for name in map(as_bytes, fields) if is_series_name(name))
        with self._lock:
            names = self._alike.get(series)
        if names is None:
            names = _by_kind(series)
        with self._lock:
            if len(self._blocks) >= _MOST_BLOCKS:
                self._blocks.clear()
                self._alike.clear()
            self._blocks[block] = size, names
            self._alike[series] = names
            if len(self._alike) > 2 * len(self._blocks):
                # A block gains series: what it held before is in no block any more.
                used = {id(held) for _, held in self._blocks.values()}
                self._alike = {series: held for series, held in self._alike.items() if id(held) in used}
        return names


def _by_kind(fields: frozenset[bytes]) -> Names:
    names: dict[str, set[Labels]] = {}
    for field in fields:
        parsed = parse_series_name(field)
        if parsed is not None:
            names.setdefault(parsed[0], set()).add(parsed[1])
    return {kind: frozenset(labels) for kind, labels in names.items()}


@dataclass(frozen=True, slots=True)
class FigureRange:
    """Panes of one service and step that begin in ``[from_ms, to_ms)``; both are multiples of the step."""

    service: str
    step: Step
    from_ms: int
    to_ms: int

    def blocks(self) -> range:
        """Return the starts of the blocks that hold them."""
        return range(self.from_ms - self.from_ms % self.step.span_ms, self.to_ms, self.step.span_ms)


class FigureStore:
    """Reads figures of one shard. For one thread only, like its connection."""

    def __init__(self, connection: Connection, keys: ShardKeys, names: SeriesNames) -> None:
        self._connection = connection
        self._keys = keys
        self._names = names

    def series(self, where: FigureRange, kind: str) -> list[Labels]:
        """Return the labels, ascending, of every series of ``kind`` with figures in a block of the range."""
        found = self._names.of_blocks(self._connection, [self._block(where, block_ms) for block_ms in where.blocks()])
        distinct = {id(names): names for names in found}
        return sorted(frozenset(chain.from_iterable(names.get(kind, ()) for names in distinct.values())) - {WHOLE})

    def read(self, where: FigureRange, kind: Kind, measure: int, series: Sequence[Labels]) -> tuple[Figures, int]:
        """Return the figures of ``series``, and the greatest number of instances missing from a pane of the range.

        Rows are in order of time only within each block.

        Raises:
            MalformedEventError: The figures are foreign data, or a newer version wrote them.
        """
        fields = [MISSING_FIELD, *(series_name(kind.name, labels) for labels in series)]
        commands: list[list[Value]] = [["HMGET", self._block(where, block_ms), *fields] for block_ms in where.blocks()]
        size = record_format(kind).itemsize
        contents: list[bytes] = []
        places: list[tuple[int, int, int]] = []
        most_missing = 0
        for block_ms, reply in zip(where.blocks(), self._connection.pipeline(commands), strict=True):
            missing, *values = as_list(reply)
            if missing is not None:
                most_missing = max(most_missing, _most_missing(as_bytes(missing), where, block_ms))
            for index, value in enumerate(values):
                if value is not None:
                    content = read_records(kind, as_bytes(value))
                    contents.append(content)
                    places.append((index, block_ms, len(content) // size))
        indexes, block_starts, counts = np.array(places, np.int64).reshape(-1, 3).T
        figures = Figures.of_records(
            kind,
            measure,
            b"".join(contents),
            np.repeat(indexes, counts),
            np.repeat(block_starts, counts),
            where.step.step_ms,
        )
        return figures.between(where.from_ms, where.to_ms), most_missing

    def _block(self, where: FigureRange, block_ms: int) -> str:
        return self._keys.panes(where.service, where.step.step_ms, block_ms)


def _most_missing(content: bytes, where: FigureRange, block_ms: int) -> int:
    notes = np.frombuffer(content, MISSING_FORMAT)
    starts_ms = block_ms + notes["place"].astype(np.int64) * where.step.step_ms
    inside = (starts_ms >= where.from_ms) & (starts_ms < where.to_ms)
    return int(notes["missing"].max(where=inside, initial=0))
