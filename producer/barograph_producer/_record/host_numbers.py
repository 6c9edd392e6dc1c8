"""Reads the numbers that a host passes: plain ones, those of numpy and torch, and arrays of one element."""

import math
from collections.abc import Callable
from typing import Final, SupportsFloat, TypeGuard, cast

# The types of most values, for which one look-up is enough.
PLAIN_NUMBERS: Final = frozenset((float, int))
_NOT_NUMBERS: Final = (str, bytes, bytearray, bool)


def is_number(value: object) -> TypeGuard[SupportsFloat]:
    """Say whether ``value`` is a number. Text, booleans and arrays of several elements are not."""
    if type(value) in PLAIN_NUMBERS:
        return True
    if isinstance(value, float | int):
        return not isinstance(value, bool)
    # ``isinstance`` with the protocol would take 5 µs for a value that has no such method.
    if not hasattr(type(value), "__float__"):
        return False
    try:
        # Arrays have ``__float__`` too, but are numbers only if they have a single element.
        return math.prod(getattr(value, "shape", ())) == 1 and not isinstance(_element_of(value), _NOT_NUMBERS)
    except Exception:  # noqa: BLE001  # the host's own types may raise anything
        return False


def as_float(value: object) -> float:
    """Return ``value`` as a float, NaN if it is not a number. Text is not one, although ``float`` would parse it."""
    try:
        element = _element_of(value)
        return math.nan if isinstance(element, _NOT_NUMBERS) else float(cast("SupportsFloat", element))
    except Exception:  # noqa: BLE001  # the host's own types may raise anything; a huge int raises OverflowError
        return math.nan


def _element_of(value: object) -> object:
    """Return the only element of an array or of a scalar type as Python's own value, and other values as they are.

    ``float`` refuses arrays of one element from NumPy 2.4 on, and returns 1.0 for NumPy's ``True``.
    """
    if type(value) in PLAIN_NUMBERS or not hasattr(value, "dtype"):
        return value
    element = _item_of(value)
    # The element of a pandas series is a scalar of NumPy.
    return _item_of(element) if hasattr(element, "dtype") else element


def _item_of(value: object) -> object:
    item: Callable[[], object] | None = getattr(value, "item", None)
    return value if item is None else item()
