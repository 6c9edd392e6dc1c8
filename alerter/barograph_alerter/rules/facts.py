"""The names that a summary's template may use, each with its value for one alert."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol, Self

from barograph_alerter.conditions.functions import PLAIN_NAMES, Quantity, parse_quantity
from barograph_core.events.kinds import Kind
from barograph_core.text.durations import format_duration

FACTS: Final = ("rule", "service", "severity", "label", "labels", "value", "threshold", "window", "condition")


class Numbers(Protocol):
    """Where a template gets its numbers from: a row."""

    def number(self, quantity: Quantity) -> float | None:
        """Return the value, or ``None`` where there is no data for it."""
        ...


@dataclass(frozen=True, slots=True)
class MeasureFacts:
    """A measure in a template: ``{{ duration_ms.p95 | ms }}``."""

    name: str
    # With an underscore a template cannot reach it.
    _row: Numbers = field(repr=False)

    def __getattr__(self, statistic: str) -> float | None:
        return _statistic(self.name, statistic, self._row)


class ValueOfMeasure(float):
    """The alert's value, where the kind has a measure of that name: ``{{ value }}`` and ``{{ value.sum }}``.

    A number, so that filters and comparisons take it; NaN where there is none.
    """

    _row: Numbers

    def __new__(cls, value: float, row: Numbers) -> Self:
        made = super().__new__(cls, value)
        made._row = row
        return made

    def __getattr__(self, statistic: str) -> float | None:
        return _statistic("value", statistic, self._row)


def _statistic(measure: str, statistic: str, row: Numbers) -> float | None:
    if statistic.startswith("_"):
        raise AttributeError(statistic)
    quantity = parse_quantity(measure, statistic)
    if quantity is None:
        # Jinja's own words for an AttributeError would name our class.
        raise LookupError(f"{measure} has no statistic {statistic!r}; avg, sum, p95 are some")
    return row.number(quantity)


def facts_of(
    kind: Kind,
    row: Numbers,
    labels: Mapping[str, str],
    *,
    rule: str,
    service: str,
    severity: str,
    value: float | None,
    threshold: float | None,
    window_ms: int,
    condition: str,
) -> dict[str, object]:
    """Return every name of a template with its value. A label named like a quantity is only in ``labels``."""
    facts: dict[str, object] = dict(labels)
    facts |= {name: row.number(Quantity(name)) for name in PLAIN_NAMES}
    facts |= {name: MeasureFacts(name, row) for name in kind.measure_names}
    facts |= {
        "rule": rule,
        "service": service,
        "severity": severity,
        "label": dict(labels),
        "labels": dict(labels),
        "value": _value_of_measure(value, row) if "value" in kind.measure_names else value,
        "threshold": threshold,
        "window": format_duration(window_ms),
        "condition": condition,
    }
    return facts


def _value_of_measure(value: float | None, row: Numbers) -> ValueOfMeasure:
    return ValueOfMeasure(math.nan if value is None else value, row)
