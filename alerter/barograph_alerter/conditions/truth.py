"""Comparisons, what joins them, and their three-valued logic.

A comparison with something missing is missing (``None``), not false. Whatever is asked of a condition is a
method of every node, so that a new kind of node is one class.
"""

import math
import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain, combinations
from typing import ClassVar, Final, TypeAlias

from barograph_alerter.conditions.bounds import Bounds, Rest
from barograph_alerter.conditions.functions import Quantity
from barograph_alerter.conditions.numeric import Numeric
from barograph_alerter.conditions.row import Look, Row, Sibling

COMPARISONS: Final[dict[str, Callable[[float, float], bool]]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}


# Comparisons of a quantity with a constant, all of which hold where a condition does; empty where nothing is known.
Needs: TypeAlias = tuple["Comparison", ...]
# Of a condition that has more alternatives, nothing is said.
_MOST_ALTERNATIVES: Final = 32
_TURNED: Final = {">": "<", ">=": "<=", "<": ">", "<=": ">="}


class Truth(ABC):
    """A condition or a part of one: true, false or missing."""

    __slots__ = ()

    @abstractmethod
    def value(self, row: Row) -> bool | None:
        """Say whether it is true of ``row``; ``None`` when that depends on missing data."""

    @abstractmethod
    def comparisons(self) -> Iterator["Comparison"]:
        """Return every comparison in it, in the order of the text."""

    def looks(self) -> frozenset[Look]:
        """Return the windows it asks for besides the rule's own."""
        return frozenset(chain.from_iterable(one.looks() for one in self.comparisons()))

    def siblings(self) -> frozenset[Sibling]:
        """Return the other series it asks for."""
        return frozenset(chain.from_iterable(one.siblings() for one in self.comparisons()))

    @abstractmethod
    def certainty(self, row: Row, rest: Rest) -> bool | None:
        """Say whether it holds, or cannot hold, whatever of ``rest`` comes; ``None`` while that is open."""

    def alternatives(self) -> tuple[Needs, ...]:
        """Return what it needs: where it is true, all comparisons of one of these are."""
        return ((),)

    def contradiction(self) -> str:
        """Return the two comparisons in it that cannot both hold though both must, empty when there are none."""
        return ""

    def has_part(self, comparison: "Comparison") -> bool:  # noqa: ARG002 - one shape for all nodes
        """Say whether ``comparison`` is a part of it and means the same as alone: a ``not`` turns it round."""
        return False


@dataclass(frozen=True, slots=True)
class Comparison(Truth):
    """``left symbol right``.

    Attributes:
        compare: Its operator; looked up once, because conditions are judged thousands of times a second.
    """

    symbol: str
    left: Numeric
    right: Numeric
    compare: Callable[[float, float], bool] = field(init=False, compare=False, repr=False)
    _allowed: tuple[Quantity, Bounds, bool] | None = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "compare", COMPARISONS[self.symbol])
        object.__setattr__(self, "_allowed", self._find_allowed())

    @property
    def measures_left(self) -> bool:
        """Say whether the measured side is the left one."""
        return any(self.left.quantities())

    @property
    def is_guard(self) -> bool:
        """Say whether it only asks how much data there is (``count >= 20``)."""
        return all(quantity.is_count for quantity in self.quantities())

    def quantities(self) -> Iterator[Quantity]:
        """Return what it measures, of either side."""
        return chain(self.left.quantities(), self.right.quantities())

    def value(self, row: Row) -> bool | None:
        left, right = self.left.value(row), self.right.value(row)
        return None if left is None or right is None else self.compare(left, right)

    def comparisons(self) -> Iterator["Comparison"]:
        yield self

    def looks(self) -> frozenset[Look]:
        return self.left.looks() | self.right.looks()

    def siblings(self) -> frozenset[Sibling]:
        return self.left.siblings() | self.right.siblings()

    def certainty(self, row: Row, rest: Rest) -> bool | None:
        left, right = self.left.bounds(row, rest), self.right.bounds(row, rest)
        if left is None or right is None:
            return None
        # Every operator is decided by the ends, except for equality, which intervals that overlap leave open.
        found = {self.compare(one, other) for one in left for other in right}
        is_open = left.lowest < left.highest or right.lowest < right.highest
        if is_open and self.symbol in ("==", "!="):
            overlap = left.lowest <= right.highest and right.lowest <= left.highest
            return None if overlap else self.symbol == "!="
        return found.pop() if len(found) == 1 else None

    def has_part(self, comparison: "Comparison") -> bool:
        return comparison == self

    def alternatives(self) -> tuple[Needs, ...]:
        return ((),) if self._allowed is None else ((self,),)

    @property
    def allowed(self) -> tuple[Quantity, Bounds, bool] | None:
        """Return the one quantity that it compares with a constant, the values it allows, and if the ends are in."""
        return self._allowed

    def _find_allowed(self) -> tuple[Quantity, Bounds, bool] | None:
        quantity, symbol, constant = self.left.sole_quantity, self.symbol, self.right.fixed
        if quantity is None:
            quantity, symbol, constant = self.right.sole_quantity, _TURNED.get(symbol, symbol), self.left.fixed
        if quantity is None or constant is None or symbol == "!=":
            return None
        lowest = constant if symbol in (">", ">=", "==") else -math.inf
        highest = constant if symbol in ("<", "<=", "==") else math.inf
        return quantity, Bounds(lowest, highest), "=" in symbol

    def excludes(self, other: "Comparison") -> bool:
        """Say whether the two cannot both hold."""
        mine, theirs = self.allowed, other.allowed
        if mine is None or theirs is None or mine[0] != theirs[0]:
            return False
        lowest = max(mine[1].lowest, theirs[1].lowest)
        highest = min(mine[1].highest, theirs[1].highest)
        return lowest > highest or (lowest == highest and not (mine[2] and theirs[2]))

    def __str__(self) -> str:
        found = self.allowed
        if found is None:
            return f"a comparison by {self.symbol}"
        quantity, bounds, _ = found
        is_turned = self.left.sole_quantity is None
        symbol = _TURNED.get(self.symbol, self.symbol) if is_turned else self.symbol
        return f"{quantity} {symbol} {bounds.highest if math.isinf(bounds.lowest) else bounds.lowest:g}"


@dataclass(frozen=True, slots=True)
class _Joined(Truth):
    """Truths joined by ``and`` or ``or``: decided by the first part that is ``deciding`` (Kleene)."""

    parts: tuple[Truth, ...]
    deciding: ClassVar[bool]

    def value(self, row: Row) -> bool | None:
        is_known, deciding = True, self.deciding
        for part in self.parts:
            truth = part.value(row)
            if truth is deciding:
                return truth
            is_known = is_known and truth is not None
        return not deciding if is_known else None

    def comparisons(self) -> Iterator[Comparison]:
        return chain.from_iterable(part.comparisons() for part in self.parts)

    def certainty(self, row: Row, rest: Rest) -> bool | None:
        is_known, deciding = True, self.deciding
        for part in self.parts:
            truth = part.certainty(row, rest)
            if truth is deciding:
                return truth
            is_known = is_known and truth is not None
        return not deciding if is_known else None

    def has_part(self, comparison: Comparison) -> bool:
        return comparison in self.parts


class Every(_Joined):
    """``and``: false as soon as one part is, missing if one is missing and none is false."""

    __slots__ = ()
    deciding = False

    def alternatives(self) -> tuple[Needs, ...]:
        found: tuple[Needs, ...] = ((),)
        for part in self.parts:
            # A part that offers more than that can only be left out: the others are needed all the same.
            further = part.alternatives()
            if len(found) * len(further) <= _MOST_ALTERNATIVES:
                found = tuple(one + other for one in found for other in further)
        return found

    def contradiction(self) -> str:
        plain = [part for part in self.parts if isinstance(part, Comparison)]
        for one, other in combinations(plain, 2):
            if one.excludes(other):
                return f"'{one}' and '{other}'"
        return next(filter(None, (part.contradiction() for part in self.parts)), "")


class Either(_Joined):
    """``or``: true as soon as one part is, missing if one is missing and none is true."""

    __slots__ = ()
    deciding = True

    def alternatives(self) -> tuple[Needs, ...]:
        found = tuple(chain.from_iterable(part.alternatives() for part in self.parts))
        return found if len(found) <= _MOST_ALTERNATIVES else ((),)


@dataclass(frozen=True, slots=True)
class Negation(Truth):
    part: Truth

    def value(self, row: Row) -> bool | None:
        truth = self.part.value(row)
        return None if truth is None else not truth

    def certainty(self, row: Row, rest: Rest) -> bool | None:
        truth = self.part.certainty(row, rest)
        return None if truth is None else not truth

    def comparisons(self) -> Iterator[Comparison]:
        return self.part.comparisons()
