"""Runs a stage's loops for every shard, and follows the layout: shards are added and removed while workers run."""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from barograph_core.errors import BarographError
from barograph_core.functions.library import ensure_library
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.keyspace.layout import Layout, read_layout
from barograph_core.keyspace.layout_change import install_layout, mend_epochs
from barograph_core.log_limit import ONCE, LogLimit
from barograph_core.server.connection import Connection
from barograph_core.server.memory import read_memory
from barograph_core.settings.server import ServerSettings
from barograph_core.workers.process import wait_for_server

log = logging.getLogger(__name__)

Loop = Callable[[threading.Event], None]


class ShardLoops(Protocol):
    """Makes the loops of one shard."""

    def __call__(self, keys: ShardKeys, /, *, is_new: bool) -> Sequence[Loop]:
        """Return the loops; ``is_new`` says whether the shard was added while this worker ran."""
        ...


_LOOK_EVERY_S: Final = 0.5
# Looks between two reads of the layout. Producers find a new shard at once; their entries wait for its first reader.
_LAYOUT_EVERY: Final = 2
_MEND_EVERY: Final = 10
_JOIN_S: Final = 10.0
# Short, because the thread that reads the layout also waits for the signal to stop.
_SOCKET_TIMEOUT_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class _Running:
    """The threads of one shard, and the event that ends them."""

    stop: threading.Event
    threads: Sequence[threading.Thread]


class ShardThreads:
    """The threads of all shards. For one thread."""

    def __init__(self, make_loops: ShardLoops) -> None:
        self._make_loops = make_loops
        self._running: dict[ShardKeys, _Running] = {}
        self._ending: list[threading.Thread] = []
        self._has_started = False
        self._log_limit = LogLimit(ONCE)

    def follow(self, shards: Sequence[ShardKeys]) -> None:
        """Start the loops of new shards, and end those of shards that are gone.

        A new shard that cannot be started does not delay the others; the next call tries it again.

        Raises:
            BarographError: A shard of the first call cannot be started.
        """
        for keys in shards:
            if keys not in self._running:
                self._start(keys, is_new=self._has_started)
        for keys in set(self._running) - set(shards):
            self._end(keys)
        self._ending = [thread for thread in self._ending if thread.is_alive()]
        self._has_started = True

    def renew(self) -> None:
        """End the loops of every shard, and start them again with what ``make_loops`` makes now."""
        shards = list(self._running)
        for keys in shards:
            self._end(keys)
        for thread in self._ending:
            # The new loops have the same name as consumers: both at once would take entries from each other.
            thread.join(_JOIN_S)
        for keys in shards:
            self._start(keys, is_new=False)

    def is_whole(self) -> bool:
        """Say whether every loop still runs."""
        return all(thread.is_alive() for running in self._running.values() for thread in running.threads)

    def stop(self) -> None:
        """End all loops, and wait for them within a bound."""
        for keys in list(self._running):
            self._end(keys)
        for thread in self._ending:
            thread.join(_JOIN_S)

    def _start(self, keys: ShardKeys, *, is_new: bool) -> None:
        try:
            loops = self._make_loops(keys, is_new=is_new)
        except BarographError as error:
            if not self._has_started:
                raise
            if self._log_limit.allows(keys):
                # Producers already send to this shard, and no worker reads it.
                log.warning("shard.cannot_begin", extra={"tag": keys.tag, "error": str(error)})
            return
        self._log_limit.forget(keys)
        stop = threading.Event()
        threads = [threading.Thread(target=_run, args=(loop, stop), daemon=True) for loop in loops]
        for thread in threads:
            thread.start()
        self._running[keys] = _Running(stop, threads)

    def _end(self, keys: ShardKeys) -> None:
        running = self._running.pop(keys)
        running.stop.set()
        self._ending += running.threads


def serve_shards(
    stage: str,
    server: ServerSettings,
    make_loops: ShardLoops,
    stop: threading.Event,
    has_changed: Callable[[], bool] | None = None,
) -> int:
    """Run the loops of every shard until ``stop``, each in a thread of its own.

    First wait for the server, load the library and, if there is no layout, write one. Print one line when all loops
    have started. From then on the layout on the server counts, and not ``server.shards``.

    Args:
        stage: Its name.
        server: The section ``[server]``.
        make_loops: Makes the loops of a shard.
        stop: Ends them.
        has_changed: Asked every half second; where it is true, all loops end and ``make_loops`` makes others.

    Returns:
        0 after an orderly stop; 1 when a loop ended by itself.
    """
    connection = Connection.open(
        server.url, socket_timeout_s=_SOCKET_TIMEOUT_S, client_name=f"barograph-{stage}-layout"
    )

    def prepare() -> Layout:
        ensure_library(connection)
        _check_memory(connection)
        return install_layout(connection, server.prefix, server.shards)

    layout = wait_for_server(prepare, stop)
    shard_threads = ShardThreads(make_loops)
    shard_threads.follow([] if layout is None else layout.shards)
    print(f"barograph {stage} ready", flush=True)  # noqa: T201 - the one line that DESIGN section 10 promises
    is_orderly, looks = True, 0
    while is_orderly and not stop.wait(_LOOK_EVERY_S):
        looks += 1
        if looks % _LAYOUT_EVERY == 0:
            _look(connection, server.prefix, shard_threads, is_mending=looks % _MEND_EVERY == 0)
        if has_changed is not None and has_changed():
            shard_threads.renew()
        is_orderly = shard_threads.is_whole()
    stop.set()
    shard_threads.stop()
    connection.close()
    log.info("worker.stopped", extra={"stage": stage, "is_orderly": is_orderly})
    return 0 if is_orderly else 1


def _check_memory(connection: Connection) -> None:
    memory = read_memory(connection)
    if memory is not None and memory.can_evict:
        facts = {"maxmemory_policy": memory.policy, "maxmemory": memory.bound_bytes}
        log.error("server.can_evict", extra={**facts, "mend": "set maxmemory-policy to noeviction"})


def _look(connection: Connection, prefix: str, shard_threads: ShardThreads, *, is_mending: bool) -> None:
    try:
        layout = read_layout(connection, prefix)
        shard_threads.follow(layout.shards)
        if is_mending and not mend_epochs(connection, layout):
            log.info("layout.changing", extra={"epoch": layout.epoch})
    except BarographError as error:
        # The loops meet the same error and log it as a warning.
        log.debug("layout.unavailable", extra={"error": str(error)})


def _run(loop: Loop, stop: threading.Event) -> None:
    try:
        loop(stop)
    except Exception:
        log.exception("worker.died")
