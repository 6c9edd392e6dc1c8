"""The answers of the panels; from these classes FastAPI writes the OpenAPI document."""

from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import Field

from barograph_console.overview.document import EndpointTable
from barograph_console.overview.tables import Tables
from barograph_console.rows.models import ModelRow
from barograph_console.rows.system import SystemRow
from barograph_console.serving.numbers import Finite
from barograph_core.events.kinds import KINDS


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The endpoints of the newest closed minute, with what they were a day or an hour before."""

    service: str
    at_ms: int
    closed_through_ms: int
    endpoints: EndpointTable

    @classmethod
    def of(cls, tables: Tables) -> Self:
        return cls(tables.service, tables.at_ms, tables.closed_through_ms, tables.endpoints)


@dataclass(frozen=True, slots=True)
class ModelBefore:
    """What a version was in the same minute a day, or an hour, before."""

    events: int
    share_ratio: Finite | None
    mae: Finite | None
    confidence: Finite | None
    p95_ms: Finite | None
    error_ratio: Finite | None


@dataclass(frozen=True, slots=True)
class ModelSpark:
    """One row for each version of the table next to it, one entry for each minute; null where nothing is known."""

    from_ms: int
    step_ms: int
    events: list[list[int | None]]
    errors: list[list[int | None]]
    mae: list[list[Finite | None]]
    p95_ms: list[list[Finite | None]]


@dataclass(frozen=True, slots=True)
class Models:
    """The versions of each model, side by side, of the newest closed minute."""

    service: str
    at_ms: int
    closed_through_ms: int
    models: list[ModelRow]
    before: Annotated[list[ModelBefore | None], Field(description="of each row; null where there was none")]
    spark: Annotated[ModelSpark | None, Field(description="null where there are too many versions")]


@dataclass(frozen=True, slots=True)
class SystemBefore:
    """What a process or host used in the same minute a day, or an hour, before."""

    cpu_percent: Finite | None
    memory_mb: Finite | None
    memory_percent: Finite | None
    disk_percent: Finite | None


@dataclass(frozen=True, slots=True)
class SystemSpark:
    """One row for each process and host of the table next to it, one entry for each minute."""

    from_ms: int
    step_ms: int
    cpu_percent: list[list[Finite | None]]
    memory_mb: list[list[Finite | None]]


@dataclass(frozen=True, slots=True)
class System:
    """The processes and hosts of the newest closed minute."""

    service: str
    at_ms: int
    closed_through_ms: int
    system: list[SystemRow]
    before: Annotated[list[SystemBefore | None], Field(description="of each row; null where there was none")]
    spark: Annotated[SystemSpark | None, Field(description="null where there are too many processes")]


@dataclass(frozen=True, slots=True)
class Heatmap:
    """How many values lay where, over time.

    With k = row0 + row, a row begins at 2^floor(k/2) * (1 + (k mod 2)/2), in the unit of the measure, and ends where
    the next begins. The first row also takes all smaller values, negative ones included, the last all larger ones.
    """

    service: str
    kind: Annotated[str, Field(json_schema_extra={"enum": list(KINDS)})]
    measure: str
    from_ms: int
    step_ms: int
    points: int
    covered_from_ms: int
    closed_through_ms: int
    rows_per_octave: int
    row0: int
    cols: Annotated[list[list[int]], Field(description="for each point row, count, row, count, …")]
