"""What is written correctly and cannot be meant: conditions that never hold, always hold or contradict themselves."""

import math
from collections.abc import Iterator
from typing import Final

from barograph_alerter.conditions.bounds import Bounds, Rest
from barograph_alerter.conditions.condition import Condition
from barograph_alerter.conditions.functions import Quantity
from barograph_alerter.conditions.row import Look, Sibling
from barograph_alerter.conditions.truth import Comparison
from barograph_alerter.rules.rule import Rule
from barograph_core.text.durations import format_duration

_UNSIGNED: Final = ("count", "stddev")


class _AnyRow:
    """Every row there can be: each quantity has all its values at once."""

    def __init__(self, unsigned: frozenset[str]) -> None:
        self._unsigned = unsigned

    def number(self, quantity: Quantity) -> float | None:  # noqa: ARG002 - one shape for all rows
        return None

    def bounds(self, quantity: Quantity, rest: Rest) -> Bounds | None:  # noqa: ARG002 - one shape for all rows
        if quantity.is_ratio:
            return Bounds(0.0, 1.0)
        is_signed = quantity.statistic not in ("", *_UNSIGNED) and quantity.name not in self._unsigned
        return Bounds(-math.inf if is_signed else 0.0, math.inf)

    def at(self, look: Look) -> "_AnyRow":  # noqa: ARG002 - one shape for all rows
        return self

    def sibling(self, labels: Sibling) -> "_AnyRow":  # noqa: ARG002 - one shape for all rows
        return self


def lint_rule(rule: Rule) -> Iterator[tuple[str, str]]:
    """Yield key and message of each condition that cannot be meant."""
    for key, condition in (("when", rule.when), ("resolve_when", rule.resolve_when)):
        message = "" if condition is None else _condition_mistake(condition, rule)
        if message:
            yield key, message


def _condition_mistake(condition: Condition, rule: Rule) -> str:
    unsigned = rule.unsigned
    certain = condition.certainty(_AnyRow(unsigned), Rest(math.inf, unsigned, math.inf))
    if certain is False:
        return f"{condition.text!r} can never hold: what it measures never has such values; compare with another"
    if certain is True:
        return f"{condition.text!r} always holds, whatever is measured; compare with a value that it can pass"
    clash = condition.truth.contradiction()
    if clash:
        return f"{clash} contradict each other, so that it never holds: correct one, or join them by 'or'"
    return next(filter(None, (_span_mistake(one, rule.window_ms) for one in condition.truth.comparisons())), "")


def _span_mistake(comparison: Comparison, window_ms: int) -> str:
    """Return what is wrong where counts of windows of different lengths are compared."""
    grows_with = comparison.left.growing_spans() | comparison.right.growing_spans()
    spans = sorted({span or window_ms for span in grows_with})
    if len(spans) < 2:
        return ""
    shortest, longest = format_duration(spans[0]), format_duration(spans[-1])
    return f"compares what {shortest} add up to with what {longest} do: compare rates, or windows of one length"
