"""The answers of the API, as pydantic models: what OpenAPI says is what is sent. Every number is finite."""

from pydantic import BaseModel, ConfigDict, Field

from barograph_console.serving.numbers import Finite
from barograph_core.events.kinds import KINDS

ESTIMATED = "whether sampled records are among these events: then every figure is an estimate, otherwise exact"


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
    errors: int
    error_rate: Finite | None = Field(description="errors / events that say whether they failed; null where none does")


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
    count: int | None = Field(
        description="values of the measure; what sum, avg and the quantiles are made of; null where asked by status"
    )
    sum: Finite | None
    min: Finite | None
    max: Finite | None
    avg: Finite | None
    p50: Finite | None
    p95: Finite | None
    p99: Finite | None
    events: int = Field(description="events of the series, with the measure or without")
    errors: int
    error_rate: Finite | None = Field(description="errors / events that say whether they failed; null where none does")
    estimated: bool = Field(description=ESTIMATED)


class Series(BaseModel):
    labels: dict[str, str]
    points: list[Point]


class Query(BaseModel):
    """The answer to a query. ``from_ms`` and ``to_ms`` are what was asked, widened to whole stored panes."""

    service: str
    kind: str = Field(json_schema_extra={"enum": list(KINDS)})
    measure: str
    step_ms: int | None = Field(description="length of a point; null for one point over the range")
    from_ms: int
    to_ms: int
    covered_from_ms: int = Field(description="what lies before it may have expired")
    closed_through_ms: int = Field(description="nothing after it is closed yet, hence no point")
    missing: int = Field(description="the most instances that were missing from any pane of the range")
    total_series: int = Field(description="series there are; top may leave some of them out")
    series: list[Series]
