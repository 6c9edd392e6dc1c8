"""Real workers on any server, real producers, and the book that the panes are compared with."""

import math
import signal
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from barograph_core.errors import BarographError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.keyspace.layout import Layout, read_layout
from barograph_core.panes.pane import Pane
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_list, as_text
from barograph_core.steps import DEFAULT_KEEP, parse_keep
from barograph_core.store.pane_store import PaneStore
from barograph_producer import Producer
from tests.support import wait_until

Process: TypeAlias = "subprocess.Popen[bytes]"
STEPS = parse_keep(DEFAULT_KEEP)
SHIP_EVERY_MS = 50


@dataclass
class Fleet:
    """Workers and producers on one server."""

    url: str
    prefix: str
    folder: Path
    options: Sequence[str] = ()
    workers: list[Process] = field(default_factory=list[Process])
    producers: dict[str, Producer] = field(default_factory=dict[str, Producer])
    book: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def start(self, stage: str = "aggregator") -> Process:
        """Start a worker; return it when it has begun."""
        log = self.folder / f"{stage}-{len(self.workers)}.log"
        command = [sys.executable, "-m", f"barograph_{stage}", "--url", self.url, "--prefix", self.prefix]
        with log.open("wb") as output:
            process = subprocess.Popen([*command, *self.options], stdout=output, stderr=output)
        self.workers.append(process)
        wait_until(lambda: b"ready" in log.read_bytes(), what=f"a worker: see {log}")
        return process

    def end(self, process: Process, number: signal.Signals = signal.SIGTERM) -> None:
        process.send_signal(number)
        process.wait(20)
        self.workers.remove(process)

    def record(self, service: str, events: int) -> None:
        """Record events; durations are multiples of 1/8 ms, so that their sum is exact in any order."""
        producer = self.producers.get(service)
        if producer is None:
            producer = self.producers[service] = Producer(
                service=service, url=self.url, prefix=self.prefix, ship_every_ms=SHIP_EVERY_MS, sample_process=False
            )
        for number in range(events):
            duration_ms = (len(self.book[service]) * 37 + number) % 8_000 / 8
            self.book[service].append(duration_ms)
            producer.request(route="/predict", method="POST", status=200, duration_ms=duration_ms)

    @contextmanager
    def load(self, services: Sequence[str], *, every_s: float = 0.02, burst: int = 10) -> Generator[None, None, None]:
        """Record bursts of every service, again and again, for the length of a ``with`` block."""
        stop = threading.Event()

        def go_on() -> None:
            while not stop.wait(every_s):
                for service in services:
                    self.record(service, burst)

        thread = threading.Thread(target=go_on)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def layout(self) -> Layout:
        connection = Connection.open(self.url)
        try:
            return read_layout(connection, self.prefix)
        finally:
            connection.close()

    def counted(self) -> dict[str, tuple[int, float]]:
        """Return count and sum of every service in the book, from its closed panes; while the server is away, {}."""
        connection = Connection.open(self.url, socket_timeout_s=2.0)
        try:
            layout = read_layout(connection, self.prefix)
            return {service: self._counted(connection, layout, service) for service in self.book}
        except BarographError:
            return {}
        finally:
            connection.close()

    def _counted(self, connection: Connection, layout: Layout, service: str) -> tuple[int, float]:
        store = PaneStore(connection, layout.keys_of(service), STEPS)
        through = store.closed_through_ms(service)
        if through is None:
            return 0, 0.0
        panes = store.read(service, 1_000, through - 600_000, through)
        rows = Pane.merge([stored.pane for stored in panes]).group("request", by=())
        return sum(row.count for row in rows), math.fsum(row.measures["duration_ms"].sum for row in rows)

    def expected(self) -> dict[str, tuple[int, float]]:
        return {service: (len(durations), math.fsum(durations)) for service, durations in self.book.items()}

    def has_shipped(self) -> bool:
        return all(producer.stats().buffered == 0 for producer in self.producers.values())

    def has_shipped_lately(self) -> bool:
        """Say whether no producer has more than a moment's events waiting."""
        return all(producer.stats().buffered < 500 for producer in self.producers.values())

    def settle(self, *, timeout_s: float = 30.0) -> None:
        """Wait until every event is shipped and every pane that holds one is closed."""
        wait_until(self.has_shipped, timeout_s=timeout_s, what="the shipping")
        counts = {service: len(durations) for service, durations in self.book.items()}
        wait_until(
            lambda: all(self.counted().get(service, (0, 0.0))[0] >= count for service, count in counts.items()),
            timeout_s=timeout_s,
            what=f"the last pane of {counts}",
        )

    def streams_of(self, service: str) -> set[str]:
        """Return the shards whose events stream holds an entry of ``service``."""
        connection = Connection.open(self.url)
        found: set[str] = set()
        for keys in read_layout(connection, self.prefix).shards:
            if service in _services_on(connection, keys):
                found.add(keys.tag)
        connection.close()
        return found

    def stop(self) -> None:
        for producer in self.producers.values():
            producer.close(2.0)
        for process in self.workers:
            process.terminate()
        for process in self.workers:
            process.wait(20)


def _services_on(connection: Connection, keys: ShardKeys) -> set[str]:
    """Return the services of all entries of a shard, a page at a time as the function bounds it."""
    found: set[str] = set()
    after = ""
    while True:
        reply = connection.call("baro_services_1", [keys.events], ["nobody", after, 10_000], read_only=True)
        after, *services = map(as_text, as_list(reply))
        found.update(services)
        if not after:
            return found


@contextmanager
def running_fleet(url: str, prefix: str, folder: Path, *options: str) -> Generator[Fleet, None, None]:
    fleet = Fleet(url, prefix, folder, options)
    try:
        yield fleet
    finally:
        fleet.stop()
