"""Writes figures as people read them: at most three digits where more say nothing, and always a unit."""

from typing import Final

NOTHING: Final = "\N{EN DASH}"


def number(value: float | None, unit: str = "") -> str:
    """Return a figure with at most three digits after its first ones, or a dash where there is none."""
    if value is None:
        return NOTHING
    digits = 0 if abs(value) >= 100 or value == int(value) else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}{unit}"


def duration(ms: float | None) -> str:
    """Return a duration in the unit that suits it."""
    if ms is None:
        return NOTHING
    return number(ms / 1_000, " s") if ms >= 1_000 else number(ms, " ms")


def percent(ratio: float | None) -> str:
    """Return a ratio in percent."""
    return NOTHING if ratio is None else number(ratio * 100, " %")
