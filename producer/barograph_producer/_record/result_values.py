"""Takes prediction and confidence from the result of a tracked call."""

from collections.abc import Callable, Mapping
from typing import Any, Final, SupportsFloat, TypeAlias, cast

from barograph_core.events.kinds import KINDS, Measure
from barograph_producer._record.host_numbers import PLAIN_NUMBERS, as_float, is_number

# ``Any``, because results have types of the host's own, and a lambda there must not need a cast.
Extract: TypeAlias = Callable[[Any], SupportsFloat | None]

_MEASURES: Final[dict[str, Measure]] = {measure.name: measure for measure in KINDS["model"].measures}


class UnusableValueError(Exception):
    """An extractor returned a value that the measure cannot have. ``track.py`` catches and counts it."""


def take_prediction(result: object) -> SupportsFloat | None:
    """Return the prediction in a result: the result if it is a number, otherwise its member ``prediction``."""
    return result if is_number(result) else take_member(result, "prediction")


def take_confidence(result: object) -> SupportsFloat | None:
    """Return the confidence in a result: its member ``confidence``."""
    return take_member(result, "confidence")


def take_member(result: object, name: str) -> SupportsFloat | None:
    """Return the key (of a mapping) or attribute ``name`` if it is a number, otherwise ``None``.

    A member that is not a number is not an error: many results have a label, a list or a method of that name.
    """
    if type(result) in PLAIN_NUMBERS:
        return None
    if isinstance(result, dict | Mapping):
        value = cast("Mapping[object, object]", result).get(name)
    else:
        value = getattr(result, name, None)
    return value if is_number(value) else None


def as_measure(name: str, value: SupportsFloat | None) -> float | None:
    """Return ``value`` as the measure ``name``.

    Raises:
        UnusableValueError: It is not a number, not finite, or outside the range of the measure.
    """
    if value is None:
        return None
    if not is_number(value):
        raise UnusableValueError(f"{name} is of type {type(value).__name__}, which is no number")
    number = as_float(value)
    if not _MEASURES[name].accepts(number):
        raise UnusableValueError(f"{name} is {number!r}, which it cannot be")
    return number
