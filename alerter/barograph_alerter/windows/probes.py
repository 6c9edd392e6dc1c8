"""Answers probes: an alerter has judged the pane with a probe event, and has written what it found."""

from collections.abc import Callable
from typing import Final

from barograph_alerter.conditions.functions import Quantity
from barograph_alerter.conditions.row import Look
from barograph_alerter.windows.window import Window
from barograph_core.errors import WindowNotWholeError
from barograph_core.keyspace.keys import ShardKeys, is_own_service
from barograph_core.pipeline.probing.probe import SERIES, answer_probe
from barograph_core.server.connection import Connection

# Longer than the panes that one judgement of an alerter without a backlog has.
_SPAN_MS: Final = 10_000
_NEWEST: Final = Quantity("value", "max")


def probe_look(base_step_ms: int) -> Look:
    """Return the window in which probes are looked for: whole panes of the finest step."""
    return Look(max(_SPAN_MS // base_step_ms, 1) * base_step_ms)


class ProbeAnswers:
    """Answers each probe of one shard once. For one thread."""

    def __init__(self, connection: Connection, keys: ShardKeys, base_step_ms: int) -> None:
        self._connection = connection
        self._keys = keys
        self._look = probe_look(base_step_ms)
        self._answered = 0.0

    def note_judged(self, service: str, window_of: Callable[[Look], Window]) -> None:
        """Answer the newest probe among the panes of ``service`` that have just been judged, if there is one.

        Raises:
            BarographError: The server is gone.
        """
        if not is_own_service(service):
            return
        try:
            row = window_of(self._look).rows("custom", (), {"name": SERIES}).get(())
        except WindowNotWholeError:
            # Who asked waits in vain, as rules do.
            return
        mark = None if row is None else row.number(_NEWEST)
        # Not only a greater one: a clock that was set back gives marks that are smaller for as long as it was ahead.
        if mark is not None and mark != self._answered:
            self._answered = mark
            answer_probe(self._connection, self._keys, int(mark))
