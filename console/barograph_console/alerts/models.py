"""The answers about alerts; from these classes FastAPI writes the OpenAPI document."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from barograph_console.serving.numbers import Finite

SeverityName = Literal["info", "warning", "error", "critical"]


StateName = Literal["inactive", "pending", "firing", "resolved"]


class ContributorRow(BaseModel):
    labels: dict[str, str]
    of: str
    amount: Finite
    share_ratio: Finite


class Acknowledgement(BaseModel):
    """Who has taken an alert on, and until when (null: until it is resolved)."""

    actor: str
    at_ms: int
    until_ms: int | None
    note: str


class AlertFacts(BaseModel):
    """What lists and the full answer have in common."""

    id: str
    rule: str
    severity: SeverityName
    state: StateName
    service: str
    labels: dict[str, str]
    started_at_ms: int = Field(description="event time at which the breach began")
    changed_at_ms: int
    fired_at_ms: int | None
    value: Finite | None
    threshold: Finite | None
    summary: str
    runbook: str
    reason: str = Field(
        description="why it fires, goes on or ended where its condition alone does not say it: late, no_traffic, "
        "producers_dead, lagging, no_events, recovered_partly, series_gone, resolved_by_hand, …"
    )
    pending_since_ms: int | None = Field(
        default=None, description="of a pending alert: event time from which for_ms counts; null otherwise"
    )
    for_ms: int | None = Field(
        default=None,
        description="of a pending alert: how long it is held before it fires; null where that is not known",
    )
    contributors: list[ContributorRow]
    unit: str = Field(default="", description="of value and threshold: ratio, ms, mb, percent; empty for a number")
    ack: Acknowledgement | None = None
    silenced_by: list[str] = Field(default_factory=list, description="ids of the silences that mute it")
    inhibited_by: list[str] = Field(default_factory=list, description="ids of the alerts that mute it")
    is_flapping: bool = Field(
        default=False, description="whether it fires and resolves again and again, so that channels get updates only"
    )
    ends_at_ms: int | None = Field(
        default=None, description="of a pushed alert: when it ends unless it is pushed again; null: one of our rules"
    )


class Alert(AlertFacts):
    """An alert that is pending or firing (or, right after a manual resolve, resolved)."""

    why: str = Field(default="", description="the condition with its value; empty where the rule is not known")


class DeliveryRow(BaseModel):
    """One attempt to send, or why it was not made."""

    entry_id: str
    at_ms: int
    transition: str
    channel: str
    attempt: int
    result: str = Field(json_schema_extra={"enum": ["sent", "retry", "held", "dead", "suppressed"]})
    reason: str


class Deliveries(BaseModel):
    """Newest first. ``next_before`` asks for the following page; null when there is none."""

    deliveries: list[DeliveryRow]
    next_before: str | None


class Alerts(BaseModel):
    at_ms: int
    alerts: list[Alert]


class HistoryEntry(BaseModel):
    """One entry of the alerts stream."""

    entry_id: str
    transition: str
    alert_id: str
    rule: str
    severity: SeverityName
    service: str
    labels: dict[str, str]
    before: StateName = Field(serialization_alias="from")
    after: StateName = Field(serialization_alias="to")
    at_ms: int
    episode_ms: int
    value: Finite | None
    threshold: Finite | None
    summary: str
    runbook: str
    contributors: list[ContributorRow]
    notify: bool
    reason: str
    actor: str
    missing: list[str] = Field(
        default_factory=list, description="instances that were missing when it ended as recovered_partly, at most ten"
    )
    flag: str = Field(
        default="", description="what changed besides the state: acknowledged, unacknowledged, flapping, flapping_ended"
    )
    note: str = Field(default="", description="what the person says about it")
    until_ms: int | None = Field(default=None, description="when the flag ends by itself")


class SilenceChangeRow(BaseModel):
    """What somebody did to a silence, or that it ended by itself."""

    entry_id: str
    at_ms: int
    change: str = Field(description="added, changed, ended")
    silence_id: str
    matchers: list[str] = Field(description="all must match: alertname, service, severity, labels")
    starts_at_ms: int
    ends_at_ms: int | None = Field(description="null: when nothing that it mutes is pending or firing")
    actor: str = Field(description="empty when it ended by itself")
    note: str
    reason: str = Field(description="why it ended: expired, resolved, by_hand, replaced; else empty")


class History(BaseModel):
    """Newest first. ``next_before`` asks for the following page; null when there is none."""

    entries: list[HistoryEntry]
    silences: list[SilenceChangeRow] = Field(
        default_factory=list[SilenceChangeRow],
        description="changes of silences within the time of the page, newest first",
    )
    next_before: str | None


class AlertSummary(BaseModel):
    """How many alerts there are. ``is_capped``: there were more in 24 h than are counted."""

    at_ms: int
    active: int
    firing: int
    pending: int
    firing_by_severity: dict[SeverityName, int]
    fired_24h: int
    resolved_24h: int
    is_capped: bool


class ActionRequest(BaseModel):
    """What a person says with what they do."""

    model_config = ConfigDict(extra="forbid")

    note: str = Field(default="", max_length=1_000, description="why; written to the alerts stream")
    actor: str = Field(
        default="", max_length=128, description="who asks, where no token is set; else the token says so"
    )


class AckRequest(ActionRequest):
    until: str = Field(default="resolved", max_length=32, description="resolved, or for how long: 4h, 1h30m")


class ChangedAlert(BaseModel):
    """What was done: the entry of the alerts stream, and the alert from now on (null: it is over meanwhile)."""

    transition: str
    alert: Alert | None
