"""The whole pipeline as real processes on a server of the test's own prefix."""

import json
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from barograph_core.functions.library import ensure_library
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_hash, as_list, as_text
from barograph_producer import Producer
from tests.support import wait_until

STAGES = ("aggregator", "alerter", "notifier")


@dataclass(frozen=True)
class Pipeline:
    """Running workers and a connection to look at what they do."""

    url: str
    keys: ShardKeys
    connection: Connection
    processes: Sequence["subprocess.Popen[bytes]"]

    def producer(self, service: str = "ranker") -> Producer:
        return Producer(service=service, url=self.url, prefix=self.keys.prefix, sample_process=False)

    def entries(self, stream: str) -> list[dict[str, bytes]]:
        found = as_list(self.connection.command("XRANGE", stream, "-", "+"))
        return [as_hash(as_list(entry)[1]) for entry in found]

    def transitions(self) -> list[tuple[str, str]]:
        """Return rule and new state of every alert transition so far."""
        return [(entry["rule"].decode(), entry["to"].decode()) for entry in self.entries(self.keys.alerts)]

    def wait_for_transition(self, rule: str, to: str) -> None:
        wait_until(lambda: (rule, to) in self.transitions(), what=f"{rule} {to}")

    def alert_state(self, service: str = "ranker") -> list[str]:
        """Return the states of the alerts that are not inactive."""
        fields = as_hash(self.connection.command("HGETALL", self.keys.state(service)))
        return sorted(json.loads(text)["state"] for name, text in fields.items() if name.startswith("alert:"))

    def closed_at(self, service: str = "ranker") -> int:
        """Return how far the alerter has evaluated closed panes."""
        fields = as_hash(self.connection.command("HGETALL", self.keys.state(service)))
        return int(fields.get("closed_at", b"0"))

    def are_alive(self) -> bool:
        return all(process.poll() is None for process in self.processes)


def reported_stages(connection: Connection, keys: ShardKeys) -> set[str]:
    """Return the stages of which a worker has reported itself. A notifier reports once for each of its channels."""
    workers = as_list(connection.command("ZRANGE", keys.workers, 0, -1))
    return {as_text(worker).partition(":")[0] for worker in workers}


@contextmanager
def running_pipeline(url: str, keys: ShardKeys, folder: Path, config: str) -> Generator[Pipeline, None, None]:
    """Run one worker of each stage with ``config``; yield when all of them have reported themselves."""
    path = folder / "barograph.toml"
    path.write_text(config)
    connection = Connection.open(url)
    ensure_library(connection)
    options = ["--url", url, "--prefix", keys.prefix, "--config", str(path)]
    processes: list[subprocess.Popen[bytes]] = []
    for stage in STAGES:
        with (folder / f"{stage}.log").open("wb") as log:
            command = [sys.executable, "-m", f"barograph_{stage}", *options]
            processes.append(subprocess.Popen(command, stdout=log, stderr=log))
    try:
        wait_until(lambda: reported_stages(connection, keys) >= set(STAGES), what="all workers")
        yield Pipeline(url, keys, connection, processes)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(20)
        connection.close()
