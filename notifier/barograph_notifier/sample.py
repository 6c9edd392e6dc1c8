"""The marked sample that a test of a channel sends: an alert that begins and ends, on no service."""

from barograph_core.alerts.record import Contributor, Severity
from barograph_notifier.notification import Notification, Status

_LASTED_MS = 61_000


def sample_notification(
    status: Status,
    now_ms: int,
    *,
    first_ref: str = "",
    console_url: str = "",
    sent_by: str = "barograph notify test",
) -> Notification:
    """Return the sample; the same ``now_ms`` for both makes them one episode."""
    return Notification(
        status=status,
        reason="test",
        alert_id="0000000000000000",
        rule="barograph-test",
        severity=Severity.INFO,
        service="_test",
        labels={"sent_by": sent_by},
        value=0.213,
        threshold=0.05,
        summary="This is a test of the channel. No alert fires, and there is nothing to do.",
        started_at_ms=now_ms - _LASTED_MS,
        changed_at_ms=now_ms,
        contributors=(
            Contributor({"example": "first"}, "errors", 12.0, 0.8),
            Contributor({"example": "second"}, "errors", 3.0, 0.2),
        ),
        runbook="",
        actor="",
        first_ref=first_ref,
        console_url=console_url,
    )
