"""Quantities of the judged series at another time, and those of another series."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from barograph_alerter.conditions.bounds import Bounds, Rest
from barograph_alerter.conditions.functions import Quantity
from barograph_alerter.conditions.numeric import Numeric
from barograph_alerter.conditions.row import Look, Row, Sibling


@dataclass(frozen=True, slots=True)
class Past(Numeric):
    """A quantity of the same series in another window: one that ended earlier, or a longer or shorter one."""

    quantity: Quantity
    look: Look

    def value(self, row: Row) -> float | None:
        return row.at(self.look).number(self.quantity)

    def quantities(self) -> Iterator[Quantity]:
        yield self.quantity

    def looks(self) -> frozenset[Look]:
        return frozenset((self.look,))

    def growing_spans(self) -> frozenset[int]:
        return frozenset((self.look.span_ms,)) if self.quantity.is_total else frozenset()

    def bounds(self, row: Row, rest: Rest) -> Bounds | None:
        return _bounds_at(row, self.look, self.quantity, rest)


@dataclass(frozen=True, slots=True)
class Extreme(Numeric):
    """The least or the greatest value of a quantity in windows that follow each other; those without data are left out.

    Attributes:
        choose: ``min`` or ``max``.
        earlier: The windows before the rule's own, which is the last one.
    """

    choose: Callable[[list[float]], float]
    quantity: Quantity
    earlier: tuple[Look, ...]

    def value(self, row: Row) -> float | None:
        numbers = [row.number(self.quantity), *(row.at(look).number(self.quantity) for look in self.earlier)]
        known = [number for number in numbers if number is not None]
        return self.choose(known) if known else None

    def quantities(self) -> Iterator[Quantity]:
        yield self.quantity

    def looks(self) -> frozenset[Look]:
        return frozenset(self.earlier)

    def growing_spans(self) -> frozenset[int]:
        return frozenset((0,)) if self.quantity.is_total else frozenset()

    def bounds(self, row: Row, rest: Rest) -> Bounds | None:
        own = row.bounds(self.quantity, rest)
        if own is None:
            # What comes may bring its first value, of any size.
            return None
        found = [own]
        for look in self.earlier:
            bounds = _bounds_at(row, look, self.quantity, rest)
            if bounds is not None:
                found.append(bounds)
            elif look.offset_ms < rest.open_ms:
                return None
        return Bounds(self.choose([one.lowest for one in found]), self.choose([one.highest for one in found]))


@dataclass(frozen=True, slots=True)
class OfSibling(Numeric):
    """A quantity of another series in the rule's own window."""

    quantity: Quantity
    labels: Sibling

    def value(self, row: Row) -> float | None:
        return row.sibling(self.labels).number(self.quantity)

    def quantities(self) -> Iterator[Quantity]:
        yield self.quantity

    def siblings(self) -> frozenset[Sibling]:
        return frozenset((self.labels,))

    def growing_spans(self) -> frozenset[int]:
        return frozenset((0,)) if self.quantity.is_total else frozenset()

    def bounds(self, row: Row, rest: Rest) -> Bounds | None:
        # What may still come was estimated for the judged series only.
        events = math.inf if rest.events else 0.0
        return row.sibling(self.labels).bounds(self.quantity, replace(rest, events=events))


def _bounds_at(row: Row, look: Look, quantity: Quantity, rest: Rest) -> Bounds | None:
    """Return the bounds of a quantity in an earlier window: its value, unless panes of it are open too."""
    if look.offset_ms < rest.open_ms:
        return row.at(look).bounds(quantity, rest)
    value = row.at(look).number(quantity)
    return None if value is None else Bounds(value, value)
