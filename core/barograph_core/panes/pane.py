"""The pane: all that is known of one service over one span of time. Merging in any order gives the same bytes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import ClassVar

from barograph_core.decode.block import EventBlock
from barograph_core.events.kinds import KINDS, OTHER_LABEL, Kind, Labels
from barograph_core.events.labels import without_free_values
from barograph_core.matching.matcher import Matcher
from barograph_core.panes.build import series_by_pane
from barograph_core.panes.codec import pack_tables, unpack_tables
from barograph_core.panes.grouping import Grouping, check_labels
from barograph_core.panes.series_table import SeriesTable
from barograph_core.panes.summary import SeriesSummary


class Pane:
    """The series of all kinds over one span. Immutable; equal content packs to equal bytes."""

    __slots__ = ("_tables",)

    EMPTY: ClassVar["Pane"]

    def __init__(self, tables: Iterable[SeriesTable] = ()) -> None:
        by_kind = {table.kind.name: table for table in tables if len(table.labels)}
        # The kinds are in one order, so that equal panes pack to equal bytes.
        self._tables: dict[str, SeriesTable] = {name: by_kind[name] for name in KINDS if name in by_kind}

    @staticmethod
    def of_blocks(blocks: Iterable[EventBlock], step_ms: int) -> dict[tuple[str, int], "Pane"]:
        """Sort the events of ``blocks`` into panes by their service and time.

        Returns:
            Service and start in ms (a multiple of ``step_ms``) -> pane, ascending, for each pane that has an event.
        """
        tables: dict[tuple[str, int], dict[str, list[SeriesTable]]] = {}
        for block in blocks:
            for service, start_ms, table in series_by_pane(block, step_ms):
                tables.setdefault((service, start_ms), {}).setdefault(block.kind.name, []).append(table)
        return {key: Pane(_merged(parts) for parts in kinds.values()) for key, kinds in sorted(tables.items())}

    @staticmethod
    def merge(panes: Sequence["Pane"]) -> "Pane":
        """Return the pane of all events of all ``panes``. Their order does not matter."""
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
        """Read a pane that ``pack`` of this or an earlier version wrote.

        Raises:
            MalformedEventError: ``data`` is no packed pane, or a newer version wrote it.
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
        """Return the number of requests with a status of 500 or above."""
        table = self._tables.get("request")
        return table.error_count if table else 0

    @property
    def estimated(self) -> int:
        """Return how many of ``requests`` came in records that stood for more than one request."""
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

    def group(
        self, kind: str, by: tuple[str, ...] = (), where: Mapping[str, str | Matcher] | None = None
    ) -> list[SeriesSummary]:
        """Return the series of ``kind`` merged by the values of the labels ``by``, in the order of these.

        For a kind with free labels any label name is valid. A label that a series lacks counts as empty.

        Args:
            kind: Name of a kind.
            by: Label names; without any, all series are merged into one row.
            where: Label name -> value, or matcher of values. Only series with these values count.

        Raises:
            ValueError: The kind has no label of that name.
        """
        check_labels(kind, (*by, *(where or ())))
        table = self._tables.get(kind)
        if table is None:
            return []
        grouping = Grouping.of(table.kind, table.labels, by, where or {})
        return list(grouping.fold(table).series_summaries())

    def free_labels(self, kind: str) -> tuple[str, ...]:
        """Return the names of the free labels that series of ``kind`` have, sorted."""
        table = self._tables.get(kind)
        if table is None:
            return ()
        fixed = len(table.kind.labels)
        return tuple(sorted({name for labels in table.labels for name in labels[fixed::2]}))

    def whole(self) -> "Pane":
        """Return the pane with the series of each kind merged into one without labels. Its size is bounded."""
        return self._relabelled(lambda _kind, _labels: ())

    def with_admitted(self, admit: Callable[[str, Labels], bool]) -> "Pane":
        """Return the pane with the series that ``admit(kind, labels)`` refuses merged into fewer.

        Their free labels have the value ``OTHER_LABEL``, so that what is measured of a fixed label stays whole. Where
        those series are refused too, all labels are ``OTHER_LABEL``.
        """

        def place(kind: Kind, labels: Labels) -> Labels:
            if admit(kind.name, labels):
                return labels
            folded = without_free_values(kind, labels)
            return folded if admit(kind.name, folded) else (OTHER_LABEL,) * len(kind.labels)

        return self._relabelled(place)

    def _relabelled(self, relabel: Callable[[Kind, Labels], Labels]) -> "Pane":
        tables: list[SeriesTable] = []
        for table in self._tables.values():
            names = [relabel(table.kind, labels) for labels in table.labels]
            tables.append(table if names == table.labels else SeriesTable.fold([table], [names]))
        return Pane(tables)


Pane.EMPTY = Pane()


def _merged(parts: Sequence[SeriesTable]) -> SeriesTable:
    return parts[0] if len(parts) == 1 else SeriesTable.merge(parts)
