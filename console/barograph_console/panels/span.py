"""The span of time that a panel is asked for. Pure."""

from dataclasses import dataclass
from typing import Final

from barograph_console.reading.panes import Reading
from barograph_console.reading.query_plan import QueryError
from barograph_core.text.timestamps import parse_timestamp

# Whole panes of a longer span would be too much to merge for one answer.
_LONGEST_MS: Final = 31 * 86_400_000


@dataclass(frozen=True, slots=True)
class Span:
    """Closed time."""

    from_ms: int
    to_ms: int

    def before(self) -> "Span":
        """Return the span of the same length that ends where this one begins."""
        return Span(max(0, 2 * self.from_ms - self.to_ms), self.from_ms)


def parse_span(from_: str, to: str, reading: Reading) -> Span:
    """Return the span from ``from_`` to before ``to``, as far as it is closed.

    Raises:
        QueryError: ``invalid_parameter``, ``empty_range`` or ``too_much_work``.
    """
    now_ms, closed_ms = reading.now_ms, reading.closed_ms
    try:
        from_ms, to_ms = parse_timestamp(from_, now_ms), parse_timestamp(to, now_ms)
    except ValueError as error:
        raise QueryError("invalid_parameter", str(error)) from error
    if from_ms >= to_ms:
        raise QueryError("empty_range", f"from ({from_ms}) must lie before to ({to_ms})")
    if to_ms - from_ms > _LONGEST_MS:
        raise QueryError("too_much_work", "a span may have 31 days here; ask a shorter range")
    # Of a span that is not closed yet there is one moment, with nothing in it.
    return Span(min(from_ms, max(0, closed_ms - 1)), max(1, min(to_ms, closed_ms)))
