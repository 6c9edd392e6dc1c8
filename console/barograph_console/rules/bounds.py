"""The bounds that rules set on the figures of charts and tables, and why an alert fires. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import Field

from barograph_console.rows.requests import Endpoint
from barograph_console.serving.numbers import Finite
from barograph_core.alerts.published_rules import Bound, PublishedRule
from barograph_core.matching.matcher import match_all

_MINUTE_MS: Final = 60_000
_FIGURES: Final = {
    "error_rate": "error_ratio",
    "duration_ms.p50": "p50_ms",
    "duration_ms.p95": "p95_ms",
    "duration_ms.p99": "p99_ms",
}
_SCOPES: Final = ("process", "host")


@dataclass(frozen=True, slots=True)
class Threshold:
    """A bound that a rule sets on a figure of the charts."""

    figure: Annotated[str, Field(description="error_ratio, p50_ms, p95_ms, p99_ms, or requests (a minute)")]
    value: Finite
    rule: str
    is_above: Annotated[bool, Field(description="whether the rule fires above it, and not below")] = True


def thresholds_of(rules: Iterable[PublishedRule], endpoint: Endpoint | None) -> list[Threshold]:
    """Return the bounds on the charts of requests.

    Args:
        rules: Those that watch the service.
        endpoint: Of which the charts are; ``None`` for the whole service. A rule for each route sets no bound on all
            of them together, nor one for the service on a single route.
    """
    found: list[Threshold] = []
    for rule in rules:
        if rule.on != "request" or not _is_about(rule, endpoint):
            continue
        for bound in rule.fires:
            figure, value = _on_chart(bound, rule.window_ms)
            if figure and not bound.is_guard and bound.operator not in ("==", "!="):
                found.append(Threshold(figure, value, rule.name, bound.is_above))
    return found


def system_limits(rules: Iterable[PublishedRule]) -> dict[str, dict[str, float]]:
    """Return scope -> measure -> the lowest value above which a rule fires for each instance."""
    limits: dict[str, dict[str, float]] = {scope: {} for scope in _SCOPES}
    for rule in rules:
        if rule.on != "system" or rule.where_patterns or not set(rule.where) <= {"scope"}:
            continue
        for bound in rule.fires:
            measure, _, statistic = bound.quantity.partition(".")
            if not bound.is_above or statistic in ("", "count", "sum", "stddev"):
                continue
            for scope in _SCOPES if "scope" not in rule.where else (rule.where["scope"],):
                of_scope = limits.setdefault(scope, {})
                of_scope[measure] = min(bound.threshold, of_scope.get(measure, bound.threshold))
    return limits


def _on_chart(bound: Bound, window_ms: int) -> tuple[str, float]:
    """Return the figure of the charts that ``bound`` is about, empty when none is, and its value there."""
    if bound.quantity == "count":
        return "requests", bound.threshold * _MINUTE_MS / window_ms
    if bound.quantity == "rate":
        return "requests", bound.threshold * _MINUTE_MS / 1_000
    return _FIGURES.get(bound.quantity, ""), bound.threshold


def _is_about(rule: PublishedRule, endpoint: Endpoint | None) -> bool:
    """Say whether one of the rule's alerts is about what the charts show."""
    labels: Mapping[str, str] = {} if endpoint is None else {"route": endpoint.route, "method": endpoint.method}
    named = {*rule.by, *rule.where, *rule.where_patterns}
    if endpoint is None or not named:
        return endpoint is None and not named
    return (
        named <= set(labels)
        and all(labels[name] == value for name, value in rule.where.items())
        and match_all(rule.where_patterns, labels)
    )
