"""Checks the measures of many events at once, so that a bad value costs its event and nothing else."""

import math
import operator
import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from operator import countOf
from struct import pack
from typing import Final, cast

from barograph_core.events import MAX_MAGNITUDE, MAX_WEIGHT, Measure

_FIRST_BYTE: Final = 7 if sys.byteorder == "little" else 0
# Below 2**497, which is less than MAX_MAGNITUDE.
_UNSIGNED: Final = bytes(range(0x5F))
_SIGNED: Final = _UNSIGNED + bytes(range(0x80, 0xDF))
_ZERO: Final = pack("d", 0.0)
_ONE: Final = pack("d", 1.0)


@dataclass(frozen=True, slots=True)
class CleanColumn:
    """A measure of many events.

    Attributes:
        values: One number for each event, NaN where it lacks one or holds a bad one; ``None`` when all lack it.
        bad: Positions of the events whose value is none: not a number, NaN, infinite, out of range.
    """

    values: "array[float] | None"
    bad: frozenset[int] = frozenset()


def clean_column(values: Sequence[object], measure: Measure, *, is_required: bool) -> CleanColumn:
    """Check a column.

    Args:
        values: As the host gave them; ``None`` says that the event lacks the measure.
        measure: Says which numbers are valid.
        is_required: Whether ``None`` is a bad value.
    """
    floats = _plain_floats(values, measure)
    if floats is not None:
        return CleanColumn(floats)
    types = set(map(type, values))
    if types == {type(None)} and not is_required:
        return CleanColumn(None)
    if type(None) in types or bool in types:
        return _clean_each(values, measure, is_required=is_required)
    try:
        floats = array("d", cast("Sequence[float]", values))  # raises TypeError for what is no number
        # A NaN or an infinity shows in the sum; without them min and max are right.
        is_clean = math.isfinite(sum(floats)) and measure.accepts(min(floats)) and measure.accepts(max(floats))
    except Exception:  # noqa: BLE001  # the host's own types may raise anything
        is_clean, floats = False, array("d")
    return CleanColumn(floats) if is_clean else _clean_each(values, measure, is_required=is_required)


def _plain_floats(values: Sequence[object], measure: Measure) -> "array[float] | None":
    """Return ``values`` when all are numbers that are valid by their first byte alone, as nearly all columns' are."""
    if measure.maximum < MAX_MAGNITUDE:
        return None
    try:
        packed = pack(f"{len(values)}d", *values)  # a third of the time that ``array`` takes
    except Exception:  # noqa: BLE001  # not a number, or one of the host's own types
        return None
    if not are_plain(packed, values, measure):
        return None
    floats = array("d")
    floats.frombytes(packed)
    return floats


def are_plain(packed: bytes, values: Sequence[object], measure: Measure) -> bool:
    """Say whether all of ``values``, which ``pack`` took for numbers, are valid ones by their first byte alone.

    The first byte of a float64 holds the sign and the upper bits of the exponent: one look at it tells what is
    negative, huge, infinite or NaN, at a tenth of the cost of comparing numbers. What ``pack`` takes for a number
    and is none is a bool, which looks like 0.0 or 1.0: where there are such bytes, types are looked at.
    """
    if packed[_FIRST_BYTE::8].translate(None, _SIGNED if measure.is_signed else _UNSIGNED):
        return False
    return not (_ZERO in packed or _ONE in packed) or countOf(map(type, values), float) == len(values)


@dataclass(frozen=True, slots=True)
class CleanWeights:
    """How many events each of many stands for, 1 where that is wrong.

    Attributes:
        values: One for each event; ``None`` when each stands for itself.
        bad: Positions of the events whose weight is none.
    """

    values: Sequence[int] | None
    bad: frozenset[int] = frozenset()


def clean_weights(values: Sequence[object]) -> CleanWeights:
    """Check a column of weights: whole numbers from 1 to ``MAX_WEIGHT``."""
    if set(map(type, values)) == {int}:
        whole = cast("Sequence[int]", values)
        least, most = min(whole), max(whole)
        if least == most == 1:
            return CleanWeights(None)
        if least >= 1 and most <= MAX_WEIGHT:
            return CleanWeights(whole)
    weights: list[int] = []
    bad: set[int] = set()
    for position, value in enumerate(values):
        weight = _as_weight(value)
        if weight is None:
            bad.add(position)
        weights.append(weight or 1)
    return CleanWeights(weights, frozenset(bad))


def _as_weight(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    try:
        weight = operator.index(value)  # type: ignore[arg-type]  # raises TypeError for what is no number
    except Exception:  # noqa: BLE001  # the host's own types may raise anything
        return None
    return weight if 1 <= weight <= MAX_WEIGHT else None


def _clean_each(values: Sequence[object], measure: Measure, *, is_required: bool) -> CleanColumn:
    floats = array("d")
    bad: set[int] = set()
    for position, value in enumerate(values):
        number = math.nan
        if value is not None:
            number = _as_float(value)
            if not measure.accepts(number):
                bad.add(position)
        elif is_required:
            bad.add(position)
        floats.append(number)
    return CleanColumn(floats, frozenset(bad))


def _as_float(value: object) -> float:
    """Return ``value`` as a float, NaN when it is no number. Text is none, although ``float`` would read it."""
    if isinstance(value, str | bytes | bytearray | bool):
        return math.nan
    try:
        return float(value)  # type: ignore[arg-type]  # raises TypeError for what is no number
    except Exception:  # noqa: BLE001  # as above; OverflowError for a huge int
        return math.nan
