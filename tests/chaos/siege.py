"""A server under load that is killed and started again, again and again, and an aggregator with it now and then."""

import json
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from barograph_core.errors import BarographError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_int
from tests.chaos.fleet import SERVICE, Fleet, Process
from tests.chaos.witness import Witness
from tests.servers import Node, valkey_binary
from tests.support import wait_until

# Producers that have left send nothing again: what the server forgets after that is gone.
WAVES = 3
PRODUCERS = 3
EVENTS_PER_S = 2_000
AGGREGATORS = 2
KILL_AGGREGATOR_EVERY = 4
LONGEST_CALM_S = 1.2
LONGEST_OUTAGE_S = 0.5
# Longer than an entry may be idle before it is claimed, and than a pane waits for stragglers.
LONG_OUTAGE_S = 2.5
LONG_OUTAGE_EVERY = 5
AIM_S = 2.0
# What the server has just done when it is killed: anything, an append of a producer, the end of a commit.
AIMS = ("", "XADD", "XACK")
PAUSE = threading.Event()


def if_reachable(condition: Callable[[], bool]) -> Callable[[], bool]:
    """Return ``condition``, false while the server or the consumer group is away."""

    def ask() -> bool:
        try:
            return condition()
        except BarographError:
            return False

    return ask


@dataclass
class Siege:
    """The server, those who work on it, and what was done to them."""

    node: Node
    fleet: Fleet
    witness: Witness
    rng: random.Random
    ledgers: list[Path] = field(default_factory=list[Path])
    kills: int = 0
    kills_after: Counter[str] = field(default_factory=Counter[str])
    restarts: int = 0
    aggregator_kills: int = 0
    aggregator_kills_holding_entries: int = 0

    def run(self, kills: int) -> None:
        """Kill the server so many times, under waves of producers, and end when all have shipped and left."""
        producers: list[Process] = []
        with self.witness.watching():
            for wave in range(WAVES):
                producers += self._start_wave()
                last = kills * (wave + 1) // WAVES
                while self.kills < last:
                    self._strike(leaving=producers if self.kills == last - 1 else ())
            for process in producers:
                process.wait(60)
            wait_until(if_reachable(self.fleet.is_drained), timeout_s=60, what="the end of the backlog")

    def restart(self) -> None:
        self.node.start()
        self.restarts += 1

    def producers_say(self) -> Counter[str]:
        """Return what became of the events, as all producers together say at their end."""
        said = Counter[str]()
        for ledger in self.ledgers:
            said.update(json.loads(Path(f"{ledger}.json").read_text()))
        return said

    def _start_wave(self) -> list[Process]:
        ledgers = [self.fleet.folder / f"ledger-{len(self.ledgers) + number}" for number in range(PRODUCERS)]
        command = ("tests.chaos.steady_load_process", self.fleet.url, self.fleet.keys.prefix, SERVICE)
        wave = [
            self.fleet.start(*command, str(ledger), str(EVENTS_PER_S), str(self.rng.randrange(1 << 30)))
            for ledger in ledgers
        ]
        self.ledgers += ledgers
        self.fleet.others += wave
        # Before that they could not be told to end.
        wait_until(lambda: all(ledger.exists() for ledger in ledgers), what="the producers")
        return wave

    def _strike(self, leaving: Sequence[Process]) -> None:
        """Kill the server when all goes well again, and start it after a while; meanwhile let ``leaving`` end."""
        committed = self._committed()
        wait_until(if_reachable(lambda: self._committed() > committed), timeout_s=30, what="the next commit")
        PAUSE.wait(self.rng.uniform(0, LONGEST_CALM_S))
        victim = None if self.kills % KILL_AGGREGATOR_EVERY else self._freeze_aggregator()
        self._take_aim()
        self.node.kill()
        self.kills += 1
        if victim is not None:
            victim.kill()
            victim.wait(60)
            self.aggregator_kills += 1
            self.fleet.start_worker("aggregator")
        for process in leaving:
            process.terminate()
        is_long = self.kills % LONG_OUTAGE_EVERY == 0
        PAUSE.wait(LONG_OUTAGE_S if is_long else self.rng.uniform(0, LONGEST_OUTAGE_S))
        self.restart()

    def _freeze_aggregator(self) -> Process:
        """Take the oldest aggregator out, frozen: what it has read and not committed must outlive the server."""
        victim = self.fleet.workers["aggregator"].pop(0)
        self.aggregator_kills_holding_entries += self.fleet.freeze_holding_entries(victim)
        return victim

    def _take_aim(self) -> None:
        """Wait for the worst moment, two times of three: whoever wrote must not learn that it was done."""
        command = AIMS[self.kills % len(AIMS)]
        if command and has_written(self.node.folder, command, self.fleet.keys.events):
            self.kills_after[command] += 1

    def _committed(self) -> int:
        found = self.fleet.connection.command("HGET", self.fleet.keys.progress, "committed")
        return 0 if found is None else as_int(found)


def has_written(folder: Path, command: str, stream: str) -> bool:
    """Return when ``command`` on ``stream`` has just reached the file, and its reply has most likely not left yet.

    Returns:
        Whether it was seen within ``AIM_S``; never when nothing is kept on disk.
    """
    files = sorted(folder.glob("appendonlydir/*.incr.aof"), key=lambda path: path.stat().st_mtime)
    if not files:
        return False
    deadline = time.monotonic() + AIM_S
    wanted, tail = f"{command}\r\n${len(stream)}\r\n{stream}\r\n".encode(), b""
    with files[-1].open("rb") as log:
        log.seek(0, os.SEEK_END)
        while time.monotonic() < deadline:
            tail += log.read()
            if wanted in tail:
                return True
            tail = tail[-len(wanted) :]
    return False


@contextmanager
def running_siege(folder: Path, *durability: str) -> Generator[Siege, None, None]:
    """Run a server and aggregators on it; the server's folder outlives it."""
    node = Node((valkey_binary(),), folder / "server", ("--save", "", *durability))
    node.start()
    keys = ShardKeys(prefix="chaos")
    fleet = Fleet(node.url, keys, folder, Connection.open(node.url))
    try:
        for _ in range(AGGREGATORS):
            fleet.start_worker("aggregator")
        yield Siege(node, fleet, Witness(node.url, keys, SERVICE), random.Random(11))
    finally:
        fleet.stop()
        fleet.connection.close()
        node.kill()
