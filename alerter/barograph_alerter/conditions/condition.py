"""A condition of a rule: its text, its verdict on a row, and what can be said of it without any row."""

from collections.abc import Sequence
from dataclasses import dataclass

from barograph_alerter.conditions.bounds import Rest
from barograph_alerter.conditions.calls import Scope
from barograph_alerter.conditions.functions import Quantity
from barograph_alerter.conditions.parser import parse_truth
from barograph_alerter.conditions.row import Look, Row, Sibling
from barograph_alerter.conditions.truth import Comparison, Either, Truth


@dataclass(frozen=True, slots=True)
class Condition:
    """The ``when`` or ``resolve_when`` of a rule.

    Attributes:
        text: As the rule has it, white space folded.
        truth: Its tree.
        leading: The comparison whose sides an alert shows as value and threshold.
    """

    text: str
    truth: Truth
    leading: Comparison

    def holds(self, row: Row) -> bool | None:
        """Say whether it is true of ``row``; ``None`` when that depends on missing data."""
        return self.truth.value(row)

    def certainty(self, row: Row, rest: Rest) -> bool | None:
        """Say whether it holds, or cannot hold, whatever of ``rest`` still comes; ``None`` while that is open."""
        return self.truth.certainty(row, rest)

    def looks(self) -> frozenset[Look]:
        """Return the windows it asks for besides the rule's own."""
        return self.truth.looks()

    def siblings(self) -> frozenset[Sibling]:
        """Return the other series it asks for."""
        return self.truth.siblings()

    def value_and_threshold(self, row: Row) -> tuple[float | None, float | None]:
        """Return the two sides of the leading comparison, the measured side first.

        Of alternatives about the same quantity, those of the first that holds: ``x > 5 or over("1h").x > 1``.
        """
        leading = self._leading_in(row)
        left, right = leading.left.value(row), leading.right.value(row)
        return (left, right) if leading.measures_left else (right, left)

    def _leading_in(self, row: Row) -> Comparison:
        if not isinstance(self.truth, Either):
            return self.leading
        measured = set(self.leading.quantities())
        for part in self.truth.parts:
            found = leading_of(part)
            if set(found.quantities()) == measured and part.value(row):
                return found
        return self.leading

    @property
    def is_below(self) -> bool:
        """Say whether the leading comparison is true of small values of what it measures (``p50 < 1``)."""
        return self.leading.symbol in (("<", "<=") if self.leading.measures_left else (">", ">="))

    def leaves_out_recovery(self, resolve_when: "Condition") -> bool:
        """Say whether ``resolve_when`` asks for more of the same: ``errors > 5``, resolved when ``errors > 3``."""
        if not self.truth.has_part(self.leading) or resolve_when.leading != resolve_when.truth:
            return False
        if not {self.leading.symbol, resolve_when.leading.symbol}.isdisjoint(("==", "!=")):
            return False
        is_same = self.leading_quantity is not None and self.leading_quantity == resolve_when.leading_quantity
        return is_same and self.is_below == resolve_when.is_below

    @property
    def leading_quantity(self) -> Quantity | None:
        """Return the quantity that the leading comparison measures, if one stands alone on a side."""
        return self.leading.left.sole_quantity or self.leading.right.sole_quantity

    @property
    def accounted_quantity(self) -> Quantity | None:
        """Return the quantity whose parts account for a breach, ``None`` where several are compared.

        Where it stands within a calculation, as in ``change``, its values have no threshold: only counts add up.
        """
        found = self.leading_quantity
        if found is not None:
            return found
        measured = {*self.leading.left.quantities(), *self.leading.right.quantities()}
        only = measured.pop() if len(measured) == 1 else None
        return only if only is not None and only.function.part is not None else None


def any_of(conditions: Sequence[Condition]) -> Condition:
    """Return the condition that any of ``conditions`` holds; an alert shows the comparison of the first."""
    text = " or ".join(f"({one.text})" for one in conditions)
    return Condition(text, Either(tuple(one.truth for one in conditions)), conditions[0].leading)


def parse_condition(text: str, scope: Scope) -> Condition:
    """Return the condition written in ``text``, of a rule with ``scope``.

    Raises:
        ConditionError: With every mistake and its column, counted from 1.
    """
    truth = parse_truth(text, scope)
    return Condition(text=" ".join(text.split()), truth=truth, leading=leading_of(truth))


def leading_of(truth: Truth) -> Comparison:
    """Return the first comparison in ``truth`` that does not only ask how much data there is, else the first."""
    comparisons = list(truth.comparisons())
    return next((one for one in comparisons if not one.is_guard), comparisons[0])
