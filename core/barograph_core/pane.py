"""The pane: everything known of one service over one span, mergeable in any order to the same bytes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import ClassVar

from barograph_core.event_block import EventBlock
from barograph_core.events import KINDS, OTHER_LABEL, Kind, Labels
from barograph_core.pane_codec import pack_tables, unpack_tables
from barograph_core.series_build import series_by_pane
from barograph_core.series_table import SeriesTable
from barograph_core.summary import SeriesSummary


class Pane:
    """The series of all kinds over one span. Immutable; equal content packs to equal bytes."""

    __slots__ = ("_tables",)

    EMPTY: ClassVar["Pane"]

    def __init__(self, tables: Iterable[SeriesTable] = ()) -> None:
        by_kind = {table.kind.name: table for table in tables if len(table.labels)}
        # One order whatever came first, so that equal panes pack to equal bytes.
        self._tables: dict[str, SeriesTable] = {name: by_kind[name] for name in KINDS if name in by_kind}

    @staticmethod
    def empty() -> "Pane":
        return Pane.EMPTY

    @staticmethod
    def of_blocks(blocks: Iterable[EventBlock], step_ms: int) -> dict[tuple[str, int], "Pane"]:
        """Sort the events of ``blocks`` into panes by their service and time.

        Returns:
            Service and start in ms (a multiple of ``step_ms``) -> pane, ascending, for each that has an event.
        """
        tables: dict[tuple[str, int], dict[str, list[SeriesTable]]] = {}
        for block in blocks:
            for service, start_ms, table in series_by_pane(block, step_ms):
                tables.setdefault((service, start_ms), {}).setdefault(block.kind.name, []).append(table)
        return {key: Pane(_merged(parts) for parts in kinds.values()) for key, kinds in sorted(tables.items())}

    @staticmethod
    def merge(panes: Sequence["Pane"]) -> "Pane":
        """Return the pane of all events of all ``panes``, the same in any order."""
        filled = [pane for pane in panes if not pane.is_empty]
        if len(filled) < 2:
            return filled[0] if filled else Pane.EMPTY
        return Pane(
            _merged([pane._tables[name] for pane in filled if name in pane._tables])
            for name in KINDS
            if any(name in pane._tables for pane in filled)
        )

    def pack(self) -> bytes:
        """Return the pane as bytes: schema version first, the same for equal content."""
        return pack_tables(list(self._tables.values()))

    @staticmethod
    def unpack(data: bytes) -> "Pane":
        """Read what ``pack`` wrote.

        Raises:
            MalformedEventError: It is not a packed pane.
        """
        return Pane(unpack_tables(data))

    @property
    def kinds(self) -> tuple[str, ...]:
        """Return the names of the kinds that have an event."""
        return tuple(self._tables)

    @property
    def tables(self) -> Sequence[SeriesTable]:
        """Return the series of each kind that has an event."""
        return tuple(self._tables.values())

    def table(self, kind: str) -> SeriesTable | None:
        """Return the columns of one kind, ``None`` when it has no event."""
        return self._tables.get(kind)

    @property
    def is_empty(self) -> bool:
        return not self._tables

    @property
    def event_count(self) -> int:
        return sum(table.event_count for table in self._tables.values())

    @property
    def requests(self) -> int:
        table = self._tables.get("request")
        return table.event_count if table else 0

    @property
    def errors(self) -> int:
        """Return how many requests failed: status 500 or above."""
        table = self._tables.get("request")
        return table.error_count if table else 0

    @property
    def estimated(self) -> int:
        """Return how many of ``requests`` came in records that stood for more than one."""
        table = self._tables.get("request")
        return table.estimated_count if table else 0

    def labels(self, kind: str) -> Sequence[Labels]:
        """Return the labels of every series of ``kind``, ascending."""
        table = self._tables.get(kind)
        return table.labels if table else ()

    def series(self, kind: str) -> list[SeriesSummary]:
        """Return every series of ``kind``, in the order of their labels."""
        table = self._tables.get(kind)
        return list(table.series_summaries()) if table else []

    def group(self, kind: str, by: tuple[str, ...] = (), where: Mapping[str, str] | None = None) -> list[SeriesSummary]:
        """Return the series of ``kind`` merged by the values of the labels ``by``, in the order of these.

        A kind with free labels may be asked for any label name. A series that lacks a label counts as having
        it empty.

        Args:
            kind: Name of a kind.
            by: Label names; none merges everything into one row.
            where: Label name -> value that a series must have to be counted.

        Raises:
            ValueError: The kind has no label of that name.
        """
        names = (*by, *(where or ()))
        unknown = sorted(set(names) - set(KINDS[kind].labels)) if kind in KINDS else [kind]
        if unknown and not (kind in KINDS and KINDS[kind].has_free_labels):
            raise ValueError(f"kind {kind!r} has no label {unknown[0]!r}")
        table = self._tables.get(kind)
        if table is None:
            return []
        wanted = tuple((where or {}).values())
        values = [label_values(KINDS[kind], labels, names) for labels in table.labels]
        kept = [index for index, found in enumerate(values) if found[len(by) :] == wanted]
        folded = SeriesTable.fold([table.take(kept)], [[values[index][: len(by)] for index in kept]])
        return list(folded.series_summaries())

    def whole(self) -> "Pane":
        """Return the pane with the series of each kind merged to one without labels: of bounded size."""
        return self._relabelled(lambda _kind, _labels: ())

    def with_admitted(self, admit: Callable[[str, Labels], bool]) -> "Pane":
        """Return the pane with all series that ``admit(kind, labels)`` refuses folded into one of its kind.

        All labels of that one are ``OTHER_LABEL``.
        """
        return self._relabelled(
            lambda kind, labels: labels if admit(kind.name, labels) else (OTHER_LABEL,) * len(kind.labels)
        )

    def _relabelled(self, relabel: Callable[[Kind, Labels], Labels]) -> "Pane":
        tables: list[SeriesTable] = []
        for table in self._tables.values():
            names = [relabel(table.kind, labels) for labels in table.labels]
            tables.append(table if names == table.labels else SeriesTable.fold([table], [names]))
        return Pane(tables)


Pane.EMPTY = Pane()


def _merged(parts: Sequence[SeriesTable]) -> SeriesTable:
    return parts[0] if len(parts) == 1 else SeriesTable.fold(parts, [part.labels for part in parts])


def label_values(kind: Kind, labels: Labels, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the values of the labels ``names`` of a series; empty where it lacks one."""
    fixed = len(kind.labels)
    # A free label never hides a fixed one of the same name.
    known = dict(zip(labels[fixed::2], labels[fixed + 1 :: 2], strict=True))
    known.update(zip(kind.labels, labels, strict=False))
    return tuple(known.get(name, "") for name in names)
