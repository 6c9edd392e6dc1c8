"""What a worker tells the server of itself each second, for ``barograph status`` and ``/metrics``."""

import logging

from barograph_core.clock import Clock
from barograph_core.errors import BarographError, StreamUnavailableError
from barograph_core.keys import ShardKeys
from barograph_core.self_metrics import Counters
from barograph_core.stream import Connection

log = logging.getLogger(__name__)

_LIFE_S = 30
_FORGET_MS = 86_400_000


class WorkerReport:
    """The hash of one worker's self-metrics, and its place on the list of workers."""

    def __init__(
        self, connection: Connection, keys: ShardKeys, *, stage: str, name: str, clock: Clock, counters: Counters
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._stage, self._name = stage, name
        self._clock = clock
        self._counters = counters

    def write(self) -> None:
        """Write every counter and distribution; they expire soon after the worker's death.

        Raises:
            BarographError: The server is gone or refuses, but not for want of memory.
        """
        now = self._clock.now_ms()
        worker = self._keys.worker(self._stage, self._name)
        facts = [str(item) for pair in self._counters.snapshot().items() for item in pair]
        try:
            self._connection.pipeline(
                [
                    ["HSET", worker, "stage", self._stage, "consumer", self._name, "at_ms", now, *facts],
                    ["EXPIRE", worker, _LIFE_S],
                    ["ZADD", self._keys.workers, now, f"{self._stage}:{self._name}"],
                    ["ZREMRANGEBYSCORE", self._keys.workers, "-inf", now - _FORGET_MS],
                ]
            )
        except StreamUnavailableError as error:
            # A full server refuses figures, yet takes the work that empties it: that must not wait.
            if error.reason != "out_of_memory":
                raise

    def end(self) -> None:
        """Write once more and leave the list; a server that is gone hears nothing."""
        try:
            self.write()
            self._connection.pipeline([["ZREM", self._keys.workers, f"{self._stage}:{self._name}"]])
        except BarographError as error:
            log.info("worker.unheard", extra={"stage": self._stage, "error": str(error)})
