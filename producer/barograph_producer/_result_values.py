"""Takes prediction and confidence from the result of a tracked call."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Final, SupportsFloat, TypeAlias, TypeGuard, cast

from barograph_core.events import KINDS, Measure

# ``Any``: the result is of a type of the host's own, and a lambda's parameter must not need a cast there.
Extract: TypeAlias = Callable[[Any], SupportsFloat | None]

_MEASURES: Final[dict[str, Measure]] = {measure.name: measure for measure in KINDS["model"].measures}
# Most results and values are one of these, and one look-up says so.
_PLAIN: Final = frozenset((float, int))


class UnusableValueError(Exception):
    """An extractor's value cannot be that measure. Caught in ``_track``, which counts it."""


def take_prediction(result: object) -> SupportsFloat | None:
    """Return what a result says of its prediction: itself when it is a number, else its member of that name."""
    return result if _is_number(result) else take_member(result, "prediction")


def take_confidence(result: object) -> SupportsFloat | None:
    """Return what a result says of its confidence, by that name."""
    return take_member(result, "confidence")


def take_member(result: object, name: str) -> SupportsFloat | None:
    """Return the key (of a mapping) or attribute ``name`` when it is a number.

    Anything else is no mistake and left out: many results have a label, a list or a method of that name.
    """
    if type(result) in _PLAIN:
        return None
    if isinstance(result, dict | Mapping):
        value = cast("Mapping[object, object]", result).get(name)
    else:
        value = getattr(result, name, None)
    return value if _is_number(value) else None


def as_measure(name: str, value: SupportsFloat | None) -> float | None:
    """Return ``value`` as the measure ``name``.

    Raises:
        UnusableValueError: It is no number, not finite, or out of the measure's range.
    """
    if value is None:
        return None
    if not _is_number(value):
        raise UnusableValueError(f"{name} is of type {type(value).__name__}, which is no number")
    number = float(value)
    if not _MEASURES[name].accepts(number):
        raise UnusableValueError(f"{name} is {number!r}, which it cannot be")
    return number


def _is_number(value: object) -> TypeGuard[SupportsFloat]:
    """Say whether ``value`` is one: text and truth are none, nor is an array of several."""
    if type(value) in _PLAIN:
        return True
    if isinstance(value, float | int):
        return not isinstance(value, bool)
    # Not isinstance with the protocol, which takes 5 µs to say no.
    if not hasattr(type(value), "__float__"):
        return False
    # Arrays have a conversion too; it works for one element only.
    return getattr(value, "ndim", 0) == 0 or getattr(value, "size", math.inf) == 1
