"""Objectives as samples for ``/metrics``. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from barograph_core.objectives.status import SloStatus
from barograph_core.pipeline.samples import Family, Sample
from barograph_core.text.durations import format_duration

# Bound on the label sets of all objectives. A scraper keeps every series that it ever saw.
MOST_SETS: Final = 500
_NOT_IN_NAMES: Final = re.compile(r"[^a-zA-Z0-9_]", re.ASCII)

OBJECTIVE: Final = Family("barograph_slo_objective_ratio", "gauge", "share of the events that is to be good")
LEFT: Final = Family(
    "barograph_slo_budget_left_ratio", "gauge", "share of the error budget that is left; below 0 where more is spent"
)
BURN: Final = Family(
    "barograph_slo_burn_rate", "gauge", "how fast a window spends the budget; 1 spends it in exactly the period"
)
EVENTS: Final = Family("barograph_slo_events", "gauge", "events of the sliding period that can be told good or bad")
BAD: Final = Family("barograph_slo_bad_events", "gauge", "bad events of the sliding period")
EXHAUSTED: Final = Family(
    "barograph_slo_exhausted_seconds", "gauge", "when the budget is gone at this rate; absent where it lasts the period"
)


def slo_samples(statuses: Iterable[SloStatus]) -> Iterator[Sample]:
    """Yield the figures of all objectives, of the least budgets where there are very many."""
    shown = sorted(statuses, key=lambda one: one.left)[:MOST_SETS]
    for status in sorted(shown, key=lambda one: (one.rule.name, one.service, tuple(one.labels.values()))):
        labels = {**_names(status.labels), "service": status.service, "slo": status.rule.name}
        yield Sample(OBJECTIVE, labels, status.objective.target)
        yield Sample(LEFT, labels, status.left)
        yield Sample(EVENTS, labels, status.spent.total)
        yield Sample(BAD, labels, status.spent.total - status.spent.passed)
        if status.exhausted_in_ms is not None:
            yield Sample(EXHAUSTED, labels, status.exhausted_in_ms / 1_000)
        rates = {burn.pair.short_ms: burn.short_rate for burn in status.windows}
        rates |= {burn.pair.long_ms: burn.long_rate for burn in status.windows}
        for span_ms, rate in sorted(rates.items()):
            if rate is not None:
                yield Sample(BURN, {**labels, "window": format_duration(span_ms)}, rate)


def _names(labels: Mapping[str, str]) -> dict[str, str]:
    """Return labels whose names Prometheus takes."""
    found = {_NOT_IN_NAMES.sub("_", name): value for name, value in labels.items()}
    return {f"_{name}" if name[:1].isdigit() else name: value for name, value in found.items()}
