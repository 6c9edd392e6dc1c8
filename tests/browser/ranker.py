"""A service with an incident in it, as the console's answers show it."""

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.browser.ranker_incident import ALERT_ID, Incident
from tests.browser.ranker_traffic import DAY_MS, MINUTE_MS, ROW0

RANGES: Final = {
    "5m": (300_000, 1_000),
    "15m": (900_000, 10_000),
    "1h": (3_600_000, 10_000),
    "6h": (21_600_000, 60_000),
    "24h": (86_400_000, 60_000),
    "7d": (604_800_000, 3_600_000),
    "30d": (2_592_000_000, 3_600_000),
    "90d": (7_776_000_000, 21_600_000),
}
COLUMNS: Final = [
    "method", "route", "requests", "errors", "e4xx", "p50_ms", "p95_ms", "p99_ms", "time_ratio", "before_p95_ms",
]  # fmt: skip


@dataclass
class Ranker(Incident):
    """The traffic and the alerts as overview, ticks and cards."""

    def models(self) -> list[dict[str, Any]]:
        first = [round(400 * math.exp(-(((i - 16) / 4.2) ** 2))) for i in range(20)]
        second = [round(40 * math.exp(-(((i - 11) / 4.8) ** 2))) for i in range(20)]
        seven = {
            "model": "ctr", "version": "7", "events": 4_612, "labelled_ratio": 0.81, "mae": 8.3, "confidence": 0.78,
            "p95_ms": 59.0, "error_ratio": 0.001, "hist": first,
        }  # fmt: skip
        eight = {
            "model": "ctr", "version": "8", "events": 402, "labelled_ratio": 0.74, "mae": 16.9, "confidence": 0.59,
            "p95_ms": 93.0, "error_ratio": 0.012, "hist": second,
        }  # fmt: skip
        return [seven, eight] if self.has_incident else [seven]

    def slos(self) -> list[dict[str, Any]]:
        """Return a budget that burns, one that is whole, and one that is spent."""
        windows = [
            {
                "severity": "critical", "burn_rate": 14.4, "long_ms": 3_600_000, "short_ms": 300_000,
                "long_burn_rate": 61.0, "short_burn_rate": 61.0, "is_burning": self.has_incident,
            }
        ]  # fmt: skip
        falling = [None] * 4 + [1 - (i / 55) ** 3 * 0.82 for i in range(56)]
        calm = [1 - i / 59 * 0.14 for i in range(60)]
        spent = [1 - i / 59 * 1.12 for i in range(60)]
        common: dict[str, Any] = {"service": self.service, "labels": {}, "period_ms": 30 * DAY_MS, "covered_ratio": 1.0}
        exact: dict[str, Any] = {"is_exact": True, "counted_at": 300.0, "alert": None, "windows": []}
        burning = {
            **common, **exact, "name": "availability", "good": "errors == 0", "objective": 0.999,
            "events": 41_228_913, "bad": 33_807, "budget_left_ratio": 0.18, "burn_rate": 61.0,
            "exhausted_in_ms": 7_560_000, "burn_down": falling, "windows": windows,
            "alert": {"id": ALERT_ID, "state": "firing", "severity": "critical"},
        }  # fmt: skip
        good = {
            **common, **exact, "name": "speed", "good": "duration_ms < 300", "objective": 0.99,
            "events": 41_228_913, "bad": 57_720, "budget_left_ratio": 0.86, "burn_rate": 0.4,
            "exhausted_in_ms": None, "burn_down": calm,
        }  # fmt: skip
        over = {
            **common, "name": "batch", "good": "duration_ms < 750", "objective": 0.95,
            "labels": {"route": "/predict/batch"}, "covered_ratio": 0.4,
            "is_exact": False, "counted_at": 752.0, "alert": None, "windows": [], "events": 812_004, "bad": 45_472,
            "budget_left_ratio": -0.12, "burn_rate": 1.3, "exhausted_in_ms": 0, "burn_down": spent,
        }  # fmt: skip
        return [over, burning, good] if self.has_incident else [good]

    def system(self) -> list[dict[str, Any]]:
        process = {
            "scope": "process",
            "threads": 24,
            "open_files": 61,
            "limits": {"memory_mb": 1000.0, "cpu_percent": 80.0},
        }
        return [
            {"instance": "api-1", "cpu_percent": 41.0, "memory_mb": 639.0, **process},
            {"instance": "api-2", "cpu_percent": 38.0, "memory_mb": 654.0, **process},
            {"instance": "api-3", "cpu_percent": 71.0, "memory_mb": 870.0, **process},
            {
                "instance": "host-a", "scope": "host", "cpu_percent": 56.0, "memory_mb": None, "memory_percent": 61.0,
                "disk_percent": 44.0, "load_1m": 3.1, "limits": {"cpu_percent": 80.0, "memory_percent": 90.0},
            },
        ]  # fmt: skip

    def pipeline(self, now_ms: int) -> dict[str, Any]:
        added = 48_211_904 + (now_ms - self.begun_ms) * 199 // 1_000
        return {
            "at_ms": now_ms, "behind_ms": 600, "dropped": 0, "is_accounted": True, "added": added, "committed": added,
            "pending": 0, "unread": 0, "dead": 0, "lost": 0, "producers": {"known": 6, "missing": 0},
            "stages": [
                {"stage": "producers", "state": "ok", "workers": 6, "lag_ms": 0},
                {"stage": "aggregator", "state": "ok", "workers": 2, "lag_ms": 12},
                {"stage": "alerter", "state": "ok", "workers": 1, "lag_ms": 38},
                {"stage": "notifier", "state": "ok", "workers": 1, "lag_ms": 0},
            ],
        }  # fmt: skip

    def standing(self, now_ms: int) -> dict[str, Any]:
        closed = now_ms // 1_000 * 1_000
        return {
            "at_ms": now_ms, "closed_through_ms": closed, "missing": 0, "minute": self.minute(closed),
            "endpoints": {"columns": COLUMNS, "rows": self.endpoint_rows(closed)[:100], "total": len(self.routes)},
            "models": self.models(), "system": self.system(), "alerts": self.alerts(), "silences": list(self.silenced),
            "markers": self.markers(), "pipeline": self.pipeline(now_ms),
        }  # fmt: skip

    def overview(self, asked: Mapping[str, str], now_ms: int, seq: int) -> dict[str, Any]:
        closed = now_ms // 1_000 * 1_000
        if "from" in asked:
            first, last = int(asked["from"]), int(asked["to"])
            step = next(step for length, step in RANGES.values() if length >= last - first)
        else:
            length, step = RANGES[asked.get("range", "1h")]
            last = -(-closed // step) * step
            first = last - length
        first = first // step * step
        points = -(-(last - first) // step)
        share, median = self._route(asked.get("route", ""))
        columns = [self.point(first + i * step, step, share, median) for i in range(points)]
        before = [self.point(first - DAY_MS + i * step, step, share, median) for i in range(points)]
        is_open = "from" not in asked and last > closed
        if is_open:
            columns[-1] = self.open_point(columns[-1]["t"], step, closed, share, median)
        names = ("requests", "errors", "e4xx", "p50_ms", "p95_ms", "p99_ms", "missing")
        standing = self.standing(now_ms)
        standing["minute"] = self.minute(closed, asked.get("route", ""))
        standing["endpoints"]["spark"] = self.spark(closed)
        return {
            "service": self.service, "epoch": self.epoch, "seq": seq, "from_ms": first, "step_ms": step,
            "points": points, "covered_from_ms": self.begun_ms - 2 * 3_600_000 if step < MINUTE_MS else 0,
            "is_open": is_open,
            "red": {name: [column[name] for column in columns] for name in names},
            "before": {
                "offset_ms": DAY_MS,
                **{name: [point[name] for point in before] for name in ("requests", "errors", "p95_ms")},
            },
            "heat": {"rows_per_octave": 2, "row0": ROW0, "cols": [column["heat"] for column in columns]},
            "episodes": self.episodes(),
            "thresholds": [{"figure": "error_ratio", "value": 0.05, "rule": "high-error-rate"}],
            **standing,
        }  # fmt: skip

    def tick(self, now_ms: int, seq: int) -> dict[str, Any]:
        closed = now_ms // 1_000 * 1_000
        points = {}
        for step in (1_000, 10_000, 60_000, 3_600_000):
            points[str(step)] = self.open_point((closed - 1) // step * step, step, closed)
        standing = self.standing(now_ms)
        return {
            "type": "tick", "service": self.service, "seq": seq, "at_ms": now_ms, "closed_through_ms": closed,
            "missing": 0, "points": points, "minute": standing["minute"],
            "endpoints": {"rows": standing["endpoints"]["rows"]}, "models": standing["models"],
            "system": standing["system"], "pipeline": standing["pipeline"],
        }  # fmt: skip

    def cards(self, now_ms: int) -> list[dict[str, Any]]:
        """Return this service and five more."""
        closed = now_ms // 1_000 * 1_000
        worst = self.alerts()[0] if self.has_incident else None
        mine = self.minute(closed)
        cards = [
            _card(self.service, closed, mine["requests"], mine["error_ratio"], mine["p95_ms"], worst, self._badness)
        ]
        warning: dict[str, Any] = {
            "id": "aa11d4aa07be5d44", "rule": "slow-responses", "severity": "warning", "state": "firing", "labels": {},
            "summary": "p95 612 ms on GET /query", "contributors": [], "started_at_ms": now_ms - 4 * MINUTE_MS,
            "fired_at_ms": now_ms - 3 * MINUTE_MS, "value": 612.0, "threshold": 500.0,
        }  # fmt: skip
        cards += [
            _card("search", closed, 5_210, 0.004, 88.0, warning if self.has_incident else None),
            _card("moderation", closed, 940, 0.002, 410.0, None),
            _card("embeddings", closed, 22_110, 0.0004, 31.0, None),
            _card("checkout-fraud", closed, 3_180, 0.001, 54.0, None),
            _card("batch-scorer", closed - 12 * MINUTE_MS, 0, None, None, None),
            {**_card("barograph", closed, 0, None, None, None), "is_internal": True},
        ]
        return cards


def _card(
    service: str,
    closed_ms: int,
    requests: int,
    error_ratio: float | None,
    p95_ms: float | None,
    worst: dict[str, Any] | None,
    badness: Any = None,
) -> dict[str, Any]:
    dice = random.Random(service)
    level = requests or 400
    spark: list[int | None] = [
        round(level * (1 + 0.06 * math.sin(i / 4 + len(service)) + dice.gauss(0, 0.015))) for i in range(30)
    ]
    if not requests:
        spark[18:] = [0] * 12
    errors = [
        round((level or 0) * 0.3 * badness(closed_ms - (29 - i) * MINUTE_MS)) if badness else 0 for i in range(30)
    ]
    return {
        "service": service, "closed_through_ms": closed_ms, "is_internal": False, "firing": 1 if worst else 0,
        "minute": {"requests": requests, "errors": 0, "error_ratio": error_ratio, "p95_ms": p95_ms},
        "worst_alert": worst, "spark": {"step_ms": MINUTE_MS, "requests": spark, "errors": errors},
    }  # fmt: skip
