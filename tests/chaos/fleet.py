"""The worker processes of a chaos run, how they are killed and frozen, and when they are done."""

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias, TypeVar

from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_hash, as_int, as_list, as_text
from tests.support import free_port, valkey_server, wait_until

Process: TypeAlias = "subprocess.Popen[bytes]"
F = TypeVar("F", bound="Fleet")
ROOT = Path(__file__).parents[2]
SERVICE = "ranker"
# One rule that fires and resolves again and again, and one webhook.
CONFIG = """
[alerter]
default_rules = false

[[rule]]
name = "errors"
on = "request"
by = []
window = "2s"
when = "errors > 20"
resolve_when = "errors < 5"
cooldown = "1s"
severity = "error"

[[channel]]
name = "hook"
type = "webhook"
url = "http://127.0.0.1:{port}/"
allow_private = true

[[route]]
channels = ["hook"]
"""
# Those that must be closed before panes are compared with the books; the longer ones would take minutes.
STEPS_COMPARED = (1_000, 10_000)
CATCH_S = 1.5


@dataclass
class Fleet:
    """The processes of one run.

    Attributes:
        options: Further arguments of every worker.
        packages: A directory whose packages the next process uses in place of this tree's; ``None`` for this tree's.
        workers: Those that are to be alive, by stage, the oldest first.
        others: What is stopped with them at the end.
    """

    url: str
    keys: ShardKeys
    folder: Path
    connection: Connection
    aggregator_module: str = "barograph_aggregator"
    options: Sequence[str] = ()
    packages: Path | None = None
    workers: dict[str, list[Process]] = field(default_factory=dict[str, list[Process]])
    others: list[Process] = field(default_factory=list[Process])

    def start(self, *command: str) -> Process:
        path = self.folder / f"{command[0].rsplit('.', 1)[-1]}-{secrets.token_hex(2)}.log"
        environ = os.environ if self.packages is None else {**os.environ, "PYTHONPATH": str(self.packages)}
        with path.open("wb") as log:
            return subprocess.Popen([sys.executable, "-m", *command], cwd=ROOT, env=environ, stdout=log, stderr=log)

    def start_worker(self, stage: str) -> None:
        module = self.aggregator_module if stage == "aggregator" else f"barograph_{stage}"
        options = ("--url", self.url, "--prefix", self.keys.prefix, *self.options)
        self.workers.setdefault(stage, []).append(self.start(module, *options))

    def stop(self) -> None:
        processes = [*(process for group in self.workers.values() for process in group), *self.others]
        for process in processes:
            process.send_signal(signal.SIGCONT)
            process.terminate()
        for process in processes:
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(60)

    def holds_entries(self, process: Process) -> bool:
        """Say whether this process has read entries that it has not committed."""
        summary = as_list(self.connection.command("XPENDING", self.keys.events, "aggregator"))
        consumers = [] if summary[3] is None else as_list(summary[3])
        return any(f":{process.pid}:" in as_text(as_list(row)[0]) for row in consumers)

    def freeze_holding_entries(self, process: Process) -> bool:
        """Freeze ``process`` at a moment when it holds entries; it stays frozen in any case."""
        deadline = time.monotonic() + CATCH_S
        while True:
            process.send_signal(signal.SIGSTOP)
            if self.holds_entries(process):
                return True
            if time.monotonic() > deadline:
                return False
            process.send_signal(signal.SIGCONT)

    def metric(self, name: str) -> int:
        """Return the sum of a self-metric over all aggregators that are alive."""
        found = as_list(self.connection.command("ZRANGE", self.keys.workers, 0, -1))
        workers = [as_text(member).split(":", 1) for member in found]
        hashes = [as_hash(self.connection.command("HGETALL", self.keys.worker(*worker))) for worker in workers]
        return sum(int(facts.get(name, b"0")) for facts in hashes if facts.get("stage") == b"aggregator")

    def is_drained(self) -> bool:
        """Say whether every entry is committed and every pane of the service with an event is closed."""
        pending = as_int(as_list(self.connection.command("XPENDING", self.keys.events, "aggregator"))[0])
        (group,) = as_list(self.connection.command("XINFO", "GROUPS", self.keys.events))
        facts = as_list(group)
        delivered = as_text(facts[facts.index(b"last-delivered-id") + 1])
        unread = as_list(self.connection.command("XRANGE", self.keys.events, f"({delivered}", "+", "COUNT", 1))
        waiting = [
            as_list(self.connection.command("ZRANGE", key, 0, -1)) for key in (self.keys.open, self.keys.rollups)
        ]
        members = [as_text(member) for found in waiting for member in found]
        compared = tuple(f"{SERVICE}:{step_ms}:" for step_ms in STEPS_COMPARED)
        return not pending and not unread and not any(member.startswith(compared) for member in members)

    def is_delivered(self) -> bool:
        """Say whether every alerts entry went through the outbox and every alert has resolved."""
        groups = as_list(self.connection.command("XINFO", "GROUPS", self.keys.alerts))
        is_read = all(as_list(group)[5] == 0 for group in groups)
        states = as_hash(self.connection.command("HGETALL", self.keys.state(SERVICE)))
        is_quiet = not any(name.startswith("alert:") for name in states)
        return is_read and is_quiet and self.connection.command("ZCARD", self.keys.outbox("hook")) == 0

    def verify(self, ledgers: Sequence[Path], *, is_control: bool = False) -> dict[str, object]:
        """Wait until all is counted and delivered; return how it compares with the ledgers.

        A control is not waited for after it has counted: of alerts on wrong counts nothing is promised, also no end.
        """
        wait_until(self.is_drained, timeout_s=60, what="the end of the backlog")
        if not is_control:
            wait_until(self.is_delivered, timeout_s=60, what="the last delivery")
        command = [sys.executable, "-m", "tests.chaos.verifier", self.url, self.keys.prefix, SERVICE]
        received = str(self.folder / "received.jsonl")
        done = subprocess.run(
            [*command, received, *map(str, ledgers)], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.stdout, done.stderr
        report: dict[str, object] = json.loads(done.stdout)
        print(json.dumps(report, indent=1))
        return report


@contextlib.contextmanager
def alerting_fleet(make: Callable[..., F], folder: Path, prefix: str, **more: object) -> Generator[F]:
    """Run a server and the receiver of its webhook; yield a fleet without workers, whose alerts arrive there."""
    with valkey_server() as url:
        port = free_port()
        config = folder / "barograph.toml"
        config.write_text(CONFIG.format(port=port))
        keys, connection = ShardKeys(prefix=prefix), Connection.open(url)
        fleet = make(url, keys, folder, connection, options=("--config", str(config)), **more)
        fleet.others.append(fleet.start("tests.chaos.receiver_process", str(port), str(folder / "received.jsonl")))
        try:
            yield fleet
        finally:
            fleet.stop()
