"""What the feed's thread has to do: what the hub asks for, and what changed."""

import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from barograph_console.store.ports import Change

# Bound on what was read and not worked out yet; the readers wait beyond it, and the streams hold the rest.
_BATCHES: Final = 64


@dataclass(frozen=True, slots=True)
class Asked:
    """What the hub asks for."""

    what: Literal["follow", "leave", "snapshot", "stop"]
    topic: str = ""


class WorkQueue:
    """Filled by any number of threads, emptied by one."""

    def __init__(self) -> None:
        self._work: queue.SimpleQueue[Asked | Sequence[Change]] = queue.SimpleQueue()
        self._room = threading.Semaphore(_BATCHES)

    def ask(self, asked: Asked) -> None:
        """Add what the hub asks for. Never waits: the hub lives in the event loop."""
        self._work.put(asked)

    def hand_on(self, changes: Sequence[Change]) -> None:
        """Add what a reader found; waits while there is too much to do."""
        self._room.acquire()
        self._work.put(changes)

    def take(self, timeout_s: float | None) -> tuple[list[Asked], list[Change]]:
        """Wait for work, at most ``timeout_s``; return all there is."""
        asked: list[Asked] = []
        changes: list[Change] = []
        try:
            work = self._work.get(timeout=timeout_s)
            while True:
                if isinstance(work, Asked):
                    asked.append(work)
                else:
                    self._room.release()
                    changes += work
                work = self._work.get_nowait()
        except queue.Empty:
            return asked, changes
