"""The console's answers about alerts: active ones, their history, and when each was on."""

from dataclasses import dataclass
from typing import Final

from barograph_cli.explore.ranges import TimeRange
from barograph_cli.rest.client import ConsoleClient
from barograph_cli.rest.fields import Fields

SEVERITIES: Final = ("critical", "error", "warning", "info")
# The console's largest page of the history.
PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class ActiveAlert:
    """An alert that is pending or firing."""

    rule: str
    severity: str
    state: str
    labels: str
    summary: str
    value: float | None
    threshold: float | None
    started_ms: int
    fired_ms: int | None


@dataclass(frozen=True, slots=True)
class AlertChange:
    """One entry of the alerts stream: what changed, when, and by whom."""

    at_ms: int
    rule: str
    severity: str
    labels: str
    before: str
    after: str
    summary: str
    value: float | None
    threshold: float | None
    reason: str
    actor: str


@dataclass(frozen=True, slots=True)
class History:
    """A page of changes, newest first. ``is_whole``: there are no older ones."""

    changes: list[AlertChange]
    is_whole: bool


@dataclass(frozen=True, slots=True)
class Episode:
    """One time that an alert was on; a moment that it has not reached is ``None``.

    Attributes:
        acked_ms: When a person acknowledged it.
        actor: Who resolved it by hand.
    """

    rule: str
    severity: str
    pending_ms: int | None
    firing_ms: int | None
    end_ms: int | None
    labels: str = ""
    summary: str = ""
    acked_ms: int | None = None
    actor: str = ""


@dataclass(frozen=True, slots=True)
class Episodes:
    """The episodes within ``[from_ms, to_ms)``."""

    from_ms: int
    to_ms: int
    episodes: list[Episode]

    def newest_first(self) -> list[Episode]:
        """Return the episodes by the moment at which they were on."""
        return sorted(self.episodes, key=lambda one: -(one.pending_ms or one.firing_ms or 0))


def active_alerts(client: ConsoleClient, service: str) -> list[ActiveAlert]:
    """Return the alerts of a service that are pending or firing, the worst and then the oldest first."""
    found = [_active(row) for row in client.get("/alerts", [("service", service)]).rows("alerts")]
    return sorted(found, key=lambda alert: (alert.state != "firing", _rank(alert.severity), alert.started_ms))


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


def _active(row: Fields) -> ActiveAlert:
    return ActiveAlert(
        rule=row.text("rule"),
        severity=row.text("severity"),
        state=row.text("state"),
        labels=_label_text(row.labels("labels")),
        summary=row.text("summary"),
        value=row.number("value"),
        threshold=row.number("threshold"),
        started_ms=row.count("started_at_ms"),
        fired_ms=row.moment("fired_at_ms"),
    )


def alert_history(client: ConsoleClient, service: str) -> History:
    """Return the newest changes of a service's alerts."""
    found = client.get("/alerts/history", [("service", service), ("limit", str(PAGE))])
    changes = [_change(row) for row in found.rows("entries")]
    return History(changes, is_whole=found.values.get("next_before") is None)


def _change(row: Fields) -> AlertChange:
    return AlertChange(
        at_ms=row.count("at_ms"),
        rule=row.text("rule"),
        severity=row.text("severity"),
        labels=_label_text(row.labels("labels")),
        before=row.text("from"),
        after=row.text("to"),
        summary=row.text("summary"),
        value=row.number("value"),
        threshold=row.number("threshold"),
        reason=row.text("reason"),
        actor=row.text("actor"),
    )


def alert_episodes(client: ConsoleClient, service: str, time_range: TimeRange, now_ms: int) -> Episodes:
    """Return when each alert of a service was pending and firing."""
    found = client.get("/alerts/episodes", [("service", service), *time_range.parameters()])
    return Episodes(*time_range.bounds(now_ms), [_episode(row) for row in found.rows("episodes")])


def _episode(row: Fields) -> Episode:
    return Episode(
        rule=row.text("rule"),
        severity=row.text("severity"),
        pending_ms=row.moment("pending_ms"),
        firing_ms=row.moment("firing_ms"),
        end_ms=row.moment("end_ms"),
        labels=_label_text(row.labels("labels")),
        summary=row.text("summary"),
        acked_ms=row.moment("ack_ms"),
        actor=row.text("actor"),
    )


def _label_text(labels: dict[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in labels.items())
