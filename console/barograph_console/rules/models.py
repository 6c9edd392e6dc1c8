"""The answer about rules; from these classes FastAPI writes the OpenAPI document."""

from typing import Literal

from pydantic import BaseModel, Field

from barograph_console.serving.numbers import Finite


class BoundRow(BaseModel):
    """A comparison of a condition: a quantity with a constant."""

    quantity: str = Field(description="as in the condition: error_rate, duration_ms.p95")
    operator: str
    threshold: Finite
    unit: str = Field(description="ratio, ms, mb, percent, per_s, mb_per_s; empty for a number")


class RuleRow(BaseModel):
    """A rule in force, and how many of its alerts there are."""

    name: str
    on: str = Field(description="the kind of events")
    by: list[str] = Field(description="one alert for each set of values of these labels")
    where: dict[str, str | list[str]] = Field(description="matchers of the values of further labels")
    services: list[str] = Field(description="names, patterns with *, expressions after ~; empty for every service")
    severity: Literal["info", "warning", "error", "critical"]
    window_ms: int
    when: str
    resolve_when: str = Field(description="empty: it clears when the condition no longer holds")
    for_ms: int
    keep_firing_for_ms: int
    cooldown_ms: int
    no_data: str
    summary: str
    runbook: str
    fires: list[BoundRow] = Field(description="those of the condition that mean there what they mean alone")
    clears: list[BoundRow]
    firing: int
    pending: int


class Rules(BaseModel):
    """The rules that watch a service, or all."""

    published_at_ms: int | None = Field(description="when their alerter started; null: no alerter published any")
    digest: str = Field(description="hash of all rules; empty where none are published")
    unreadable: int = Field(description="rules of a newer alerter that are not shown")
    rules: list[RuleRow]
