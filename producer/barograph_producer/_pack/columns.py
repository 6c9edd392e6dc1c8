"""Checks the measures of many events at once; a bad value makes only its own event invalid."""

import math
import operator
import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from operator import countOf
from struct import pack
from typing import Final, cast

from barograph_core.events.kinds import MAX_MAGNITUDE, MAX_WEIGHT, Measure
from barograph_producer._record.host_numbers import as_float

# Position of the byte of a float64 that holds its sign and the upper bits of its exponent.
_FIRST_BYTE: Final = 7 if sys.byteorder == "little" else 0
# First bytes of the numbers below 2**497, which is less than MAX_MAGNITUDE.
_UNSIGNED: Final = bytes(range(0x5F))
_SIGNED: Final = _UNSIGNED + bytes(range(0x80, 0xDF))
_ZERO: Final = pack("d", 0.0)
_ONE: Final = pack("d", 1.0)
# Names of Python's type of booleans and of NumPy's.
_BOOLEANS: Final = frozenset(("bool", "bool_"))


@dataclass(frozen=True, slots=True)
class CleanColumn:
    """A measure of many events.

    Attributes:
        values: One number for each event, NaN if it lacks the measure or has a bad value; ``None`` if all lack it.
        bad: Positions of the events with a bad value: not a number, NaN, infinite or out of range.
    """

    values: "array[float] | None"
    bad: frozenset[int] = frozenset()


def clean_column(values: Sequence[object], measure: Measure) -> CleanColumn:
    """Check a column.

    Args:
        values: The values as the host gave them; ``None`` means that the event lacks the measure.
        measure: Its limits decide which numbers are valid, and whether ``None`` is.
    """
    floats = _plain_floats(values, measure)
    if floats is not None:
        return CleanColumn(floats)
    types = set(map(type, values))
    if types == {type(None)} and not measure.is_required:
        return CleanColumn(None)
    if any(map(_needs_a_look, types)):
        return _clean_each(values, measure)
    try:
        floats = array("d", cast("Sequence[float]", values))  # raises TypeError if a value is not a number
        # A NaN or an infinity shows in the sum; without them min and max are correct.
        is_clean = math.isfinite(sum(floats)) and measure.accepts(min(floats)) and measure.accepts(max(floats))
        # Between the two values of a flag lie others.
        is_clean = is_clean and not (measure.is_flag and set(floats) - {0.0, 1.0})
    except Exception:  # noqa: BLE001  # the host's own types may raise anything
        is_clean, floats = False, array("d")
    return CleanColumn(floats) if is_clean else _clean_each(values, measure)


def _needs_a_look(kind: type) -> bool:
    """Say whether ``array`` would misread a value of this type: an absent one, a boolean or an array of one element."""
    return kind is type(None) or kind.__name__ in _BOOLEANS or hasattr(kind, "__len__")


def _plain_floats(values: Sequence[object], measure: Measure) -> "array[float] | None":
    """Return ``values`` as floats if their first bytes prove all of them valid, which is so for nearly all columns."""
    if measure.maximum < MAX_MAGNITUDE:
        return None
    try:
        packed = pack(f"{len(values)}d", *values)  # takes a third of the time of ``array``
    except Exception:  # noqa: BLE001  # not a number, or one of the host's own types
        return None
    if not are_plain(packed, values, measure):
        return None
    floats = array("d")
    floats.frombytes(packed)
    return floats


def are_plain(packed: bytes, values: Sequence[object], measure: Measure) -> bool:
    """Say whether the first bytes of ``packed``, which ``pack`` made of ``values``, prove all of them valid.

    The first byte of a float64 holds the sign and the upper bits of the exponent. It shows which numbers are
    negative, huge, infinite or NaN, at a tenth of the cost of comparing numbers. ``pack`` also accepts ``bool``,
    which becomes 0.0 or 1.0; if these occur, the types are checked too.
    """
    if packed[_FIRST_BYTE::8].translate(None, _SIGNED if measure.is_signed else _UNSIGNED):
        return False
    return not (_ZERO in packed or _ONE in packed) or countOf(map(type, values), float) == len(values)


@dataclass(frozen=True, slots=True)
class CleanWeights:
    """The weights of many events.

    Attributes:
        values: One weight for each event, 1 in place of a bad one; ``None`` if all weights are 1.
        bad: Positions of the events with a bad weight.
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
        weight = operator.index(value)  # type: ignore[arg-type]  # raises TypeError if it is not a number
    except Exception:  # noqa: BLE001  # the host's own types may raise anything
        return None
    return weight if 1 <= weight <= MAX_WEIGHT else None


def _clean_each(values: Sequence[object], measure: Measure) -> CleanColumn:
    floats = array("d")
    bad: set[int] = set()
    for position, value in enumerate(values):
        number = math.nan
        if value is not None:
            number = float(value) if measure.is_flag and isinstance(value, bool) else as_float(value)
            if not measure.accepts(number):
                bad.add(position)
        elif measure.is_required:
            bad.add(position)
        floats.append(number)
    return CleanColumn(floats, frozenset(bad))
