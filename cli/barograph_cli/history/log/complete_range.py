"""The panes that can be rebuilt from a log: those wholly inside the log and the range asked for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from barograph_core.server.replies import EntryId
from barograph_core.steps import Step
from barograph_core.text.timestamps import format_timestamp

_LAST_SEQ: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class LogExtent:
    """The entries that a stream still holds.

    Attributes:
        last: The newest entry that was ever added.
        intact_after: Entries up to this one may be gone; ``None`` when no entry was ever dropped.
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
class CompleteRange:
    """The range of event time whose events are all in the log and in the range asked for.

    Attributes:
        from_ms: Start of the first complete pane of the finest step.
        to_ms: End of the last one.
        asked_from_ms: Start of the panes asked for; 0 when none was named and the log is complete.
        asked_to_ms: Their end; ``None`` when all panes up to now were asked for.
        read_from: First entry that can hold an event of the range.
        read_to: Last such entry.
        why_from: Reason why panes before the range are not written.
        why_to: Reason why panes after the range are not written.
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
        """Yield the panes asked for that cannot be complete, by step."""
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


def complete_range_of(
    extent: LogExtent,
    *,
    from_ms: int | None,
    to_ms: int | None,
    now_ms: int,
    base_step_ms: int,
    allowed_lateness_ms: int,
    max_future_ms: int,
) -> CompleteRange:
    """Return the part of a range that can be rebuilt from a log.

    An event is at most ``max_future_ms`` ahead of its entry and ``allowed_lateness_ms`` behind it, or it does not
    count at all. If the beginning of a log is gone, panes up to ``max_future_ms`` after it may therefore lack events.

    Args:
        extent: Of the log.
        from_ms: Start of the range, ``None`` for the log's beginning.
        to_ms: End of the range, ``None`` for now.
        now_ms: The server's clock.
        base_step_ms: Length of the finest panes.
        allowed_lateness_ms: Setting of the log's aggregators.
        max_future_ms: Setting of the log's aggregators.
    """
    earliest, gone = 0, extent.intact_after
    why_from = "the range begins within them"
    if gone is not None:
        earliest = _up(gone.ms + max_future_ms + 1, base_step_ms)
        if earliest > (from_ms or 0):
            why_from = (
                f"the log is whole only after {format_timestamp(gone.ms)}, "
                f"and an event may come {max_future_ms} ms before its time"
            )
    asked_from_ms = from_ms if from_ms is not None else gone.ms if gone else 0
    end = now_ms if to_ms is None else min(to_ms, now_ms)
    why_to = "they are not over yet" if end >= now_ms else "the range ends within them"
    start = max(earliest, _up(asked_from_ms, base_step_ms))
    end -= end % base_step_ms
    last = EntryId(max(end - 1 + allowed_lateness_ms, 0), _LAST_SEQ)
    return CompleteRange(
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
