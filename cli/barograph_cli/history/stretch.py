"""How much of the panes a log can give: what lies wholly inside it and the range asked for, and what does not."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from barograph_core.moments import format_moment
from barograph_core.steps import Step
from barograph_core.stream import EntryId

_LAST_SEQ: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class LogExtent:
    """What a stream still holds.

    Attributes:
        last: The newest entry there ever was.
        intact_after: Everything up to here may be gone; ``None`` when nothing was ever dropped.
    """

    last: EntryId
    intact_after: EntryId | None


@dataclass(frozen=True, slots=True)
class Lost:
    """Panes of one step that are not written, because events of theirs may be missing."""

    step_ms: int
    from_ms: int
    to_ms: int
    reason: str


@dataclass(frozen=True, slots=True)
class Stretch:
    """The event time whose every event is in the log and in the range asked for.

    Attributes:
        from_ms: First pane that is whole, ``to_ms`` the end of the last; both at a pane's edge of the finest step.
        asked_from_ms: Where the panes asked for begin; 0 when none was named and the log is whole.
        asked_to_ms: Where they end; ``None`` when all that are over were asked for.
        read_from: First entry in which an event of the stretch can be, ``read_to`` the last.
    """

    from_ms: int
    to_ms: int
    asked_from_ms: int
    asked_to_ms: int | None
    read_from: EntryId
    read_to: EntryId
    why_from: str
    why_to: str

    def lost(self, steps: Sequence[Step]) -> Iterator[Lost]:
        """Yield what of the range asked for cannot be whole, by step."""
        for step in steps:
            length = step.step_ms
            first, end = _up(self.from_ms, length), self.to_ms - self.to_ms % length
            asked_first = self.asked_from_ms - self.asked_from_ms % length
            asked_end = max(first, end) if self.asked_to_ms is None else _up(self.asked_to_ms, length)
            if first >= end and asked_first < asked_end and self.asked_to_ms is not None:
                yield Lost(length, asked_first, asked_end, f"{self.why_from}; {self.why_to}")
                continue
            if asked_first < first:
                yield Lost(length, asked_first, first, self.why_from)
            if end < asked_end and first < end:
                yield Lost(length, end, asked_end, self.why_to)


def stretch_of(
    extent: LogExtent,
    *,
    from_ms: int | None,
    to_ms: int | None,
    now_ms: int,
    base_step_ms: int,
    allowed_lateness_ms: int,
    max_future_ms: int,
) -> Stretch:
    """Return what of a range can be rebuilt from a log.

    An event is at most ``max_future_ms`` ahead of its entry and ``allowed_lateness_ms`` behind it, or it does not
    count at all. So where the beginning of a log is gone, panes up to ``max_future_ms`` after it may lack events.

    Args:
        extent: Of the log.
        from_ms: Start of the range, ``None`` for the log's beginning.
        to_ms: Its end, ``None`` for now.
        now_ms: The server's clock.
        base_step_ms: Length of the finest panes.
        allowed_lateness_ms: As the aggregators of the log had it, and so ``max_future_ms``.
        max_future_ms: As said.
    """
    earliest, gone = 0, extent.intact_after
    why_from = "the range begins within them"
    if gone is not None:
        earliest = _up(gone.ms + max_future_ms + 1, base_step_ms)
        if earliest > (from_ms or 0):
            why_from = (
                f"the log is whole only after {format_moment(gone.ms)}, "
                f"and an event may come {max_future_ms} ms before its time"
            )
    asked_from_ms = from_ms if from_ms is not None else gone.ms if gone else 0
    end = now_ms if to_ms is None else min(to_ms, now_ms)
    why_to = "they are not over yet" if end >= now_ms else "the range ends within them"
    start = max(earliest, _up(asked_from_ms, base_step_ms))
    end -= end % base_step_ms
    last = EntryId(max(end - 1 + allowed_lateness_ms, 0), _LAST_SEQ)
    return Stretch(
        from_ms=start,
        to_ms=max(start, end),
        asked_from_ms=asked_from_ms,
        asked_to_ms=to_ms,
        read_from=EntryId(max(start - max_future_ms, 0), 0),
        read_to=min(last, extent.last),
        why_from=why_from,
        why_to=why_to,
    )


def _up(ms: int, step_ms: int) -> int:
    return -(-ms // step_ms) * step_ms
