"""The condition of a rule with its values, as people read why an alert fires. Pure."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from barograph_core.alerts.published_rules import PublishedRule, PublishedSlo
from barograph_core.text.durations import format_duration

_THREE_DIGITS: Final = 999.5
_BURN_RATE: Final = "burn_rate"


def leading_value(rule: PublishedRule, value: float | None) -> dict[str, float]:
    """Return ``value`` as that of what decides; empty without a value, and where what decides is composed.

    Of an objective it is the rate at which its budget burns.
    """
    if rule.slo is not None and value is not None:
        return {_BURN_RATE: value / (1 - rule.slo.objective)}
    return {} if rule.leading is None or value is None else {rule.leading.quantity: value}


def condition_text(rule: PublishedRule, values: Mapping[str, float]) -> str:
    """Return the condition of ``rule`` with the values of what it compares.

    Each stands behind the first mention of its quantity: ``error_rate 0.131 > 0.05 and count 812 >= 20 over 10 s``.
    """
    if rule.slo is not None:
        return _burn_text(rule.slo, values.get(_BURN_RATE))
    text = rule.when
    if values:
        waiting = dict(values)

        def with_value(match: re.Match[str]) -> str:
            value = waiting.pop(match[0], None)
            return match[0] if value is None else f"{match[0]} {_number_text(value)}"

        text = _mentions(tuple(values)).sub(with_value, text)
    return f"{text} over {format_duration(rule.window_ms)}"


def recovery_text(rule: PublishedRule) -> str:
    """Return the condition of its recovery; empty where that is the end of the breach."""
    return rule.resolve_when if rule.slo is None else "no pair of windows burns so fast any more"


def _burn_text(slo: PublishedSlo, burn_rate: float | None) -> str:
    """Return ``burn rate 15.2 of what "errors == 0" allows > 14.4 over 1h and 5m, or > 6 over 6h and 30m``."""
    value = "" if burn_rate is None else f" {_number_text(burn_rate)}"
    limits = ", or ".join(
        f"> {one.burn_rate:g} over {format_duration(one.long_ms)} and {format_duration(one.short_ms)}"
        for one in slo.windows
    )
    return f"burn rate{value} of what {slo.good!r} allows {limits}"


@lru_cache(256)
def _mentions(quantities: tuple[str, ...]) -> re.Pattern[str]:
    """Return what finds quantities in a condition; the longest first: where two fit, that one is meant."""
    names = "|".join(re.escape(name) for name in sorted(quantities, key=len, reverse=True))
    return re.compile(rf"(?<![\w.])(?:{names})(?![\w.\[])")


def _number_text(value: float) -> str:
    """Return three significant digits, or all of a greater whole part."""
    return f"{value:.0f}" if abs(value) >= _THREE_DIGITS else f"{value:.3g}"
