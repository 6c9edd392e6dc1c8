"""The answer about one alert; from these classes FastAPI writes the OpenAPI document."""

from typing import Literal

from pydantic import BaseModel, Field

from barograph_console.alerts.models import AlertFacts, DeliveryRow
from barograph_console.markers.rows import MarkerRow
from barograph_console.serving.numbers import Finite

What = Literal[
    "pending",
    "firing",
    "resolved",
    "inactive",
    "acknowledged",
    "unacknowledged",
    "flapping",
    "flapping_ended",
    "delivery",
]


class Why(BaseModel):
    """Why an alert fires, and when it clears."""

    text: str = Field(description="the condition with its values")
    resolves: str = Field(description="condition of the recovery; empty: when the other no longer holds")
    window_ms: int
    values: dict[str, Finite] = Field(
        description="quantity of the condition -> its value in the newest window that breached, as far as it is kept"
    )


class RuleSeries(BaseModel):
    """What the rule looks at, over time: an entry of ``values`` for each point, null where nothing is known.

    Of the four bounds those are set that the rule has for this figure.
    """

    from_ms: int
    step_ms: int
    figure: str = Field(description="the quantity, as in the condition: error_rate, duration_ms.p95")
    unit: str = Field(description="as that of the alert")
    values: list[Finite | None]
    fires_above: Finite | None = None
    fires_below: Finite | None = None
    clears_below: Finite | None = None
    clears_above: Finite | None = None


class LogRow(BaseModel):
    """Something that happened to an alert: it entered a state, somebody did something, or it was sent."""

    at_ms: int
    entry_id: str
    what: What
    actor: str = ""
    channel: str = ""
    result: str = ""
    delay_ms: int | None = Field(default=None, description="from the change to this delivery")
    note: str = Field(default="", description="what the person says about it; else the cause, or why it was not sent")


class DeedRow(BaseModel):
    """What a person did in an episode."""

    at_ms: int
    what: What
    actor: str
    note: str


class SimilarEpisode(BaseModel):
    """An earlier episode of the same alert."""

    started_at_ms: int
    ended_at_ms: int
    actor: str = Field(description="who resolved it by hand; empty when it ended by itself")
    acked_by: str = Field(description="who acknowledged it first; empty when nobody did")
    note: str = Field(description="the last note that somebody left; empty when nobody did")
    deeds: list[DeedRow] = Field(description="who did what, the oldest first")


class AlertDetail(AlertFacts):
    """One alert in full."""

    why: Why | None = Field(description="null where the rule is not known, or where there is no data")
    series: RuleSeries | None = Field(description="null where the rule compares nothing that has a series")
    next_notification_ms: int | None = Field(
        description="when channels are told of this firing, which the cooldown holds back; null: with the next change"
    )
    notify_reason: str = Field(description="why channels were not told of the last change; empty when they were")
    log: list[LogRow] = Field(description="what happened in this episode, the oldest first")
    deliveries: list[DeliveryRow]
    annotations: dict[str, str] = Field(
        default_factory=dict, description="of a pushed alert: what the other program says of it"
    )
    source_url: str = Field(default="", description="of a pushed alert: where the other program shows it")
    markers: list[MarkerRow] = Field(
        description="what was done to the service in the half hour before it began to fire, the newest first"
    )
    similar: list[SimilarEpisode] = Field(description="the last three episodes before, the newest first")
