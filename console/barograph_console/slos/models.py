"""The answer of the route ``/slos``."""

from typing import Literal

from pydantic import BaseModel, Field

from barograph_console.serving.numbers import Finite

_Severity = Literal["info", "warning", "error", "critical"]


class SloWindows(BaseModel):
    """A pair of windows: it alerts while both burn faster than its rate."""

    severity: _Severity
    burn_rate: Finite = Field(description="at which it alerts; 1 spends the budget in exactly the period")
    long_ms: int
    short_ms: int
    long_step_ms: int = Field(description="step of the panes that most of the long window is read from")
    short_step_ms: int
    long_burn_rate: Finite | None = Field(description="of the long window now; null without events")
    short_burn_rate: Finite | None
    short_events: int
    min_events: int = Field(description="in the short window at least, to alert")
    is_burning: bool = Field(description="whether it alerts by these figures")


class SloAlert(BaseModel):
    """The alert of an objective that is pending or firing."""

    id: str
    state: Literal["pending", "firing"]
    severity: _Severity


class SloRow(BaseModel):
    """An objective of one service, or of one label set of it."""

    name: str
    service: str
    labels: dict[str, str] = Field(description="of the label set, where the objective has 'by'")
    on: str = Field(description="the kind of events")
    good: str = Field(description="what a good event is")
    objective: Finite = Field(description="the share of events that is to be good")
    period_ms: int = Field(description="the sliding period, which ends at end_ms")
    end_ms: int
    step_ms: int = Field(description="step of the panes that most of the period is read from")
    events: int = Field(description="those in the period that can be told good or bad")
    bad: int
    in_doubt: int = Field(description="those in the bin of the sketch that holds the bound: of each 'bad' may be wrong")
    counted_at: Finite = Field(description="the bound at which events are counted: the nearest edge of a bin")
    is_exact: bool = Field(description="whether no event is ever in doubt")
    good_ratio: Finite | None = Field(description="null without events")
    budget_left_ratio: Finite = Field(description="1: all of it; below 0: more than all is spent")
    burn_rate: Finite | None = Field(description="of the shortest long window; null without events")
    exhausted_in_ms: int | None = Field(description="at this rate; 0: it is spent; null: for the period or longer")
    text: str = Field(description="what is left and for how long, in words")
    covered_from_ms: int | None = Field(description="the first event that is counted; null when none is")
    covered_ratio: Finite = Field(description="how much of the period lies after it: less of a young service")
    windows: list[SloWindows]
    burn_down: list[Finite | None] = Field(
        description="what was left after each of 60 equal parts of the period, of the budget of all its events"
    )
    alert: SloAlert | None


class Slos(BaseModel):
    """The objectives of a service, or of all; the least budget first."""

    at_ms: int
    slos: list[SloRow]
    total: int = Field(description="more than there are rows where an objective has very many label sets")
