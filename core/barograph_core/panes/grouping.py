"""How series become groups by the values of some of their labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from barograph_core.events.kinds import KINDS, Kind, Labels
from barograph_core.events.labels import label_values
from barograph_core.matching.matcher import Matcher
from barograph_core.numerics.arrays import IntArray
from barograph_core.panes.series_table import SeriesTable

Where = Mapping[str, str | Matcher]


@dataclass(frozen=True, slots=True, eq=False)
class Grouping:
    """Which of some series are meant, and the group of each.

    Attributes:
        labels: Of the groups, ascending: values of the labels grouped by.
        kept: Numbers of the series that are meant, ascending; ``None``: all of them.
        rows: For each of those the number of its group.
    """

    labels: Sequence[Labels]
    kept: IntArray | None
    rows: IntArray

    @classmethod
    def of(cls, kind: Kind, series: Sequence[Labels], by: tuple[str, ...], where: Where) -> "Grouping":
        """Group ``series`` of ``kind`` by the labels ``by``; only those count that have the values of ``where``.

        A label that a series lacks counts as empty.
        """
        names = (*by, *where)
        values = [label_values(kind, labels, names) for labels in series]
        width = len(by)
        kept = [index for index, found in enumerate(values) if _are_wanted(found[width:], where)]
        groups = [values[index][:width] for index in kept]
        labels = sorted(dict.fromkeys(groups))
        number = {group: index for index, group in enumerate(labels)}
        rows = np.fromiter(map(number.__getitem__, groups), np.int64, len(groups))
        return cls(labels, None if len(kept) == len(values) else np.array(kept, np.int64), rows)

    def fold(self, table: SeriesTable) -> SeriesTable:
        """Return the groups of ``table``, whose series are those that were grouped."""
        taken = table if self.kept is None else table.take(self.kept)
        return SeriesTable.fold_rows([taken], [self.rows], self.labels)


class Groupings:
    """Groupings of the last series seen: those of a service are mostly the same from pane to pane. For one thread."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], tuple[Sequence[Labels], Grouping]] = {}

    def of(self, kind: Kind, series: Sequence[Labels], by: tuple[str, ...], where: Where) -> Grouping:
        """Return what ``Grouping.of`` returns."""
        key = (kind.name, by, tuple(where.items()))
        held = self._known.get(key)
        if held is not None and (held[0] is series or held[0] == series):
            return held[1]
        found = Grouping.of(kind, series, by, where)
        self._known[key] = series, found
        return found


def check_labels(kind: str, names: tuple[str, ...]) -> None:
    """Check that series of a kind can have the labels ``names``.

    Raises:
        ValueError: There is no such kind, or it has no label of that name.
    """
    unknown = sorted(set(names) - set(KINDS[kind].labels)) if kind in KINDS else [kind]
    if unknown and not (kind in KINDS and KINDS[kind].has_free_labels):
        raise ValueError(f"kind {kind!r} has no label {unknown[0]!r}")


def _are_wanted(values: tuple[str, ...], where: Where) -> bool:
    """Say whether the values of the labels that ``where`` names, in its order, are those that it means."""
    return all(
        value == wanted if isinstance(wanted, str) else wanted.matches(value)
        for value, wanted in zip(values, where.values(), strict=True)
    )
