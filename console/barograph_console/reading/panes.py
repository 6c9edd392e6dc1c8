"""Reads the panes of a plan a piece at a time, so that memory grows with the answer and not with the range."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from barograph_console.reading.work import Work
from barograph_console.store.ports import PaneSource
from barograph_core.clock import Clock
from barograph_core.steps import Step
from barograph_core.store.cover import Run
from barograph_core.store.pane_store import PackedPane, StoredPane

# Panes of a piece: the first ones before their size is known, then as many as have so many bytes.
_FIRST_PANES: Final = 60
_PIECE_BYTES: Final = 2 * 1_048_576
_MOST_PANES: Final = 512
# Panes of a longer run are not remembered: they would drive out those of the last minute, which everybody asks for.
_MOST_REMEMBERED: Final = 120


@dataclass(frozen=True, slots=True)
class Reading:
    """One service as of one moment, for one answer.

    Attributes:
        service: Its name.
        steps: Of the store, with how far back each is kept.
        closed_ms: How far the service is closed.
        now_ms: The present, which of a rebuilt prefix is the end of its log; tells what has expired.
        work: Bounds what is read.
        pending: Step and start of the roll-ups that were still to be made.
    """

    service: str
    steps: Sequence[Step]
    closed_ms: int
    now_ms: int
    work: Work
    pending: Sequence[tuple[int, int]] = ()


def begin_reading(panes: PaneSource, service: str, closed_ms: int, clock: Clock) -> Reading:
    """Return a reading as of now.

    Args:
        panes: The store.
        service: One service.
        closed_ms: How far it is closed.
        clock: The present.
    """
    retention = panes.retention(service, clock.now_ms())
    # Looked at before any pane is read: what is no longer pending then is stored.
    pending = panes.pending_roll_ups(service, closed_ms)
    return Reading(service, retention.steps, closed_ms, retention.present_ms, Work(clock), pending)


def read_pieces(panes: PaneSource, reading: Reading, run: Run) -> Iterator[Sequence[PackedPane]]:
    """Yield the panes of a run, a few at a time, as they lie on the server.

    Raises:
        QueryError: ``too_much_work``. After the first panes the size of the others is known well enough to refuse
            them unread.
    """
    at_ms, count, size = run.from_ms, _FIRST_PANES, 0
    while at_ms < run.to_ms:
        end_ms = min(run.to_ms, at_ms + count * run.step_ms)
        packed = panes.read_packed(reading.service, run.step_ms, at_ms, end_ms)
        own = sum(len(pane.content) for pane in packed)
        size, done = size + own, max(1, (end_ms - run.from_ms) // run.step_ms)
        reading.work.add(own, expected=size * ((run.to_ms - end_ms) // run.step_ms) // done)
        yield packed
        at_ms, count = end_ms, max(1, min(_MOST_PANES, _PIECE_BYTES * done // max(1, size)))


def read_unpacked(panes: PaneSource, reading: Reading, run: Run) -> Iterator[list[StoredPane]]:
    """Yield what ``read_pieces`` does, unpacked.

    Raises:
        QueryError: ``too_much_work``.
    """
    is_remembered = run.to_ms - run.from_ms <= _MOST_REMEMBERED * run.step_ms
    for packed in read_pieces(panes, reading, run):
        if is_remembered:
            yield [panes.unpack(reading.service, run.step_ms, pane) for pane in packed]
        else:
            yield [pane.unpack() for pane in packed]
