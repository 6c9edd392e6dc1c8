"""Numbers as JSON can say them."""

import math
from typing import Annotated, Final

import numpy as np
from pydantic import Field

from barograph_core.numerics.arrays import BoolArray, FloatArray

SIGNIFICANT_DIGITS: Final = 6
# Magnitudes whose power of ten is a float64 exactly.
_LEAST: Final = 1e-16
_GREATEST: Final = 1e22
_POWERS_OF_TEN: Final = tuple(float(f"1e{power}") for power in range(24))
_POWERS: Final = np.array(_POWERS_OF_TEN)


def finite(value: float) -> float | None:
    """Return ``value``, or ``None`` where JSON has no number for it."""
    return value if math.isfinite(value) else None


def significant(value: float) -> float | None:
    """Return ``value`` with 6 significant digits, or ``None`` where JSON has no number for it.

    A percentile is known within 0.79 %, so further digits only make answers longer. Counts and sums are exact and
    are sent as they are.
    """
    if not math.isfinite(value):
        return None
    magnitude = abs(value)
    if not _LEAST <= magnitude <= _GREATEST:
        return float(f"{value:.{SIGNIFICANT_DIGITS}g}")
    places = SIGNIFICANT_DIGITS - 1 - math.floor(math.log10(magnitude))
    # To divide whole numbers rounds correctly: the nearest float64 to the decimal number, which prints shortest.
    if places >= 0:
        return round(value * _POWERS_OF_TEN[places]) / _POWERS_OF_TEN[places]
    return round(value / _POWERS_OF_TEN[-places]) * _POWERS_OF_TEN[-places]


def significant_each(values: FloatArray) -> FloatArray:
    """Return what ``significant`` does of each of ``values``, which are finite."""
    magnitudes = np.abs(values)
    is_plain = (magnitudes >= _LEAST) & (magnitudes <= _GREATEST)
    exponents = np.floor(np.log10(np.where(is_plain, magnitudes, 1.0))).astype(np.int64)
    places = SIGNIFICANT_DIGITS - 1 - exponents
    # Looked up: the powers that numpy computes for whole columns may be off in their last bit.
    up, down = _POWERS[np.maximum(places, 0)], _POWERS[np.maximum(-places, 0)]
    rounded: FloatArray = np.rint(values * up / down) / up * down
    if not is_plain.all():
        rounded[~is_plain] = [significant(value) for value in values[~is_plain].tolist()]
    return rounded


def known_each(values: FloatArray, is_known: BoolArray) -> list[float | None]:
    """Return ``values`` with 6 significant digits, ``None`` where one is not known or JSON has no number for it."""
    is_known = is_known & np.isfinite(values)
    rounded: list[float] = significant_each(np.where(is_known, values, 0.0)).tolist()
    if is_known.all():
        return list(rounded)
    return [value if known else None for value, known in zip(rounded, is_known.tolist(), strict=True)]


Finite = Annotated[float, Field(allow_inf_nan=False)]
