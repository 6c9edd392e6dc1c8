"""The console's ports in memory, and what tests build with them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from fastapi.testclient import TestClient

from barograph_console.app import create_app
from barograph_console.ports import (
    AlertConflictError,
    AlertEntry,
    AlertNotFoundError,
    Complaint,
    EpisodeCounts,
    HistoryPage,
    Ports,
)
from barograph_console.settings import ConsoleSettings
from barograph_core.alerts import AlertRecord, AlertState, Severity
from barograph_core.decode import decode_batch
from barograph_core.encode import EncodedBatch, encode_batch, entry_fields
from barograph_core.errors import BarographError
from barograph_core.events import KINDS, Kind, Labels
from barograph_core.figure_records import STORED_QUANTILES, WHOLE
from barograph_core.figure_store import FigureRange
from barograph_core.figures import Figures
from barograph_core.pipeline import PipelineStatus
from barograph_core.pipeline_status import ServiceProducers
from barograph_core.steps import DEFAULT_KEEP, Step, parse_keep
from barograph_core.store import StoredPane
from barograph_core.stream import EntryId
from barograph_core.transitions import Transition, resolve_by_hand
from tests.batches import panes_by_start
from tests.support import FakeClock

NOW_MS = 1_700_000_000_000
STEPS = parse_keep(DEFAULT_KEEP)
ALERT_ID = "0123456789abcdef"


def panes_of(batches: Sequence[EncodedBatch], step_ms: int = 1_000) -> list[StoredPane]:
    """Return the closed panes of the batches' events."""
    decoded = [
        decode_batch(
            {
                name.encode(): value if isinstance(value, bytes) else str(value).encode()
                for name, value in entry_fields(
                    batch, service="ranker", instance="i", seq=1, through_ms=batch.last_ms
                ).items()
            }
        )
        for batch in batches
    ]
    return [StoredPane(start, 0, 0, pane) for start, pane in panes_by_start(decoded, step_ms).items()]


def requests(*rows: tuple[int, str, int, float]) -> EncodedBatch:
    """Return a batch of GET requests, each (time_ms, route, status, duration_ms)."""
    labels = sorted({(route, "GET", status) for _, route, status, _ in rows})
    return encode_batch(
        KINDS["request"],
        labels,
        [labels.index((route, "GET", status)) for _, route, status, _ in rows],
        [time_ms for time_ms, *_ in rows],
        [[duration for *_, duration in rows]],
    )


def record(**changes: object) -> AlertRecord:
    """Return a firing alert."""
    facts: dict[str, object] = {
        "alert_id": ALERT_ID,
        "rule": "high-error-rate",
        "service": "ranker",
        "labels": {"route": "/predict"},
        "severity": Severity.ERROR,
        "state": AlertState.FIRING,
        "episode_ms": NOW_MS - 60_000,
        "changed_at_ms": NOW_MS - 50_000,
        "breached_to_ms": NOW_MS - 1_000,
        "value": 0.25,
        "threshold": 0.05,
    }
    return AlertRecord(**(facts | changes))  # type: ignore[arg-type]  # test data by name


@dataclass
class FakePanes:
    """Panes by step; counts what it was asked for."""

    closed: dict[str, int] = field(default_factory=lambda: {"ranker": NOW_MS})
    stored: dict[int, list[StoredPane]] = field(default_factory=dict[int, list[StoredPane]])
    asked: list[tuple[int, int, int]] = field(default_factory=list[tuple[int, int, int]])
    error: BarographError | None = None
    stored_steps: tuple[Step, ...] = STEPS

    def steps(self, service: str, now_ms: int) -> Sequence[Step]:
        del service, now_ms  # nothing was dropped
        return self.stored_steps

    def services(self) -> dict[str, int]:
        if self.error is not None:
            raise self.error
        return self.closed

    def read(self, service: str, step_ms: int, from_ms: int, to_ms: int) -> Sequence[StoredPane]:
        self.asked.append((step_ms, from_ms, to_ms))
        if service not in self.closed:
            return []
        return [pane for pane in self.stored.get(step_ms, []) if from_ms <= pane.start_ms < to_ms]

    def series(self, where: FigureRange, kind: str) -> Sequence[Labels]:
        stored = self.stored.get(where.step.step_ms, [])
        return sorted({labels for pane in stored for labels in pane.pane.labels(kind)})

    def figures(self, where: FigureRange, kind: Kind, measure: int, series: Sequence[Labels]) -> tuple[Figures, int]:
        stored = self.stored.get(where.step.step_ms, [])
        panes = [pane for pane in stored if where.from_ms <= pane.start_ms < where.to_ms]
        parts = [Figures.empty(STORED_QUANTILES)]
        for pane in panes:
            for table in (pane.pane.whole() if list(series) == [WHOLE] else pane.pane).tables:
                if table.kind is kind:
                    kept = [index for index, labels in enumerate(table.labels) if labels in series]
                    places = np.array([series.index(table.labels[index]) for index in kept], np.int64)
                    starts_ms = np.full(len(kept), pane.start_ms)
                    parts.append(Figures.of_table(table.take(kept), measure, STORED_QUANTILES, places, starts_ms))
        return Figures.concatenate(parts), max((pane.missing for pane in panes), default=0)


@dataclass
class FakeAlerts:
    """Alerts and their history in lists."""

    held: list[AlertRecord] = field(default_factory=list[AlertRecord])
    entries: list[AlertEntry] = field(default_factory=list[AlertEntry])
    is_contended: bool = False

    def records(self, services: Sequence[str]) -> list[AlertRecord]:
        return [one for one in self.held if one.service in services]

    def history(self, *, before: EntryId | None, limit: int, service: str) -> HistoryPage:
        found = [
            entry
            for entry in sorted(self.entries, key=lambda entry: entry.id, reverse=True)
            if (before is None or entry.id < before) and service in ("", entry.transition.service)
        ]
        return HistoryPage(tuple(found[:limit]), found[limit - 1].id if len(found) > limit else None)

    def count_since(self, from_ms: int) -> EpisodeCounts:
        recent = [entry.transition for entry in self.entries if entry.id.ms >= from_ms]
        return EpisodeCounts(
            sum(one.after is AlertState.FIRING for one in recent),
            sum(one.after is AlertState.RESOLVED for one in recent),
            is_capped=False,
        )

    def resolve(self, alert_id: str, actor: str, now_ms: int) -> tuple[AlertRecord, Transition]:
        found = next((one for one in self.held if one.alert_id == alert_id), None)
        if found is None:
            raise AlertNotFoundError(f"there is no alert {alert_id!r}")
        if self.is_contended or not found.is_active:
            raise AlertConflictError("it is not active")
        after, transition = resolve_by_hand(found, actor, now_ms)
        self.held = [after]
        return after, transition


@dataclass
class FakePipeline:
    statuses: list[PipelineStatus] = field(default_factory=list[PipelineStatus])
    producers: dict[str, ServiceProducers] = field(default_factory=dict[str, ServiceProducers])

    def read(self) -> list[PipelineStatus]:
        return self.statuses

    def producers_of(self, services: Sequence[str]) -> dict[str, ServiceProducers]:
        return {service: self.producers[service] for service in services if service in self.producers}


@dataclass
class FakeHealth:
    found: list[Complaint] = field(default_factory=list[Complaint])

    def complaints(self) -> list[Complaint]:
        return self.found


@dataclass
class Console:
    """The application over fakes, and a client that calls it."""

    settings: ConsoleSettings = field(default_factory=ConsoleSettings)
    panes: FakePanes = field(default_factory=FakePanes)
    alerts: FakeAlerts = field(default_factory=FakeAlerts)
    pipeline: FakePipeline = field(default_factory=FakePipeline)
    health: FakeHealth = field(default_factory=FakeHealth)

    def client(self, base_url: str = "http://127.0.0.1:8642") -> TestClient:
        ports = Ports(self.panes, self.alerts, self.pipeline, self.health)
        app = create_app(ports, self.settings, FakeClock(NOW_MS))
        return TestClient(app, base_url=base_url, raise_server_exceptions=False)
