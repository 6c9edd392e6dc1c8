"""The numeric side of a comparison: constants, quantities of the rule's own window, arithmetic.

Whatever is asked of a condition is a method of every node, so that a new kind of node is one class.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain

from barograph_alerter.conditions.bounds import Bounds, Rest, combined
from barograph_alerter.conditions.functions import Quantity
from barograph_alerter.conditions.row import Look, Row, Sibling


class Numeric(ABC):
    """A side of a comparison."""

    __slots__ = ()

    @abstractmethod
    def value(self, row: Row) -> float | None:
        """Return its number, ``None`` where there is no data for it."""

    def quantities(self) -> Iterator[Quantity]:
        """Return what it measures; nothing for a constant."""
        return iter(())

    def looks(self) -> frozenset[Look]:
        """Return the windows it asks for besides the rule's own."""
        return frozenset()

    def siblings(self) -> frozenset[Sibling]:
        """Return the other series it asks for."""
        return frozenset()

    def growing_spans(self) -> frozenset[int]:
        """Return the lengths of the windows with which it grows, as a count does and a rate does not.

        0 stands for the rule's own window.
        """
        return frozenset()

    def bounds(self, row: Row, rest: Rest) -> Bounds | None:  # noqa: ARG002 - one shape for all nodes
        """Return what it can have become when ``rest`` has come; ``None`` where it may be missing then."""
        value = self.value(row)
        return None if value is None else Bounds(value, value)

    @property
    def sole_quantity(self) -> Quantity | None:
        """Return the quantity that it is, ``None`` when it is composed or constant."""
        return None

    @property
    def fixed(self) -> float | None:
        """Return the number that it is for every row, ``None`` when it measures something."""
        return None


@dataclass(frozen=True, slots=True)
class Constant(Numeric):
    number: float

    def value(self, row: Row) -> float | None:  # noqa: ARG002 - one shape for all nodes
        return self.number

    @property
    def fixed(self) -> float | None:
        return self.number


@dataclass(frozen=True, slots=True)
class Lookup(Numeric):
    """A quantity of the rule's own window."""

    quantity: Quantity

    def value(self, row: Row) -> float | None:
        return row.number(self.quantity)

    def quantities(self) -> Iterator[Quantity]:
        yield self.quantity

    def growing_spans(self) -> frozenset[int]:
        return frozenset((0,)) if self.quantity.is_total else frozenset()

    def bounds(self, row: Row, rest: Rest) -> Bounds | None:
        return row.bounds(self.quantity, rest)

    @property
    def sole_quantity(self) -> Quantity | None:
        return self.quantity


@dataclass(frozen=True, slots=True)
class Arithmetic(Numeric):
    """``left op right``; missing when a side is, or when the result is not finite (a division by zero)."""

    operation: Callable[[float, float], float]
    left: Numeric
    right: Numeric

    def value(self, row: Row) -> float | None:
        left, right = self.left.value(row), self.right.value(row)
        return None if left is None or right is None else combine(self.operation, left, right)

    def bounds(self, row: Row, rest: Rest) -> Bounds | None:
        left, right = self.left.bounds(row, rest), self.right.bounds(row, rest)
        return None if left is None or right is None else combined(self.operation, left, right)

    def quantities(self) -> Iterator[Quantity]:
        return chain(self.left.quantities(), self.right.quantities())

    def looks(self) -> frozenset[Look]:
        return self.left.looks() | self.right.looks()

    def siblings(self) -> frozenset[Sibling]:
        return self.left.siblings() | self.right.siblings()

    def growing_spans(self) -> frozenset[int]:
        left, right = self.left.growing_spans(), self.right.growing_spans()
        if self.operation is divide:
            # Errors by requests: a ratio does not grow.
            return frozenset() if right else left
        return left | right


def divide(left: float, right: float) -> float:
    return left / right


def combine(operation: Callable[[float, float], float], left: float, right: float) -> float | None:
    """Return the result, or ``None`` when there is no finite one."""
    try:
        result = operation(left, right)
    except (ZeroDivisionError, OverflowError):
        return None
    return result if math.isfinite(result) else None
