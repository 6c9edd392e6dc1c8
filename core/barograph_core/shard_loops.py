"""Runs a stage's loops for every shard, and follows the layout: shards come and go while workers run."""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from barograph_core.errors import BarographError
from barograph_core.keys import ShardKeys
from barograph_core.layout import Layout, read_layout
from barograph_core.layout_change import install_layout, mend_epochs
from barograph_core.library import ensure_library
from barograph_core.settings import ServerSettings
from barograph_core.stream import Connection
from barograph_core.worker import wait_for_server

log = logging.getLogger(__name__)

Loop = Callable[[threading.Event], None]


class ShardLoops(Protocol):
    """Makes the loops of one shard."""

    def __call__(self, keys: ShardKeys, /, *, is_new: bool) -> Sequence[Loop]:
        """Return the loops; ``is_new`` says that the shard came into being while this worker ran."""
        ...


_LOOK_EVERY_S: Final = 0.5
# Producers find a new shard at once; what they append there waits so long at most for its first reader.
_LAYOUT_EVERY: Final = 2
_MEND_EVERY: Final = 10
_JOIN_S: Final = 10.0
# The layout is asked for by the thread that waits for the signal to stop.
_SOCKET_TIMEOUT_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class _Shift:
    """The threads of one shard, and what tells them to end."""

    stop: threading.Event
    threads: Sequence[threading.Thread]


class Crew:
    """The threads of all shards. For one thread."""

    def __init__(self, make_loops: ShardLoops) -> None:
        self._make_loops = make_loops
        self._shifts: dict[ShardKeys, _Shift] = {}
        self._ending: list[threading.Thread] = []
        self._has_begun = False
        self._complaints: set[ShardKeys] = set()

    def follow(self, shards: Sequence[ShardKeys]) -> None:
        """Begin the loops of shards that are new, and tell those of shards that are gone to end.

        A new shard that cannot begin keeps no other waiting, and is tried again by the next call.

        Raises:
            BarographError: A shard of the first call cannot begin.
        """
        for keys in shards:
            if keys not in self._shifts:
                self._begin(keys)
        for keys in set(self._shifts) - set(shards):
            self._dismiss(keys)
        self._ending = [thread for thread in self._ending if thread.is_alive()]
        self._has_begun = True

    def is_whole(self) -> bool:
        """Say whether every loop still runs."""
        return all(thread.is_alive() for shift in self._shifts.values() for thread in shift.threads)

    def stop(self) -> None:
        """End all loops; waits for them within a bound."""
        for keys in list(self._shifts):
            self._dismiss(keys)
        for thread in self._ending:
            thread.join(_JOIN_S)

    def _begin(self, keys: ShardKeys) -> None:
        try:
            loops = self._make_loops(keys, is_new=self._has_begun)
        except BarographError as error:
            if not self._has_begun:
                raise
            if keys not in self._complaints:
                # Producers send to it already, and nobody reads.
                log.warning("shard.cannot_begin", extra={"tag": keys.tag, "error": str(error)})
            self._complaints.add(keys)
            return
        self._complaints.discard(keys)
        stop = threading.Event()
        threads = [threading.Thread(target=_run, args=(loop, stop), daemon=True) for loop in loops]
        for thread in threads:
            thread.start()
        self._shifts[keys] = _Shift(stop, threads)

    def _dismiss(self, keys: ShardKeys) -> None:
        shift = self._shifts.pop(keys)
        shift.stop.set()
        self._ending += shift.threads


def serve_shards(stage: str, server: ServerSettings, make_loops: ShardLoops, stop: threading.Event) -> int:
    """Run the loops of every shard until ``stop``, each in a thread of its own.

    Waits for the server first and gives it the library and, if it has none, the layout; prints one line when
    all loops have begun. From then on the layout on the server holds, whatever ``server.shards`` says.

    Returns:
        0 after an orderly stop; 1 when a loop ended by itself.
    """
    connection = Connection.open(
        server.url, socket_timeout_s=_SOCKET_TIMEOUT_S, client_name=f"barograph-{stage}-layout"
    )

    def prepare() -> Layout:
        ensure_library(connection)
        return install_layout(connection, server.prefix, server.shards)

    layout = wait_for_server(prepare, stop)
    crew = Crew(make_loops)
    crew.follow([] if layout is None else layout.shards)
    print(f"barograph {stage} ready", flush=True)  # noqa: T201 - the one line that DESIGN section 10 promises
    is_orderly, looks = True, 0
    while is_orderly and not stop.wait(_LOOK_EVERY_S):
        looks += 1
        if looks % _LAYOUT_EVERY == 0:
            _look(connection, server.prefix, crew, is_mending=looks % _MEND_EVERY == 0)
        is_orderly = crew.is_whole()
    stop.set()
    crew.stop()
    connection.close()
    log.info("worker.stopped", extra={"stage": stage, "is_orderly": is_orderly})
    return 0 if is_orderly else 1


def _look(connection: Connection, prefix: str, crew: Crew, *, is_mending: bool) -> None:
    try:
        layout = read_layout(connection, prefix)
        crew.follow(layout.shards)
        if is_mending and not mend_epochs(connection, layout):
            log.info("layout.changing", extra={"epoch": layout.epoch})
    except BarographError as error:
        # The loops tell it too, and louder.
        log.debug("layout.unavailable", extra={"error": str(error)})


def _run(loop: Loop, stop: threading.Event) -> None:
    try:
        loop(stop)
    except Exception:
        log.exception("worker.died")
