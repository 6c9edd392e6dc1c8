"""Reads the small chart of each service: requests and errors, a point a minute."""

from typing import Final

from barograph_console.figures.points import DEFAULT_QUANTILES, Question
from barograph_console.figures.query_answer import QueryReader
from barograph_console.reading.panes import Reading
from barograph_console.reading.query_plan import QueryError
from barograph_console.services.cards import Sparkline
from barograph_core.events.kinds import KINDS
from barograph_core.store.cover import ceil_to

STEP_MS: Final = 60_000
_QUESTION: Final = Question(KINDS["request"], "duration_ms", (), {}, DEFAULT_QUANTILES)


def read_sparkline(queries: QueryReader, reading: Reading, *, points: int) -> Sparkline | None:
    """Return the ``points`` minutes that end with the newest closed one, ``None`` where that is too much work."""
    to_ms = ceil_to(reading.closed_ms, STEP_MS)
    from_ms = max(0, to_ms - points * STEP_MS)
    try:
        figures = queries.collect(reading, queries.plan(reading, from_ms, to_ms, STEP_MS), _QUESTION).figures
    except QueryError:
        return None
    requests: list[int | None] = [None] * points
    errors: list[int | None] = [None] * points
    for start_ms, count, failed in zip(
        figures.starts_ms.tolist(), figures.events.tolist(), figures.errors.tolist(), strict=True
    ):
        point = (start_ms - from_ms) // STEP_MS
        if 0 <= point < points:
            requests[point], errors[point] = count, failed
    return Sparkline(from_ms, STEP_MS, requests, errors)
