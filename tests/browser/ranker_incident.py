"""How the service of the fixture is watched: its alerts, what became of them, and what was sent."""

from typing import Any, Final

from tests.browser.ranker_traffic import DAY_MS, MINUTE_MS, Traffic

ALERT_ID: Final = "9f2c41aa07be5d13"
MAE_ID: Final = "0c11d4aa07be5d20"
SLOW_ID: Final = "77aa41aa07be5d31"


class Incident(Traffic):
    """The traffic, and the alerts about it."""

    def alerts(self) -> list[dict[str, Any]]:
        if not self.has_incident:
            return list(self.extra_alerts)
        rows: list[dict[str, Any]] = [
            {
                "id": ALERT_ID, "rule": "high-error-rate", "severity": "error", "state": "firing",
                "service": self.service, "labels": {"route": "/predict", "method": "POST"}, "value": 0.131,
                "threshold": 0.05, "unit": "ratio", "summary": "POST /predict: 13.1 % errors",
                "why": "error_rate 0.131 > 0.05 and count 812 >= 20 over 10 s",
                "started_at_ms": self.incident_ms, "fired_at_ms": self.incident_ms + 10_000,
                "contributors": [
                    {"labels": {"version": "8"}, "of": "errors", "amount": 554, "share_ratio": 0.96},
                    {"labels": {"instance": "api-3"}, "of": "errors", "amount": 236, "share_ratio": 0.41},
                ],
                "runbook": "https://runbooks.example/high-error-rate", "ack": None, "silenced_by": [],
                "inhibited_by": [], "is_flapping": False,
            },
            {
                "id": MAE_ID, "rule": "model-mae", "severity": "warning", "state": "firing", "service": self.service,
                "labels": {"model": "ctr", "version": "8"}, "value": 16.9, "threshold": 12.0, "unit": "",
                "summary": "ctr 8: mean absolute error 16.9", "why": "", "started_at_ms": self.begun_ms - 8 * MINUTE_MS,
                "fired_at_ms": self.begun_ms - 7 * MINUTE_MS, "contributors": [], "runbook": "", "ack": None,
                "silenced_by": [], "inhibited_by": [], "is_flapping": False,
            },
            {
                "id": SLOW_ID, "rule": "slow-responses", "severity": "warning", "state": "pending",
                "service": self.service, "labels": {"route": "/predict/batch"}, "value": 1180.0, "threshold": 1000.0,
                "unit": "ms", "summary": "/predict/batch: p95 1.18 s", "why": "",
                "started_at_ms": self.begun_ms - 12_000, "fired_at_ms": None, "contributors": [], "runbook": "",
                "ack": None, "silenced_by": [], "inhibited_by": [], "is_flapping": False,
            },
        ]  # fmt: skip
        active = [row for row in rows + self.extra_alerts if row["id"] not in self.resolved]
        for row in active:
            named = {f"{name}={value}" for name, value in {"alertname": row["rule"], **row["labels"]}.items()}
            row["silenced_by"] = [one["id"] for one in self.silenced if named <= set(one["matchers"])]
        return [{**row, "ack": self.acked.get(row["id"])} for row in active]

    def episodes(self) -> list[list[Any]]:
        slow = self.begun_ms - 42 * MINUTE_MS
        past = [["slow-responses", "warning", slow, slow + 30_000, slow + 150_000, None, "5511d4aa07be5d44"]]
        if not self.has_incident:
            return past
        return [
            *past,
            ["high-error-rate", "error", self.incident_ms, self.incident_ms + 10_000, None, None, ALERT_ID],
            ["model-mae", "warning", self.begun_ms - 8 * MINUTE_MS, self.begun_ms - 7 * MINUTE_MS, None, None, MAE_ID],
            ["slow-responses", "warning", self.begun_ms - 12_000, None, None, None, SLOW_ID],
        ]

    def markers(self) -> list[dict[str, Any]]:
        return [
            {"at_ms": self.begun_ms - 48 * MINUTE_MS, "kind": "deploy", "title": "api 2.14.1", "key": "ci:1"},
            {"at_ms": self.begun_ms - 21 * MINUTE_MS, "kind": "release", "title": "ctr 8", "key": "release:ctr:8"},
        ]

    def history(self) -> list[dict[str, Any]]:
        if not self.has_incident:
            return [
                self._entry(i, *row)
                for i, row in enumerate(
                    [
                        (39.5, "slow-responses", "warning", "firing", "resolved", ""),
                        (41.5, "slow-responses", "warning", "pending", "firing", ""),
                    ]
                )
            ]
        rows = [
            (0.2, "slow-responses", "warning", "inactive", "pending", ""),
            (7, "model-mae", "warning", "pending", "firing", ""),
            (8, "model-mae", "warning", "inactive", "pending", ""),
            (10.8, "high-error-rate", "error", "pending", "firing", ""),
            (11, "high-error-rate", "error", "inactive", "pending", ""),
            (39.5, "slow-responses", "warning", "firing", "resolved", ""),
            (41.5, "slow-responses", "warning", "pending", "firing", ""),
        ]
        return [self._entry(i, *row) for i, row in enumerate(rows)]

    def _entry(
        self, i: int, age_min: float, rule: str, severity: str, before: str, after: str, reason: str
    ) -> dict[str, Any]:
        at_ms = self.begun_ms - round(age_min * MINUTE_MS)
        return {
            "entry_id": f"{at_ms}-{i}", "rule": rule, "severity": severity, "from": before, "to": after, "at_ms": at_ms,
            "transition": f"{rule} {after}",
            "reason": reason, "actor": "", "labels": {}, "service": self.service,
        }  # fmt: skip

    def deliveries(self) -> list[dict[str, Any]]:
        if not self.has_incident:
            return []
        rows = [
            (10.8, "high-error-rate firing", "slack #ml-oncall", 212),
            (10.8, "high-error-rate firing", "pagerduty", 900),
            (7, "model-mae firing", "slack #ml-oncall", 180),
        ]
        return [
            {
                "at_ms": self.begun_ms - round(age * MINUTE_MS) + delay, "transition": transition, "channel": channel,
                "result": "sent", "attempt": 1, "reason": "", "entry_id": f"{i}-0",
            }
            for i, (age, transition, channel, delay) in enumerate(rows)
        ]  # fmt: skip

    def alert(self, alert_id: str, now_ms: int) -> dict[str, Any] | None:
        row = next((row for row in self.alerts() if row["id"] == alert_id), None)
        if row is None:
            return None
        first = now_ms // 10_000 * 10_000 - 30 * MINUTE_MS
        values = []
        for i in range(180):
            point = self.point(first + i * 10_000, 10_000)
            values.append(None if point["requests"] is None else round(point["errors"] / point["requests"] * 2.2, 4))
        fired_ms = row["fired_at_ms"] or now_ms
        return {
            **row,
            "why": {
                "text": row["why"], "resolves": "error_rate < 0.03", "window_ms": 10_000,
                "values": {"error_rate": 0.131, "count": 812},
            },
            "next_notification_ms": now_ms + 4 * MINUTE_MS, "notify_reason": "",
            "series": {
                "from_ms": first, "step_ms": 10_000, "figure": "error_rate", "values": values, "fires_above": 0.05,
                "clears_below": 0.03,
            },
            "log": [
                {"at_ms": row["started_at_ms"], "what": "pending", "actor": "", "note": "first breach"},
                {"at_ms": fired_ms, "what": "firing", "actor": "", "note": ""},
                {"at_ms": fired_ms + 212, "what": "delivery", "channel": "slack", "result": "sent", "delay_ms": 212},
                {"at_ms": fired_ms + 900, "what": "delivery", "channel": "pager", "result": "sent", "delay_ms": 900},
            ],
            "markers": [
                {
                    "at_ms": fired_ms - 2 * MINUTE_MS, "kind": "deploy", "title": "api 2.15", "key": "ci:2",
                    "url": "https://ci.example/2", "actor": "ci",
                },
                {
                    "at_ms": fired_ms - 10 * MINUTE_MS, "kind": "config", "title": "pool 20", "key": "ci:3",
                    "url": "javascript:alert(1)", "actor": "",
                },
            ],
            "similar": [
                {
                    "started_at_ms": now_ms - 3 * DAY_MS, "ended_at_ms": now_ms - 3 * DAY_MS + 22 * MINUTE_MS,
                    "actor": "tom", "acked_by": "mira", "note": "bad weights, rolled back",
                    "deeds": [
                        {"at_ms": now_ms - 3 * DAY_MS, "what": "acknowledged", "actor": "mira", "note": "looking"},
                        {
                            "at_ms": now_ms - 3 * DAY_MS + 22 * MINUTE_MS, "what": "resolved", "actor": "tom",
                            "note": "bad weights, rolled back",
                        },
                    ],
                },
                {
                    "started_at_ms": now_ms - 9 * DAY_MS, "ended_at_ms": now_ms - 9 * DAY_MS + 4 * MINUTE_MS,
                    "actor": "", "acked_by": "", "note": "", "deeds": [],
                },
            ],
        }  # fmt: skip
