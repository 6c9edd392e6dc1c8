"""The table of processes and hosts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from barograph_console.rows.figures import average_of
from barograph_console.serving.numbers import Finite
from barograph_core.panes.pane import Pane
from barograph_core.panes.summary import SeriesSummary


@dataclass(frozen=True, slots=True)
class SystemRow:
    """Means of one process or one host over a minute."""

    instance: str
    scope: Annotated[str, Field(description="process or host")]
    cpu_percent: Finite | None
    memory_mb: Finite | None
    memory_percent: Finite | None
    disk_percent: Finite | None
    threads: Finite | None
    open_files: Finite | None
    load_1m: Finite | None
    limits: Annotated[dict[str, Finite], Field(description="measure -> threshold of a rule that watches it")]


def system_rows(pane: Pane, limits: Mapping[str, Mapping[str, float]]) -> list[SystemRow]:
    """Return one row for each process and host.

    Args:
        pane: The minute shown.
        limits: Scope -> measure -> threshold of the rule that watches it.
    """
    return [_row(row, limits) for row in pane.group("system", ("instance", "scope"))]


def _row(row: SeriesSummary, limits: Mapping[str, Mapping[str, float]]) -> SystemRow:
    instance, scope = row.labels
    return SystemRow(
        instance=instance,
        scope=scope,
        cpu_percent=average_of(row.measures["cpu_percent"]),
        memory_mb=average_of(row.measures["memory_mb"]),
        memory_percent=average_of(row.measures["memory_percent"]),
        disk_percent=average_of(row.measures["disk_percent"]),
        threads=average_of(row.measures["threads"]),
        open_files=average_of(row.measures["open_files"]),
        load_1m=average_of(row.measures["load_1m"]),
        limits=dict(limits.get(scope, {})),
    )
