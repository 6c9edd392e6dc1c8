"""Writes a worker's counters to the server each second, for ``barograph status`` and ``/metrics``."""

import logging

from barograph_core.errors import BarographError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection, read_now
from barograph_core.server.refusals import skip_if_full
from barograph_core.workers.counters import WorkerCounters

log = logging.getLogger(__name__)

# Field of a worker's hash: why the changed configuration file is not in force; empty when it is.
CONFIG_PROBLEM = "config_problem"
_MOST_PROBLEM = 2_000
_LIFE_S = 30
_FORGET_MS = 86_400_000


class WorkerReport:
    """The hash of one worker's self-metrics, and its place on the list of workers."""

    def __init__(
        self, connection: Connection, keys: ShardKeys, *, stage: str, name: str, counters: WorkerCounters
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._stage, self._name = stage, name
        self._counters = counters

    def write(self) -> None:
        """Write every counter and distribution; they expire soon after the worker's death. Skipped on a full server.

        Raises:
            BarographError: The server is gone, or refuses for another reason than lack of memory.
        """
        # The server's time, with which readers compare it: by a clock of its own that is off it would look dead.
        now = read_now(self._connection)
        worker = self._keys.worker(self._stage, self._name)
        facts = [str(item) for pair in self._counters.snapshot().items() for item in pair]
        if self._counters.config_problem is not None:
            # Also when there is none: it takes the place of one that was mended.
            facts += [CONFIG_PROBLEM, self._counters.config_problem()[:_MOST_PROBLEM]]
        with skip_if_full():
            self._connection.pipeline(
                [
                    ["HSET", worker, "stage", self._stage, "consumer", self._name, "at_ms", now, *facts],
                    ["EXPIRE", worker, _LIFE_S],
                    ["ZADD", self._keys.workers, now, f"{self._stage}:{self._name}"],
                    ["ZREMRANGEBYSCORE", self._keys.workers, "-inf", now - _FORGET_MS],
                ]
            )

    def end(self) -> None:
        """Write once more and leave the list; without a server, do nothing."""
        try:
            self.write()
            self._connection.pipeline([["ZREM", self._keys.workers, f"{self._stage}:{self._name}"]])
        except BarographError as error:
            log.info("worker.unheard", extra={"stage": self._stage, "error": str(error)})
