"""A live pipeline that worked on a minute of the past: several aggregators, one of them killed, and all its panes."""

import contextlib
import random
import signal
import subprocess
import sys
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from barograph_core.events.encode import entry_fields
from barograph_core.functions.library import ensure_library
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_hash, as_int, as_list, as_text
from tests.batches import Event, custom, encoded, model, request
from tests.support import append, wait_until

# A minute is the coarsest step, so that a test can wait for it.
KEEP = "1s:15m,5s:1h,20s:2h,1m:1d"
STEPS_MS = (1_000, 5_000, 20_000, 60_000)
CAP = 12
SETTINGS = ("--keep", KEEP, "--series-cap", str(CAP))
SPAN_MS = 60_000
# What the aggregators tell of themselves comes from no log.
SELF = "barograph"
SERVICES = ("ranker", "search", "wide")

Panes = dict[tuple[str, int, int], bytes]


def read_panes(connection: Connection, prefix: str) -> Panes:
    """Return the bytes of every closed pane of events: (service, step_ms, start_ms) -> what is stored."""
    found: Panes = {}
    for key in _keys(connection, f"{prefix}:*:panes:*"):
        _, _, _, service, step, _ = key.split(":")
        if service == SELF:
            continue
        for name, value in as_hash(connection.command("HGETALL", key)).items():
            if name.isdigit():
                found[service, int(step), int(name)] = value
    return found


def _keys(connection: Connection, pattern: str) -> list[str]:
    found: list[str] = []
    cursor = ""
    while cursor != "0":
        reply = as_list(connection.command("SCAN", cursor or "0", "MATCH", pattern, "COUNT", 1_000))
        cursor = as_text(reply[0])
        found += map(as_text, as_list(reply[1]))
    return found


def read_revisions(connection: Connection, prefix: str) -> list[int]:
    """Return the revision of every closed pane."""
    keys = _keys(connection, f"{prefix}:*:panes:*")
    hashes = [as_hash(connection.command("HGETALL", key)) for key in keys]
    return [int(value) for fields in hashes for name, value in fields.items() if name.startswith("r")]


def snapshot(connection: Connection, prefix: str) -> dict[str, object]:
    """Return every key of a prefix with what it holds, and the group of its events."""
    # Reports of workers expire by themselves.
    keys = [key for key in sorted(_keys(connection, f"{prefix}:*")) if ":worker:" not in key]
    held: dict[str, object] = {key: connection.command("DUMP", key) for key in keys}
    return held | {"groups": connection.command("XINFO", "GROUPS", ShardKeys(prefix).events)}


def within(panes: Panes, from_ms: int, to_ms: int) -> Panes:
    """Return the panes that lie wholly between two moments."""
    return {key: blob for key, blob in panes.items() if from_ms <= key[2] and key[2] + key[1] <= to_ms}


@dataclass
class Past:
    """Sends events of the last minutes to a prefix of a running server."""

    url: str
    keys: ShardKeys
    connection: Connection
    rng: random.Random = field(default_factory=lambda: random.Random(11))
    _seq: dict[str, int] = field(default_factory=dict[str, int])

    def now_ms(self) -> int:
        return as_int(as_list(self.connection.command("TIME"))[0]) * 1_000

    def send(self, service: str, kind: str, events: Sequence[Event]) -> None:
        instance = f"host:1:{len(service):016x}"
        seq = self._seq[instance] = self._seq.get(instance, 0) + 1
        fields = entry_fields(encoded(kind, events), service=service, instance=instance, seq=seq, through_ms=0)
        append(self.connection, self.keys, fields, service=service, instance=instance, seq=seq)

    def send_mixture(self, batches: int, from_ms: int, span_ms: int) -> None:
        """Send events of all kinds: out of order, minutes late, from skewed clocks, and some beyond all bounds."""
        for _ in range(batches):
            service = self.rng.choice(SERVICES)
            times = [from_ms + self.rng.randrange(span_ms) for _ in range(self.rng.randrange(1, 40))]
            if self.rng.random() < 0.1:
                times[0] = from_ms - 3_600_000
            if self.rng.random() < 0.1:
                times[-1] = from_ms + 3_600_000
            routes = 60 if service == "wide" else 4
            drawn = [(time, self.rng.lognormvariate(3, 1), self.rng.randrange(routes)) for time in times]
            kind = self.rng.choice(("request", "request", "model", "custom"))
            if kind == "request":
                statuses = (200, 200, 404, 503)
                weights = (1, 1, 1, 20)
                events = [
                    request(
                        time, value, f"/r{route}", self.rng.choice(statuses), weight=self.rng.choice(weights), zone="ä"
                    )
                    for time, value, route in drawn
                ]
            elif kind == "model":
                events = [model(value, value / 3 if route else None, time, str(route)) for time, value, route in drawn]
            else:
                events = [custom(-value, time, f"queue{route}") for time, value, route in drawn]
            self.send(service, kind, events)

    def is_drained(self) -> bool:
        """Say whether every entry is committed and every pane that is over is closed."""
        groups = as_list(self.connection.command("XINFO", "GROUPS", self.keys.events))
        if not groups:
            return False
        facts = as_list(groups[0])
        delivered = as_text(facts[facts.index(b"last-delivered-id") + 1])
        last = as_list(self.connection.command("XREVRANGE", self.keys.events, "+", "-", "COUNT", 1))
        pending = as_int(as_list(self.connection.command("XPENDING", self.keys.events, "aggregator"))[0])
        if pending or as_text(as_list(last[0])[0]) != delivered:
            return False
        queues = (self.keys.open, self.keys.rollups)
        return not any(self.connection.command("ZCOUNT", queue, "-inf", self.now_ms() - 2_000) for queue in queues)


@contextlib.contextmanager
def aggregators(past: Past, folder: Path, count: int) -> Generator[list["subprocess.Popen[bytes]"], None, None]:
    """Run aggregators over the prefix of ``past``."""
    options = ["--url", past.url, "--prefix", past.keys.prefix, *SETTINGS]
    processes: list[subprocess.Popen[bytes]] = []
    for number in range(count):
        with (folder / f"aggregator-{number}.log").open("wb") as log:
            command = [sys.executable, "-m", "barograph_aggregator", *options]
            processes.append(subprocess.Popen(command, stdout=log, stderr=log))
    try:
        wait_until(lambda: past.connection.command("ZCARD", past.keys.workers) == count, what="all aggregators")
        yield processes
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(20)


@dataclass
class Live:
    """What a live pipeline has left: a log and its panes, those from ``from_ms`` to ``to_ms`` of events that count."""

    past: Past
    from_ms: int
    to_ms: int
    panes: Panes

    @property
    def url(self) -> str:
        return self.past.url

    @property
    def connection(self) -> Connection:
        return self.past.connection


def live_through(url: str, folder: Path) -> Live:
    """Let three aggregators, one of them killed, work on a minute of the past."""
    connection = Connection.open(url)
    ensure_library(connection)
    past = Past(url, ShardKeys("live"), connection)
    to_ms = past.now_ms() // 60_000 * 60_000 - 60_000
    from_ms = to_ms - SPAN_MS
    with aggregators(past, folder, 3) as processes:
        past.send_mixture(70, from_ms, SPAN_MS)
        processes[0].send_signal(signal.SIGKILL)
        past.connection.command("XADD", past.keys.events, "*", "v", "99")
        past.send_mixture(70, from_ms, SPAN_MS)
        wait_until(past.is_drained, timeout_s=60, what="the end of the backlog")
        # After the panes closed: these make revisions.
        past.send_mixture(60, from_ms, SPAN_MS)
        wait_until(past.is_drained, timeout_s=60, what="the end of the revisions")
    return Live(past, from_ms, to_ms, read_panes(connection, past.keys.prefix))
