"""A condition of a rule: its text, its verdict on a row, and what can be said of it without any row."""

from collections.abc import Iterator
from dataclasses import dataclass

from barograph_alerter.expression import (
    Arithmetic,
    Comparison,
    Constant,
    Either,
    Every,
    Lookup,
    Negation,
    Numeric,
    Quantity,
    Row,
    Truth,
)
from barograph_alerter.expression_parser import parse_truth
from barograph_core.events import Kind


@dataclass(frozen=True, slots=True)
class Condition:
    """What ``when`` or ``resolve_when`` says.

    Attributes:
        text: As the rule has it, white space folded.
        truth: Its tree.
        can_only_become_true: Whether more events of the same window can make it true but never false
            again, so that it may be judged before the window is closed.
        leading: The comparison whose sides an alert shows as value and threshold.
    """

    text: str
    truth: Truth
    can_only_become_true: bool
    leading: Comparison

    def holds(self, row: Row) -> bool | None:
        """Say whether it is true of ``row``; ``None`` when that hangs on missing data."""
        return self.truth.of(row)

    def value_and_threshold(self, row: Row) -> tuple[float | None, float | None]:
        """Return the two sides of the leading comparison, the measured side first."""
        left, right = self.leading.left.of(row), self.leading.right.of(row)
        return (left, right) if self.measures_left else (right, left)

    @property
    def measures_left(self) -> bool:
        """Say whether the measured side of the leading comparison is the left one."""
        return bool(_measured(self.leading.left))

    @property
    def is_below(self) -> bool:
        """Say whether the leading comparison is true of small values of what it measures (``p50 < 1``)."""
        return self.leading.symbol in (("<", "<=") if self.measures_left else (">", ">="))

    def leaves_out_recovery(self, resolve_when: "Condition") -> bool:
        """Say whether ``resolve_when`` asks for more of the same: ``errors > 5``, resolved when ``errors > 3``."""
        # A ``not`` would turn the comparison below it round.
        parts = self.truth.parts if isinstance(self.truth, Every | Either) else (self.truth,)
        if self.leading not in parts or resolve_when.leading != resolve_when.truth:
            return False
        if not {self.leading.symbol, resolve_when.leading.symbol}.isdisjoint(("==", "!=")):
            return False
        is_same = self.leading_quantity is not None and self.leading_quantity == resolve_when.leading_quantity
        return is_same and self.is_below == resolve_when.is_below

    @property
    def leading_quantity(self) -> Quantity | None:
        """Return what the leading comparison measures, if that is one quantity standing alone."""
        for side in (self.leading.left, self.leading.right):
            if isinstance(side, Lookup):
                return side.quantity
        return None


def parse_condition(text: str, kind: Kind) -> Condition:
    """Return the condition written in ``text``, over events of ``kind``.

    Raises:
        ConditionError: With every mistake and its column, counted from 1.
    """
    truth = parse_truth(text, kind)
    return Condition(
        text=" ".join(text.split()),
        truth=truth,
        can_only_become_true=_can_only_become_true(truth, kind),
        leading=_leading(truth),
    )


def _comparisons(truth: Truth) -> Iterator[Comparison]:
    if isinstance(truth, Comparison):
        yield truth
    elif isinstance(truth, Negation):
        yield from _comparisons(truth.part)
    elif isinstance(truth, Every | Either):
        for part in truth.parts:
            yield from _comparisons(part)


def _measured(side: Numeric) -> list[Quantity]:
    if isinstance(side, Lookup):
        return [side.quantity]
    if isinstance(side, Arithmetic):
        return _measured(side.left) + _measured(side.right)
    return []


def _leading(truth: Truth) -> Comparison:
    """Return the first comparison that is not a mere guard on how much data there is (``count >= 20``)."""
    comparisons = list(_comparisons(truth))
    for comparison in comparisons:
        measured = _measured(comparison.left) + _measured(comparison.right)
        if any("count" not in (quantity.name, quantity.statistic) for quantity in measured):
            return comparison
    return comparisons[0]


def _can_only_become_true(truth: Truth, kind: Kind) -> bool:
    if isinstance(truth, Every | Either):
        return all(_can_only_become_true(part, kind) for part in truth.parts)
    if not isinstance(truth, Comparison):
        return False
    greater, lesser = truth.left, truth.right
    if truth.symbol in ("<", "<="):
        greater, lesser = lesser, greater
    elif truth.symbol not in (">", ">="):
        return False
    return isinstance(lesser, Constant) and isinstance(greater, Lookup) and _only_grows(greater.quantity, kind)


def _only_grows(quantity: Quantity, kind: Kind) -> bool:
    """Say whether more events of the same window can only raise the quantity."""
    if quantity.statistic in ("", "count"):
        return quantity.name != "error_rate"
    is_signed = any(measure.is_signed for measure in kind.measures if measure.name == quantity.name)
    return quantity.statistic == "sum" and not is_signed
