"""The answer of ``/overview``; from these classes FastAPI writes the OpenAPI document."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from barograph_console.alerts.models import Alert
from barograph_console.alerts.silence_rows import SilenceRow
from barograph_console.health.pipeline_summary import PipelineSummary
from barograph_console.markers.rows import MarkerRow
from barograph_console.overview.before import Before
from barograph_console.overview.spark import Spark
from barograph_console.rows.columns import RequestColumns
from barograph_console.rows.models import ModelRow
from barograph_console.rows.requests import Minute
from barograph_console.rows.system import SystemRow
from barograph_console.rules.bounds import Threshold
from barograph_console.serving.numbers import Finite

Cell = str | int | Finite | None


@dataclass(frozen=True, slots=True)
class Heat:
    """The heatmap: how many requests took how long.

    With k = row0 + row, a row begins at 2^floor(k/2) * (1 + (k mod 2)/2) ms and ends where the next begins.
    """

    rows_per_octave: int
    row0: int
    cols: Annotated[list[list[int]], Field(description="for each point row, count, row, count, …")]


@dataclass(frozen=True, slots=True)
class EndpointTable:
    """The busiest endpoints, by their share of the time spent."""

    columns: Sequence[str]
    rows: list[list[Cell]]
    spark: Annotated[Spark | None, Field(description="null where there are too many endpoints")]
    total: Annotated[int, Field(description="endpoints that had a request, those without a row included")]


@dataclass(frozen=True, slots=True)
class Overview:
    """All that the page draws of one service. Arrays have ``points`` entries; null is nothing known, and never zero."""

    service: str
    route: Annotated[str, Field(description="only this endpoint in charts and minute; empty for all")]
    at_ms: int
    epoch: Annotated[str, Field(description="apply only live messages of this epoch with a higher seq")]
    seq: int
    from_ms: int
    step_ms: int
    points: int
    covered_from_ms: Annotated[int, Field(description="what lies before it may have expired")]
    closed_through_ms: Annotated[int, Field(description="nothing after it is closed yet")]
    missing: Annotated[int, Field(description="producers whose newest events are not in yet")]
    is_open: Annotated[bool, Field(description="whether the last point is not over yet")]
    red: RequestColumns
    before: Before | None
    heat: Heat
    minute: Minute
    endpoints: EndpointTable
    models: list[ModelRow]
    system: list[SystemRow]
    alerts: list[Alert]
    episodes: Annotated[
        list[list[str | int | None]],
        Field(description="rule, severity, pending_ms, firing_ms, end_ms, ack_ms, alert id"),
    ]
    markers: list[MarkerRow]
    silences: list[SilenceRow]
    thresholds: list[Threshold]
    rules: Annotated[int | None, Field(description="rules that watch the service; null where no alerter published any")]
    pipeline: PipelineSummary
