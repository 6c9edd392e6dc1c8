"""Decides which of the waiting panes and roll-ups a closer may try in one pass."""

from collections.abc import Callable, Collection, Mapping
from functools import cached_property
from typing import Final

from barograph_aggregator.close.pane_queue import OpenPane
from barograph_aggregator.close.pane_span import PaneSpan

_REMOVED_AT_ONCE: Final = 2_000


class PaneFilter:
    """Lets panes of the closer's span and of a known step through, if the watermark has passed them or they are whole.

    Attributes:
        outside: The panes met outside the span, up to 2,000. No one will close them here: the caller removes them.
    """

    def __init__(
        self,
        span: PaneSpan,
        step_lengths_ms: frozenset[int],
        log_refused: Callable[[OpenPane, str], None],
        watermark_ms: int,
        whole: Collection[OpenPane] = (),
    ) -> None:
        self._span = span
        self._watermark_ms = watermark_ms
        self._whole = whole
        self._step_lengths_ms = step_lengths_ms
        self._log_refused = log_refused
        self.outside: list[OpenPane] = []

    def may_close(self, opened: OpenPane) -> bool:
        """Say whether to try ``opened`` in this pass."""
        if not self._span.holds(opened.start_ms, opened.end_ms):
            if len(self.outside) < _REMOVED_AT_ONCE:
                self.outside.append(opened)
            return False
        if opened.step_ms not in self._step_lengths_ms:
            # A worker with other settings queued it: an earlier one, or one whose settings are right and ours are not.
            self._log_refused(opened, "no step of these settings is that long")
            return False
        return self._is_due(opened)

    def _is_due(self, opened: OpenPane) -> bool:
        return opened.end_ms <= self._watermark_ms or opened in self._whole


class RollUpFilter(PaneFilter):
    """Lets roll-ups through whose service is closed through their end, which may be after the watermark."""

    def __init__(
        self,
        span: PaneSpan,
        step_lengths_ms: frozenset[int],
        log_refused: Callable[[OpenPane, str], None],
        watermark_ms: int,
        read_cursors: Callable[[], Mapping[str, int]],
    ) -> None:
        super().__init__(span, step_lengths_ms, log_refused, watermark_ms)
        self._read_cursors = read_cursors

    def _is_due(self, opened: OpenPane) -> bool:
        # A service without a cursor has retired: none of its panes are still to be closed.
        return opened.end_ms <= self._cursors.get(opened.service, self._watermark_ms)

    @cached_property
    def _cursors(self) -> Mapping[str, int]:
        """How far each service is closed. Most passes have no roll-up due and do not read it."""
        return self._read_cursors()
