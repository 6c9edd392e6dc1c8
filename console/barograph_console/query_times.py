"""Reads the times, steps and quantiles of a query as people write them. Pure."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from barograph_core.durations import parse_duration_ms

MAX_QUANTILES: Final = 20
# Without exponents: 1e-999999 would name a field of a million digits.
_NUMBER: Final = re.compile(r"(?=\.?[0-9])[0-9]{0,12}(?:\.[0-9]{0,10})?")
# Far beyond any entry id in use, and small enough for every clock library a client may have.
_MAX_TIME_MS: Final = 10**14


def parse_time_ms(text: str, now_ms: int) -> int:
    """Return the time ``text`` means, in ms.

    Args:
        text: Whole ms since the epoch, ``now``, a duration before now (``-15m``), or ISO 8601 (UTC unless it
            bears an offset).
        now_ms: What ``now`` is.

    Raises:
        ValueError: It is none of these.
    """
    stripped = text.strip()
    if stripped == "now":
        return now_ms
    if stripped.isascii() and stripped.isdigit():
        time_ms = int(stripped[:20])
    elif stripped.startswith("-"):
        time_ms = now_ms - parse_duration_ms(stripped[1:])
    else:
        time_ms = _parse_iso_ms(stripped)
    if not 0 <= time_ms <= _MAX_TIME_MS:
        raise ValueError(f"{text!r} lies outside the years this can count")
    return time_ms


def _parse_iso_ms(text: str) -> int:
    try:
        # A plus sign in a query string that nobody escaped arrives as a space.
        moment = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return round(aware.timestamp() * 1_000)
    except (ValueError, OverflowError):
        raise ValueError(
            f"{text!r} is no time: give ms since the epoch, ISO 8601, 'now' or a duration before now such as '-15m'"
        ) from None


def parse_step_ms(text: str) -> int | None:
    """Return the asked step in ms, or ``None`` for ``all``: one point over the whole range.

    Raises:
        ValueError: ``text`` is neither ``all`` nor a positive number of seconds of whole ms.
    """
    if text == "all":
        return None
    if _NUMBER.fullmatch(text):
        step_ms = Decimal(text) * 1_000
        if 0 < step_ms <= _MAX_TIME_MS and step_ms == int(step_ms):
            return int(step_ms)
    raise ValueError(f"step {text!r} is neither a number of seconds nor 'all'")


def quantile_name(text: str) -> str:
    """Return the field of a quantile: ``0.9`` gives ``p90``, ``0.999`` gives ``p99_9``."""
    percent = format((Decimal(text) * 100).normalize(), "f")
    return f"p{percent.replace('.', '_')}"


def parse_quantiles(text: str) -> dict[str, float]:
    """Return field names and quantiles of a comma-separated list, without repetition.

    Raises:
        ValueError: One of them does not lie between 0 and 1, or there are too many.
    """
    quantiles: dict[str, float] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        if not _NUMBER.fullmatch(part) or Decimal(part) > 1:
            raise ValueError(f"quantile {part[:20]!r} does not lie between 0 and 1")
        quantiles[quantile_name(part)] = float(part)
    if len(quantiles) > MAX_QUANTILES:
        raise ValueError(f"{len(quantiles)} quantiles are more than {MAX_QUANTILES}")
    return quantiles
