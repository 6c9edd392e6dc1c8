"""Reads one merged pane over a window of closed time."""

from collections.abc import Sequence
from dataclasses import dataclass

from barograph_console.reading.panes import Reading, read_unpacked
from barograph_console.reading.query_plan import plan_query
from barograph_console.store.ports import PaneSource
from barograph_core.panes.pane import Pane
from barograph_core.steps import Step
from barograph_core.store.cover import floor_to

MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Window:
    """A merged pane, and when the first of its panes began that had an event (``None``: none had)."""

    pane: Pane
    first_ms: int | None


class WindowReader:
    """Merges the panes of a window, read at the coarsest steps that fit it."""

    def __init__(self, panes: PaneSource) -> None:
        self._panes = panes

    def read(self, reading: Reading, *, to_ms: int, window_ms: int) -> Pane:
        """Return the pane of ``read_window``."""
        return self.read_window(reading, to_ms=to_ms, window_ms=window_ms).pane

    def read_window(self, reading: Reading, *, to_ms: int, window_ms: int) -> Window:
        """Return the panes of the ``window_ms`` before ``to_ms`` as one, empty where nothing is kept.

        Both ends are widened to whole panes of the finest step that is still kept.

        Raises:
            QueryError: ``too_much_work``.
        """
        plan = plan_query(
            reading.steps,
            from_ms=max(0, to_ms - window_ms),
            to_ms=to_ms,
            step_ms=None,
            closed_through_ms=reading.closed_ms,
            now_ms=reading.now_ms,
            pending=reading.pending,
            max_points=1,
        )
        merged, first_ms = Pane.EMPTY, None
        for run in plan.runs:
            for panes in read_unpacked(self._panes, reading, run):
                merged = Pane.merge([merged, *(stored.pane for stored in panes)])
                if first_ms is None:
                    first_ms = next((stored.start_ms for stored in panes if not stored.pane.is_empty), None)
        return Window(merged, first_ms)

    def minute_before(self, reading: Reading, *, offset_ms: int) -> Pane:
        """Return the newest whole minute that had ended ``offset_ms`` before what is closed.

        Whole panes of what is still kept from then, so never more than a minute; empty where only longer panes are.
        """
        end_ms = max(0, reading.closed_ms - offset_ms)
        step = _finest_kept(reading.steps, end_ms - 2 * MINUTE_MS, reading.now_ms)
        if step is None or MINUTE_MS % step.step_ms:
            return Pane.EMPTY
        to_ms = floor_to(end_ms, step.step_ms)
        if to_ms < MINUTE_MS:
            return Pane.EMPTY
        return self.read(reading, to_ms=to_ms, window_ms=MINUTE_MS)


def _finest_kept(steps: Sequence[Step], from_ms: int, now_ms: int) -> Step | None:
    return next((step for step in steps if from_ms >= now_ms - step.keep_ms), None)
