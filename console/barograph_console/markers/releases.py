"""Release markers: when each version of a model was first seen. Derived from the figures that are kept."""

from collections.abc import Iterable
from typing import Final

from barograph_console.markers.rows import MarkerRow, release_row
from barograph_console.reading.panes import Reading
from barograph_console.serving.memo import Memo
from barograph_console.store.ports import PaneSource
from barograph_core.clock import Clock
from barograph_core.events.kinds import KINDS, OTHER_LABEL, Labels
from barograph_core.store.cover import ceil_to, floor_to
from barograph_core.store.figure_store import FigureRange

_MODEL: Final = KINDS["model"]
_MAX_AGE_MS: Final = 10_000
_SERVICES: Final = 256


class ReleaseReader:
    """Finds the releases of a service. A deploy that changes no version of a model is not seen."""

    def __init__(self, panes: PaneSource, clock: Clock) -> None:
        self._panes = panes
        self._first_seen = Memo[dict[Labels, int]](clock, bound=_SERVICES)

    def read(self, reading: Reading) -> list[MarkerRow]:
        """Return all releases that are on record, the oldest first."""
        return releases(self._first_seen.get(reading.service, lambda: self._read(reading), max_age_ms=_MAX_AGE_MS))

    def _read(self, reading: Reading) -> dict[Labels, int]:
        seen: dict[Labels, tuple[int, int]] = {}
        # From the coarsest, which reaches back farthest, to the finest that has figures: each says more exactly.
        for step in reversed(reading.steps[1:]):
            from_ms = max(0, floor_to(reading.now_ms - step.keep_ms, step.step_ms))
            to_ms = ceil_to(reading.closed_ms, step.step_ms)
            if from_ms < to_ms:
                where = FigureRange(reading.service, step, from_ms, to_ms)
                for labels, first_ms in self._first_in(where):
                    earlier_ms, length_ms = seen.get(labels, (first_ms, step.step_ms))
                    if earlier_ms <= first_ms < earlier_ms + length_ms:
                        seen[labels] = first_ms, step.step_ms
        return {labels: first_ms for labels, (first_ms, _) in seen.items()}

    def _first_in(self, where: FigureRange) -> Iterable[tuple[Labels, int]]:
        series = self._panes.series(where, _MODEL.name)
        if not series:
            return []
        figures, _ = self._panes.figures(where, _MODEL, 0, series)
        first: dict[int, int] = {}
        for place, start_ms in zip(figures.series.tolist(), figures.starts_ms.tolist(), strict=True):
            first[place] = min(start_ms, first.get(place, start_ms))
        return [(series[place], first_ms) for place, first_ms in first.items() if OTHER_LABEL not in series[place]]


def releases(first_seen: dict[Labels, int]) -> list[MarkerRow]:
    """Return a marker for each version that came after the first of its model.

    Args:
        first_seen: Model and version -> when it was first seen.
    """
    began: dict[str, int] = {}
    for (model, _), first_ms in first_seen.items():
        began[model] = min(first_ms, began.get(model, first_ms))
    markers = [
        release_row(model, version, first_ms)
        for (model, version), first_ms in first_seen.items()
        if first_ms > began[model]
    ]
    return sorted(markers, key=lambda marker: (marker.at_ms, marker.key))
