"""The figures of one service as they change with each closed pane: what ticks and snapshots hold. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final

from barograph_console.live.window import WINDOW_MS, MinuteWindow
from barograph_console.rows.endpoints import COLUMNS, endpoint_rows
from barograph_console.rows.heat import heat_column
from barograph_console.rows.models import ModelRow, model_rows
from barograph_console.rows.requests import Endpoint, minute_of, request_point, requests_of
from barograph_console.rows.system import system_rows
from barograph_core.panes.pane import Pane
from barograph_core.panes.summary import SeriesSummary
from barograph_core.store.cover import floor_to

# As many rows as the page shows at first; the others come with an overview.
_ROWS: Final = 100
_POINT_COLUMNS: Final = ("method", "route", "t", "requests", "errors", "e4xx", "p50_ms", "p95_ms", "p99_ms")


@dataclass(slots=True)
class OpenPoint:
    """The newest point of one step: all closed panes of it so far.

    Attributes:
        step_ms: How long it is once it is over.
        start_ms: Where it begins; before the first pane there is none yet.
        requests: Requests of the whole service, as one series.
        missing: The most instances that were missing from a pane of it.
    """

    step_ms: int
    start_ms: int = -1
    requests: Pane = Pane.EMPTY
    missing: int = 0

    def add(self, start_ms: int, requests: Pane, missing: int) -> None:
        """Add a pane; the first one of a new point begins it."""
        own_ms = floor_to(start_ms, self.step_ms)
        if own_ms != self.start_ms:
            self.start_ms, self.requests, self.missing = own_ms, Pane.EMPTY, 0
        self.requests = Pane.merge([self.requests, requests])
        self.missing = max(self.missing, missing)

    def document(self, through_ms: int) -> dict[str, object]:
        """Return the point as a tick holds it. It replaces what the client has at ``t``."""
        row = requests_of(self.requests)
        return {
            **asdict(request_point(self.start_ms, row)),
            "heat": heat_column(None if row is None else row.measures["duration_ms"]),
            "missing": self.missing,
            "is_open": self.start_ms + self.step_ms > through_ms,
        }


class ServiceFigures:
    """Takes closed panes in order, and gives the figures of the last minute and the newest points."""

    def __init__(self, base_step_ms: int, step_ms: Sequence[int], apdex_t_ms: float) -> None:
        """Begin without any pane.

        Args:
            base_step_ms: The finest step, of which panes are added.
            step_ms: Steps of the charts.
            apdex_t_ms: The T of Apdex.
        """
        self.through_ms = 0
        # When the service was first seen, or any time a minute ago or more: what a figure per minute divides by.
        self.begun_ms = 0
        self.before_p95_ms: Mapping[Endpoint, float | None] = {}
        self.limits: Mapping[str, Mapping[str, float]] = {}
        self.versions: set[tuple[str, str]] = set()
        self._base_step_ms = base_step_ms
        self._apdex_t_ms = apdex_t_ms
        self._window = MinuteWindow()
        self._points = {step: OpenPoint(step) for step in step_ms}

    def load(self, panes: Sequence[tuple[int, Pane]], opened: Mapping[int, Pane], through_ms: int) -> None:
        """Take in what was closed before.

        Args:
            panes: Start and content of the panes of the last minute.
            opened: Step -> all closed panes of its newest point.
            through_ms: End of the newest closed pane.
        """
        self.through_ms = through_ms
        for start_ms, pane in panes:
            self._window.put(start_ms, pane)
        for step_ms, pane in opened.items():
            self._points[step_ms].add(through_ms - 1, _requests_only(pane), 0)

    def add(self, start_ms: int, pane: Pane, missing: int) -> None:
        """Take in the next closed pane."""
        self._window.put(start_ms, pane)
        requests = _requests_only(pane)
        for point in self._points.values():
            point.add(start_ms, requests, missing)
        self.through_ms = start_ms + self._base_step_ms

    def revise(self, start_ms: int, pane: Pane) -> None:
        """Take in a later revision of an earlier pane of the last minute. Points are loaded again instead."""
        self._window.put(start_ms, pane)

    def points(self) -> dict[str, object]:
        """Return the newest point of each step."""
        return {str(step_ms): point.document(self.through_ms) for step_ms, point in self._points.items()}

    def figures(self) -> dict[str, object]:
        """Return the tables of the last minute, as they stand in ticks and snapshots alike."""
        pane = self._window.merged(self.through_ms)
        rows = endpoint_rows(pane, self.before_p95_ms)
        part_ms, part = self._window.part(self.through_ms)
        return {
            "minute": self._minute(requests_of(pane)),
            "endpoints": {
                "columns": COLUMNS,
                "rows": rows[:_ROWS],
                "total": len(rows),
                "point_columns": _POINT_COLUMNS,
                "points": {"10000": _endpoint_points(part_ms, part)},
            },
            "models": [_without_histogram(row) for row in model_rows(pane)],
            "system": [asdict(row) for row in system_rows(pane, self.limits)],
        }

    def _minute(self, row: SeriesSummary | None) -> dict[str, object]:
        """Return the figures of the minute. Those to compare with differ between viewers: only an overview has them."""
        covered_ms = min(WINDOW_MS, self.through_ms - self.begun_ms)
        figures = asdict(minute_of(row, covered_ms=covered_ms, apdex_t_ms=self._apdex_t_ms, before=None))
        del figures["before"]
        return figures

    def new_versions(self, pane: Pane) -> list[tuple[str, str]]:
        """Return model and version of each version in ``pane`` that was never seen, of a model that was."""
        models = {model for model, _ in self.versions}
        found = {(labels[0], labels[1]) for labels in pane.labels("model")} - self.versions
        self.versions |= found
        return sorted((model, version) for model, version in found if model in models)


def _requests_only(pane: Pane) -> Pane:
    """Return the requests of a pane as one series: what a point needs, at a bounded size."""
    table = pane.table("request")
    return Pane.EMPTY if table is None else Pane([table]).whole()


def _endpoint_points(start_ms: int, pane: Pane) -> list[list[object]]:
    found: list[list[object]] = []
    for row in pane.group("request", ("method", "route"))[:_ROWS]:
        point = request_point(start_ms, row)
        found.append(
            [*row.labels, point.t, point.requests, point.errors, point.e4xx, point.p50_ms, point.p95_ms, point.p99_ms]
        )
    return found


def _without_histogram(row: ModelRow) -> dict[str, object]:
    """Return a row without the histogram, which changes little and is as long as the rest."""
    document = asdict(row)
    del document["hist"]
    return document
