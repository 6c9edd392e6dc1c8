"""The answers of the API, as pydantic models: what OpenAPI says is what is sent. Every number is finite."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Finite = Annotated[float, Field(allow_inf_nan=False)]
SeverityName = Literal["info", "warning", "error", "critical"]
ESTIMATED = "whether sampled records are among these events: then every figure is an estimate, otherwise exact"
StateName = Literal["inactive", "pending", "firing", "resolved"]


class Index(BaseModel):
    name: str
    version: str
    links: dict[str, str]


class ServiceRow(BaseModel):
    """One service. Rates are over the last ``window_s`` seconds of closed panes."""

    service: str
    closed_through_ms: int
    closed_age_ms: int
    requests: int
    rps: Finite
    error_rate: Finite | None
    estimated: bool = Field(description=ESTIMATED)
    producers: int
    missing_producers: int
    is_missing_producers: bool


class Services(BaseModel):
    at_ms: int
    window_s: int
    services: list[ServiceRow]


class RequestFigures(BaseModel):
    """Requests of a window. Durations are ``None`` when there was none."""

    requests: int
    rps: Finite
    errors: int
    error_rate: Finite | None
    avg_ms: Finite | None
    p50_ms: Finite | None
    p95_ms: Finite | None
    p99_ms: Finite | None
    max_ms: Finite | None
    status: dict[str, int] = Field(description="status code -> requests")
    estimated: bool = Field(description=ESTIMATED)


class EndpointRow(RequestFigures):
    route: str
    method: str


class ModelRow(BaseModel):
    """One version of a model. ``mae`` is the mean absolute error over ``labelled`` predictions."""

    model: str
    version: str
    events: int
    latency_avg_ms: Finite | None
    latency_p50_ms: Finite | None
    latency_p95_ms: Finite | None
    latency_p99_ms: Finite | None
    confidence: Finite | None
    prediction: Finite | None
    mae: Finite | None
    labelled: int


class SystemRow(BaseModel):
    """Means over the window, of one process or one host; ``memory_mb_max`` is the highest sample."""

    instance: str
    scope: str
    samples: int
    memory_mb: Finite | None
    memory_mb_max: Finite | None
    cpu_percent: Finite | None
    cpu_percent_max: Finite | None
    memory_percent: Finite | None
    disk_percent: Finite | None
    threads: Finite | None
    open_files: Finite | None
    disk_read_mb_per_s: Finite | None
    disk_write_mb_per_s: Finite | None
    network_sent_mb_per_s: Finite | None
    network_received_mb_per_s: Finite | None
    load_1m: Finite | None
    gc_collections: Finite | None


class Current(RequestFigures):
    """The newest closed panes of a service, ``[from_ms, to_ms)``; ``to_ms`` is its ``closed_through_ms``."""

    service: str
    at_ms: int
    from_ms: int
    to_ms: int
    closed_age_ms: int
    missing_producers: int
    endpoints: list[EndpointRow]
    models: list[ModelRow]
    system: list[SystemRow]


class Point(BaseModel):
    """One point of a series; points of which nothing is known are left out.

    Each asked quantile is a further field: ``quantiles=0.9,0.999`` adds ``p90`` and ``p99_9``.
    """

    model_config = ConfigDict(extra="allow")
    # The documented way to type further fields; the base declares a wider one.
    __pydantic_extra__: dict[str, Finite | None]  # pyright: ignore[reportIncompatibleVariableOverride]

    t: int = Field(description="start of the point, ms since the epoch")
    count: int = Field(description="values of the measure; what sum, avg and the quantiles are made of")
    sum: Finite
    min: Finite | None
    max: Finite | None
    avg: Finite | None
    p50: Finite | None
    p95: Finite | None
    p99: Finite | None
    events: int = Field(description="events of the series, with the measure or without")
    errors: int
    error_rate: Finite | None = Field(description="errors / events; null where the kind has no status")
    estimated: bool = Field(description=ESTIMATED)


class Series(BaseModel):
    labels: dict[str, str]
    points: list[Point]


class Query(BaseModel):
    """The answer to a query. ``from_ms`` and ``to_ms`` are what was asked, widened to whole stored panes."""

    service: str
    kind: str
    measure: str
    step_ms: int | None = Field(description="length of a point; null for one point over the range")
    from_ms: int
    to_ms: int
    covered_from_ms: int = Field(description="what lies before it may have expired")
    closed_through_ms: int = Field(description="nothing after it is closed yet, hence no point")
    missing: int = Field(description="the most instances that were missing from any pane of the range")
    series: list[Series]


class ContributorRow(BaseModel):
    labels: dict[str, str]
    of: str
    amount: Finite
    share_ratio: Finite


class Alert(BaseModel):
    """An alert that is pending or firing (or, right after a manual resolve, resolved)."""

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
    contributors: list[ContributorRow]


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


class History(BaseModel):
    """Newest first. ``next_before`` asks for the following page; null when there is none."""

    entries: list[HistoryEntry]
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


class ResolveRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    actor: str = Field(min_length=1, max_length=128, description="who resolves it; written to the alerts stream")


class Resolved(BaseModel):
    transition: str
    alert: Alert
