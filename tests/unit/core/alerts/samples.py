"""An alert as the tests of its record and of its transitions have it."""

from barograph_core.alerts.record import AlertRecord, AlertState, Contributor, Severity, alert_id

RECORD = AlertRecord(
    alert_id=alert_id("slow", "ranker", {"route": "/predict"}),
    rule="slow",
    service="ranker",
    labels={"route": "/predict"},
    severity=Severity.ERROR,
    state=AlertState.FIRING,
    episode_ms=1_000,
    changed_at_ms=2_000,
    breached_to_ms=3_000,
    cooldown_ms=300_000,
    number=2,
    fired_at_ms=2_000,
    value=512.5,
    threshold=500.0,
    summary="p95 beträgt 512 ms",
    runbook="https://example.org/slow",
    contributors=(Contributor({"method": "GET"}, "errors", 3.0, 0.75),),
)
