"""Forms of one rule that differ in its threshold."""

from collections.abc import Sequence
from dataclasses import replace

from barograph_alerter.conditions.condition import Condition
from barograph_alerter.conditions.numeric import Constant
from barograph_alerter.conditions.truth import Comparison, Either, Every, Negation, Truth
from barograph_alerter.rules.rule import Rule
from barograph_core.errors import BarographError


class SweepError(BarographError):
    """A rule has no threshold that could be another number."""


def threshold_of(rule: Rule) -> float:
    """Return the threshold that an alert of ``rule`` shows.

    Raises:
        SweepError: It is not a constant.
    """
    if rule.slo is not None:
        raise SweepError(f"rule {rule.name!r} is made of an objective: try other 'windows' in a file, by --rules FILE")
    leading = rule.when.leading
    found = leading.right.fixed if leading.measures_left else leading.left.fixed
    if rule.levels:
        raise SweepError(f"rule {rule.name!r} has levels: try one of them as a rule of its own")
    if found is None:
        raise SweepError(f"rule {rule.name!r} compares {rule.when.text!r}, which has no constant threshold")
    return found


def with_threshold(rule: Rule, threshold: float) -> Rule:
    """Return ``rule`` with another threshold.

    That of ``resolve_when`` moves by the same factor where it compares the same quantity, so that the distance between
    the two stays what it was.

    Raises:
        SweepError: The rule's threshold is not a constant.
    """
    before = threshold_of(rule)
    resolve = rule.resolve_when
    if resolve is not None and rule.when.leading_quantity == resolve.leading_quantity is not None and before:
        held = resolve.leading.right.fixed if resolve.leading.measures_left else resolve.leading.left.fixed
        resolve = resolve if held is None else _with_leading(resolve, held * threshold / before)
    return replace(rule, when=_with_leading(rule.when, threshold), resolve_when=resolve)


def _with_leading(condition: Condition, threshold: float) -> Condition:
    leading = condition.leading
    if leading.measures_left:
        changed = Comparison(leading.symbol, leading.left, Constant(threshold))
    else:
        changed = Comparison(leading.symbol, Constant(threshold), leading.right)
    return Condition(condition.text, _replaced(condition.truth, leading, changed), changed)


def _replaced(truth: Truth, old: Comparison, new: Comparison) -> Truth:
    match truth:
        case Every(parts):
            return Every(_each(parts, old, new))
        case Either(parts):
            return Either(_each(parts, old, new))
        case Negation(part):
            return Negation(_replaced(part, old, new))
        case _:
            return new if truth == old else truth


def _each(parts: Sequence[Truth], old: Comparison, new: Comparison) -> tuple[Truth, ...]:
    return tuple(_replaced(part, old, new) for part in parts)
