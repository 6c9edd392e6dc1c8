"""What the service of the fixture did: figures as functions of time, so that answers agree with each other."""

import math
import random
from dataclasses import dataclass, field
from typing import Any, Final

MINUTE_MS: Final = 60_000
DAY_MS: Final = 86_400_000
# Method, route, share of requests, median ms.
ROUTES: Final = (
    ("POST", "/predict", 0.40, 40.0),
    ("POST", "/rank", 0.21, 21.0),
    ("GET", "/features/{user_id}", 0.15, 6.0),
    ("GET", "/models/{id}", 0.12, 3.9),
    ("POST", "/feedback", 0.06, 9.1),
    ("POST", "/predict/batch", 0.03, 246.0),
    ("GET", "/health", 0.025, 1.3),
    ("GET", "/explain/{id}", 0.005, 599.0),
)
ROW0: Final = -2


def _cdf(x: float) -> float:
    return 0.5 * (1 + math.erf(x / math.sqrt(2)))


def _row_start(row: int) -> float:
    octave, half = divmod(row, 2)
    return float(2.0**octave * (1 + half / 2))


@dataclass
class Traffic:
    """What the service did, and how it is watched.

    Attributes:
        begun_ms: When the fixture was made; the incident began eleven minutes before.
        has_incident: False is the calm service.
        gap: A span without any point, in which producers were missing.
        covered_ms: How much of the last minute the service was there for.
    """

    begun_ms: int
    service: str = "ranker"
    has_incident: bool = True
    gap: tuple[int, int] | None = None
    covered_ms: int = MINUTE_MS
    routes: tuple[tuple[str, str, float, float], ...] = ROUTES
    extra_alerts: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    resolved: set[str] = field(default_factory=set[str])
    silenced: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    acked: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    epoch: str = "7f3a9c1e"

    @property
    def incident_ms(self) -> int:
        return self.begun_ms - 11 * MINUTE_MS

    def _badness(self, t: int) -> float:
        """Return 0 before the incident, up to about 1 in it."""
        if not self.has_incident or t < self.incident_ms:
            return 0.0
        return min(1.0, (t - self.incident_ms) / (4 * MINUTE_MS))

    def _slowness(self, t: int) -> float:
        middle = self.begun_ms - 41 * MINUTE_MS
        return math.exp(-(((t - middle) / (1.2 * MINUTE_MS)) ** 2))

    def point(self, t: int, step_ms: int, share: float = 1.0, median_ms: float = 20.0) -> dict[str, Any]:
        """Return the point that begins at ``t``; the same for the same arguments."""
        if self.gap and self.gap[0] <= t < self.gap[1]:
            nothing = dict.fromkeys(("requests", "errors", "e4xx", "p50_ms", "p95_ms", "p99_ms"))
            return {"t": t, **nothing, "missing": 2, "heat": []}
        dice = random.Random(t // step_ms * 7919 + step_ms)
        wave = 1 + 0.02 * math.sin(t / 400_000)
        bad, slow = self._badness(t), self._slowness(t)
        requests = round(12_000 / 60_000 * step_ms * share * wave * dice.gauss(1, 0.012))
        error_ratio = 0.0012 * max(0.1, dice.gauss(1, 0.5)) + bad * 0.058 * max(0.2, dice.gauss(1, 0.42)) + slow * 0.002
        middle = math.log(median_ms) + 0.5 * slow + 0.08 * bad
        spread = 1.02 + 0.28 * bad
        heat: list[int] = []
        for row in range(-2, 26):
            low, high = (_row_start(row + i) for i in (0, 1))
            weight = _cdf((math.log(high) - middle) / spread) - _cdf((math.log(low) - middle) / spread)
            n = round(requests * weight * max(0.0, dice.gauss(1, 0.12)))
            if n:
                heat += [row - ROW0, n]
        p50, p95, p99 = (math.exp(middle + z * spread) * dice.gauss(1, 0.025) for z in (0.0, 1.63, 2.85))
        return {
            "t": t,
            "requests": requests,
            "errors": round(requests * error_ratio),
            "e4xx": round(requests * 0.005 * dice.gauss(1, 0.15)),
            "p50_ms": round(p50, 2),
            "p95_ms": round(p95, 2),
            "p99_ms": round(p99, 2),
            "missing": 0,
            "heat": heat,
        }

    def open_point(self, t: int, step: int, closed: int, share: float = 1.0, median: float = 20.0) -> dict[str, Any]:
        """Return a bucket as far as it is counted: the part of it that has passed."""
        point = self.point(t, step, share, median)
        part = max(0.0, min(1.0, (closed - t) / step))
        if point["requests"] is None:
            return point
        counted = {name: round(point[name] * part) for name in ("requests", "errors", "e4xx")}
        return {**point, **counted, "is_open": part < 1}

    def _route(self, route: str) -> tuple[float, float]:
        found = [(share, median) for method, name, share, median in self.routes if f"{method} {name}" == route]
        return found[0] if found else (1.0, 20.0)

    def minute(self, now_ms: int, route: str = "") -> dict[str, Any]:
        share, median = self._route(route)
        now = self.point(now_ms - MINUTE_MS, MINUTE_MS, share, median)
        errors = now["errors"] or 0
        ratio = errors / now["requests"] if now["requests"] else None
        return {
            **{name: now[name] for name in ("requests", "p50_ms", "p95_ms", "p99_ms")},
            "covered_ms": self.covered_ms,
            "errors": errors,
            "error_ratio": ratio,
            "apdex": round(0.97 - 0.09 * self._badness(now_ms), 2),
            "apdex_t_ms": 500,
            "before": {
                "requests": round(11_814 * share),
                "error_ratio": 0.0015,
                "p95_ms": 98 * median / 20,
                "p99_ms": 391 * median / 20,
                "apdex": 0.97,
            },
        }

    def endpoint_rows(self, now_ms: int) -> list[list[Any]]:
        rows: list[list[Any]] = []
        total = sum(share * median for *_, share, median in self.routes)
        for method, route, share, median in self.routes:
            figures = self.point(now_ms - MINUTE_MS, MINUTE_MS, share, median)
            is_bad = self.has_incident and route == "/predict"
            errors = round(figures["requests"] * 0.131) if is_bad else round(figures["requests"] * 0.0018)
            rows.append([
                method, route, figures["requests"], errors, figures["e4xx"], round(median, 1),
                round(median * (6.2 if is_bad else 2.4), 1), round(median * (11 if is_bad else 3.6), 1),
                round(share * median / total, 3), round(median * 2.3, 1),
            ])  # fmt: skip
        return rows

    def spark(self, now_ms: int) -> dict[str, Any]:
        requests, errors, p95 = [], [], []
        for _method, route, share, median in self.routes[:100]:
            points = [
                self.point(t, MINUTE_MS, share, median) for t in range(now_ms - 30 * MINUTE_MS, now_ms, MINUTE_MS)
            ]
            is_bad = route == "/predict"
            requests.append([point["requests"] for point in points])
            errors.append(
                [
                    (point["errors"] if is_bad else point["e4xx"] // 4)
                    for point in points
                    if point["requests"] is not None
                ]
            )
            p95.append(
                [
                    point["p95_ms"] * (1 + (1.5 * self._badness(point["t"]) if is_bad else 0))
                    for point in points
                    if point["p95_ms"] is not None
                ]
            )
        return {"step_ms": MINUTE_MS, "requests": requests, "errors": errors, "p95_ms": p95}
