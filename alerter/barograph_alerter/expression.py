"""The tree of a condition and its three-valued logic.

A comparison with something missing is missing (``None``), not false.
"""

import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

STATISTICS: Final = ("avg", "min", "max", "sum", "stddev", "count")
QUANTILE: Final = re.compile(r"p(\d{1,3})(?:_(\d{1,4}))?\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Quantity:
    """Something a row has a number for.

    Attributes:
        name: ``count``, ``rate``, ``errors``, ``error_rate``, ``status`` or the name of a measure.
        statistic: Of a measure: ``avg``, ``sum``, ``p95``; else empty.
        code: Of ``status``.
        quantile: 0 to 1 when ``statistic`` is a percentile.
        key: As a condition has it; made once, because rows look it up thousands of times a second.
    """

    name: str
    statistic: str = ""
    code: int | None = None
    quantile: float | None = None
    key: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        text = f"{self.name}.{self.statistic}" if self.statistic else self.name
        object.__setattr__(self, "key", text if self.code is None else f"status[{self.code}]")

    def __str__(self) -> str:
        return self.key


class Row(Protocol):
    """Where a condition gets its numbers from."""

    def number(self, quantity: Quantity) -> float | None:
        """Return the value, or ``None`` where there is no data for it."""
        ...


class Numeric(Protocol):
    def of(self, row: Row) -> float | None: ...


class Truth(Protocol):
    def of(self, row: Row) -> bool | None: ...


@dataclass(frozen=True, slots=True)
class Constant:
    value: float

    def of(self, row: Row) -> float | None:  # noqa: ARG002 - one shape for all nodes
        return self.value


@dataclass(frozen=True, slots=True)
class Lookup:
    quantity: Quantity

    def of(self, row: Row) -> float | None:
        return row.number(self.quantity)


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """``left op right``; missing when a side is, or when the result is not finite (a division by zero)."""

    operation: Callable[[float, float], float]
    left: Numeric
    right: Numeric

    def of(self, row: Row) -> float | None:
        left, right = self.left.of(row), self.right.of(row)
        return None if left is None or right is None else combine(self.operation, left, right)


def combine(operation: Callable[[float, float], float], left: float, right: float) -> float | None:
    """Return the result, or ``None`` when there is no finite one."""
    try:
        result = operation(left, right)
    except (ZeroDivisionError, OverflowError):
        return None
    return result if math.isfinite(result) else None


@dataclass(frozen=True, slots=True)
class Comparison:
    symbol: str
    left: Numeric
    right: Numeric

    def of(self, row: Row) -> bool | None:
        left, right = self.left.of(row), self.right.of(row)
        return None if left is None or right is None else COMPARISONS[self.symbol](left, right)


@dataclass(frozen=True, slots=True)
class Every:
    """``and``: false as soon as one part is, missing if one is missing and none is false (Kleene)."""

    parts: tuple[Truth, ...]

    def of(self, row: Row) -> bool | None:
        is_known = True
        for part in self.parts:
            truth = part.of(row)
            if truth is False:
                return False
            is_known = is_known and truth is not None
        return True if is_known else None


@dataclass(frozen=True, slots=True)
class Either:
    """``or``: true as soon as one part is, missing if one is missing and none is true (Kleene)."""

    parts: tuple[Truth, ...]

    def of(self, row: Row) -> bool | None:
        is_known = True
        for part in self.parts:
            truth = part.of(row)
            if truth is True:
                return True
            is_known = is_known and truth is not None
        return False if is_known else None


@dataclass(frozen=True, slots=True)
class Negation:
    part: Truth

    def of(self, row: Row) -> bool | None:
        truth = self.part.of(row)
        return None if truth is None else not truth


COMPARISONS: Final[dict[str, Callable[[float, float], bool]]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}


def parse_quantity(name: str, statistic: str) -> Quantity | None:
    """Return the quantity ``name.statistic`` (``duration_ms.p99_9``), or ``None`` if there is no such statistic."""
    if statistic in STATISTICS:
        return Quantity(name, statistic)
    match = QUANTILE.match(statistic)
    if match is None:
        return None
    quantile = float(f"{match[1]}.{match[2] or 0}") / 100
    return Quantity(name, statistic, quantile=quantile) if quantile <= 1 else None
