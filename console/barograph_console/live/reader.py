"""Threads that read the changes of all shards, as long as somebody follows a topic."""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Final

from barograph_console.store.ports import Change, ChangesMissed, ChangeSource
from barograph_core.errors import BarographError
from barograph_core.log_limit import ONCE, LogLimit

log = logging.getLogger(__name__)
# A thread that is to end does so within this time. The server may be asked to wait no longer than a reply may take.
_WAIT_MS: Final = 1_000
_SHARDS_AGAIN_S: Final = 5.0
_RETRY_S: Final = 0.5


class ChangeReader:
    """Reads every shard in a thread of its own, and hands on what changed."""

    def __init__(self, source: ChangeSource, hand_on: Callable[[Sequence[Change]], None]) -> None:
        self._source = source
        self._hand_on = hand_on
        self._stop: threading.Event | None = None

    def start(self) -> None:
        """Begin to read, unless that has begun."""
        if self._stop is None:
            self._stop = threading.Event()
            self._start_thread(self._watch_shards, self._stop)

    def stop(self) -> None:
        """Let the threads end. They do so within a second; what they still read is handed on."""
        if self._stop is not None:
            self._stop.set()
            self._stop = None

    def _start_thread(self, run: Callable[..., None], *arguments: object) -> None:
        threading.Thread(target=run, args=arguments, name="console-live-reader", daemon=True).start()

    def _watch_shards(self, stop: threading.Event) -> None:
        """Start a thread for each shard, also for one that is added later."""
        reading: set[str] = set()
        log_limit = LogLimit(ONCE)
        while not stop.is_set():
            try:
                for shard in set(self._source.shards()) - reading:
                    reading.add(shard)
                    self._start_thread(self._read_shard, shard, stop)
                log_limit.forget("shards")
            except BarographError as error:
                _complain(log_limit, "shards", error)
            stop.wait(_SHARDS_AGAIN_S if reading else _RETRY_S)

    def _read_shard(self, shard: str, stop: threading.Event) -> None:
        log_limit = LogLimit(ONCE)
        while not stop.is_set():
            try:
                stream = self._source.open(shard)
                try:
                    # What changed before may not have been read: at the start, and after a failure.
                    self._hand_on([ChangesMissed()])
                    while not stop.is_set():
                        changes = stream.read(_WAIT_MS)
                        log_limit.forget(shard)
                        if changes:
                            self._hand_on(changes)
                finally:
                    stream.close()
            except BarographError as error:
                _complain(log_limit, shard, error)
                stop.wait(_RETRY_S)


def _complain(log_limit: LogLimit, shard: str, error: BarographError) -> None:
    """Log once that changes cannot be read, and again only after they could be."""
    if log_limit.allows(shard):
        log.warning("console.changes_unreadable", extra={"shard": shard, "error": str(error)})
