"""Reads the steps and quantiles of a query as people write them. Pure."""

import re
from decimal import Decimal
from typing import Final

from barograph_core.text.timestamps import LATEST_MS

MAX_QUANTILES: Final = 10
# Without exponents: 1e-999999 would name a field of a million digits.
_NUMBER: Final = re.compile(r"(?=\.?[0-9])[0-9]{0,12}(?:\.[0-9]{0,10})?")


def parse_step_ms(text: str) -> int | None:
    """Return the asked step in ms, or ``None`` for ``all``: one point over the whole range.

    Raises:
        ValueError: ``text`` is neither ``all`` nor a positive number of seconds of whole ms.
    """
    if text == "all":
        return None
    if _NUMBER.fullmatch(text):
        step_ms = Decimal(text) * 1_000
        if 0 < step_ms <= LATEST_MS and step_ms == int(step_ms):
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
