"""Checks the measures of many events at once, so that a bad value costs its event and nothing else."""

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from barograph_core.events import Measure


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
