"""An overview as the console gives it, small."""

from typing import Any

from barograph_cli.rest.fields import Fields
from barograph_cli.top.state import ServiceState

NOW_MS = 1_796_000_100_000
COLUMNS = ["method", "route", "requests", "errors", "e4xx", "p50_ms", "p95_ms", "p99_ms", "time_ratio", "before_p95_ms"]


def minute(**changes: Any) -> dict[str, Any]:
    figures = {"error_ratio": 0.002, "p50_ms": 5.4, "p95_ms": 21.0, "p99_ms": 80.0, "apdex": 0.99}
    return {"requests": 3_000, "covered_ms": 60_000, "errors": 6, **figures, **changes}


def alert(**changes: Any) -> dict[str, Any]:
    return {
        "id": "a" * 16,
        "rule": "high-error-rate",
        "severity": "error",
        "state": "firing",
        "service": "ranker",
        "labels": {"route": "/predict", "method": "POST"},
        "summary": "13.1 % of POST /predict fail.",
        "why": "error_rate 0.131 > 0.05 over 10s",
        "started_at_ms": NOW_MS - 30_000,
        "fired_at_ms": NOW_MS - 20_000,
        "ack": None,
        "silenced_by": [],
        "inhibited_by": [],
        "contributors": [],
        **changes,
    }


def stages(**workers: int) -> list[dict[str, Any]]:
    found = {"producers": 1, "aggregator": 1, "alerter": 1, "notifier": 1, **workers}
    return [{"stage": name, "state": "ok" if number else "down", "workers": number} for name, number in found.items()]


def pipeline(**changes: Any) -> dict[str, Any]:
    account = {"behind_ms": 600, "dropped": 0, "is_accounted": True, "dead": 0, "lost": 0}
    return {**account, "producers": {"known": 2, "missing": 0}, "stages": stages(), **changes}


def overview(**changes: Any) -> dict[str, Any]:
    return {
        "service": "ranker",
        "epoch": "7f3a9c1e",
        "seq": 10,
        "closed_through_ms": NOW_MS - 500,
        "from_ms": NOW_MS - 40_000,
        "step_ms": 10_000,
        "red": {"requests": [500, None, 500, 40], "errors": [1, None, 1, 0], "p95_ms": [20.0, None, 22.0, 21.0]},
        "minute": minute(),
        "endpoints": {"columns": COLUMNS, "rows": [["POST", "/predict", 3_000, 6, 0, 5.4, 21.0, 80.0, 1.0, None]]},
        "models": [],
        "alerts": [],
        "markers": [],
        "rules": 5,
        "pipeline": pipeline(),
        **changes,
    }


def state(**changes: Any) -> ServiceState:
    return ServiceState.of(Fields(overview(**changes)))
