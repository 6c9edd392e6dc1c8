"""What the console needs of the store, as protocols. Every method may be called from several threads at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from barograph_core.alerts import AlertRecord
from barograph_core.events import Kind, Labels
from barograph_core.figure_store import FigureRange
from barograph_core.figures import Figures
from barograph_core.pipeline import PipelineStatus
from barograph_core.pipeline_status import ServiceProducers
from barograph_core.steps import Step
from barograph_core.store import StoredPane
from barograph_core.stream import EntryId
from barograph_core.transitions import Transition


@dataclass(frozen=True, slots=True)
class AlertEntry:
    """An entry of the alerts stream with its id."""

    id: EntryId
    transition: Transition


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Entries, newest first, and the id before which the next page begins (``None``: there is none)."""

    entries: tuple[AlertEntry, ...]
    next_before: EntryId | None


@dataclass(frozen=True, slots=True)
class EpisodeCounts:
    """How many alerts fired and resolved in a span. ``is_capped``: there were more than are counted."""

    fired: int
    resolved: int
    is_capped: bool


@dataclass(frozen=True, slots=True)
class Complaint:
    """Why the console is not ready.

    Attributes:
        kind: ``gone`` (cannot be reached), ``refuses`` (answers, but takes no writes) or ``no_library``.
        reason: As ``StreamUnavailableError.reason``.
    """

    kind: str
    reason: str


class AlertNotFoundError(LookupError):
    """No alert has this id."""


class AlertConflictError(Exception):
    """The alert cannot be resolved: it is not active, or it kept changing meanwhile."""


class PaneSource(Protocol):
    def steps(self, service: str, now_ms: int) -> Sequence[Step]:
        """Return the steps of the store with how far back from ``now_ms`` all panes of ``service`` are kept."""
        ...

    def services(self) -> dict[str, int]:
        """Return every service with its ``closed_through_ms``."""
        ...

    def read(self, service: str, step_ms: int, from_ms: int, to_ms: int) -> Sequence[StoredPane]:
        """Return the closed panes that begin in ``[from_ms, to_ms)``; empty ones may be absent."""
        ...

    def series(self, where: FigureRange, kind: str) -> Sequence[Labels]:
        """Return every series of ``kind`` that may have figures in the range, which is of a roll-up."""
        ...

    def figures(self, where: FigureRange, kind: Kind, measure: int, series: Sequence[Labels]) -> tuple[Figures, int]:
        """Return the figures of ``series`` in the range, and the most instances missing from a pane of it."""
        ...


class AlertBook(Protocol):
    def records(self, services: Sequence[str]) -> list[AlertRecord]:
        """Return the alerts of these services that are not inactive."""
        ...

    def history(self, *, before: EntryId | None, limit: int, service: str) -> HistoryPage:
        """Return up to ``limit`` entries older than ``before``, of one service unless ``service`` is empty.

        Entries of several shards may have the same id. Those with the last one of a page all stand on it, beyond
        ``limit`` if need be.
        """
        ...

    def count_since(self, from_ms: int) -> EpisodeCounts: ...

    def resolve(self, alert_id: str, actor: str, now_ms: int) -> tuple[AlertRecord, Transition]:
        """End an alert by hand.

        Raises:
            AlertNotFoundError: There is no such alert.
            AlertConflictError: It is not active, or others changed its service's state again and again.
        """
        ...


class PipelineSource(Protocol):
    def read(self) -> list[PipelineStatus]:
        """Return the status of each shard."""
        ...

    def producers_of(self, services: Sequence[str]) -> dict[str, ServiceProducers]: ...


class HealthProbe(Protocol):
    def complaints(self) -> list[Complaint]:
        """Return why requests would fail now; empty when none would."""
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """The store as the console sees it."""

    panes: PaneSource
    alerts: AlertBook
    pipeline: PipelineSource
    health: HealthProbe
