"""What a condition is judged on: a window, and the numbers of one series in it."""

from collections.abc import Mapping
from typing import Final, NamedTuple, Protocol, TypeAlias

from barograph_alerter.conditions.bounds import Bounds, Rest
from barograph_alerter.conditions.functions import Quantity
from barograph_core.panes.summary import SeriesSummary

_NO_EVENTS: Final = SeriesSummary((), 0, 0, {}, {})
# Name and value of each label in which another series differs from the one that is judged, sorted.
Sibling: TypeAlias = tuple[tuple[str, str], ...]


class Look(NamedTuple):
    """A window that a condition asks for. A tuple, because windows are looked up by it for every rule.

    Attributes:
        span_ms: Its length.
        offset_ms: How long before the moment that is judged it ends.
    """

    span_ms: int
    offset_ms: int = 0

    @property
    def reach_ms(self) -> int:
        """Return how far before the moment that is judged it begins."""
        return self.span_ms + self.offset_ms


class Row(Protocol):
    """Where a condition gets its numbers from."""

    def number(self, quantity: Quantity) -> float | None:
        """Return the value, or ``None`` where there is no data for it."""
        ...

    def bounds(self, quantity: Quantity, rest: Rest) -> Bounds | None:
        """Return what the value can become by events that may still come, ``None`` where it may be missing then."""
        ...

    def at(self, look: Look) -> "Row":
        """Return the row of the same series in another window, one of those that the condition said it looks at."""
        ...

    def sibling(self, labels: Sibling) -> "Row":
        """Return the row of another series, one of those that the condition said it asks for."""
        ...


class SeriesRow:
    """The numbers of one series over one window; ``None`` where there is no data for a number."""

    __slots__ = ("_known", "series", "window_ms")

    def __init__(self, series: SeriesSummary, window_ms: int) -> None:
        self.series = series
        self.window_ms = window_ms
        self._known: dict[str, float | None] = {}

    @classmethod
    def empty(cls, window_ms: int) -> "SeriesRow":
        """Return the row of a series without events: its count is 0, its average does not exist."""
        return cls(_NO_EVENTS, window_ms)

    def number(self, quantity: Quantity) -> float | None:
        """Return the value of ``quantity``; each is computed once, however many rules ask for it."""
        try:
            return self._known[quantity.key]
        except KeyError:
            value = self._known[quantity.key] = quantity.function.value(quantity, self.series, self.window_ms)
            return value

    def bounds(self, quantity: Quantity, rest: Rest) -> Bounds | None:
        return quantity.function.bounds(quantity, self.series, self.window_ms, rest)

    def at(self, look: Look) -> "SeriesRow":
        raise LookupError(f"the rule asks for no window of {look.span_ms} ms that ends {look.offset_ms} ms ago")

    def sibling(self, labels: Sibling) -> "SeriesRow":
        raise LookupError(f"the rule asks for no series with {dict(labels)}")


class RowOfWindows(SeriesRow):
    """The numbers of one series in the rule's own window, with what else the rule asks for.

    Args:
        own: The series in the rule's own window.
        rows: The same series in each further window.
        siblings: The other series in the rule's own window.
    """

    __slots__ = ("_rows", "_siblings")

    def __init__(self, own: SeriesRow, rows: Mapping[Look, SeriesRow], siblings: Mapping[Sibling, SeriesRow]) -> None:
        super().__init__(own.series, own.window_ms)
        self._rows = rows
        self._siblings = siblings

    def at(self, look: Look) -> SeriesRow:
        return self._rows[look]

    def sibling(self, labels: Sibling) -> SeriesRow:
        return self._siblings[labels]
