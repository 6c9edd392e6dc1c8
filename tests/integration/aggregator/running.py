"""Aggregators as processes of their own, and a sender that numbers its batches, for stories about the server."""

import signal
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from barograph_core.functions.library import ensure_library
from barograph_core.keyspace.keys import AGGREGATOR_GROUP, ShardKeys
from barograph_core.pipeline.reader import PipelineReader
from barograph_core.pipeline.status import PipelineStatus
from barograph_core.server.connection import Connection, read_now
from barograph_core.server.replies import as_int, as_list, as_text
from barograph_core.steps import DEFAULT_KEEP, parse_keep
from barograph_core.store.pane_store import PaneStore
from tests.support import append, request_batch, wait_until

INSTANCE = "host:1:00000000000000aa"


class Shard:
    """One shard with running aggregators; sends as a producer does, and counts what has become of it."""

    def __init__(
        self,
        url: str,
        keys: ShardKeys,
        connection: Connection,
        folder: Path,
        processes: Sequence[subprocess.Popen[bytes]],
    ) -> None:
        self.url, self.keys, self.connection = url, keys, connection
        self._folder = folder
        self._processes = processes
        self._seq = 0
        self._began_ms = read_now(connection) // 1_000 * 1_000 - 2_000

    def send(self, batches: int, events: int = 3) -> None:
        """Append batches of requests that happened now."""
        for _ in range(batches):
            seq = self._seq + 1
            fields = request_batch([(read_now(self.connection), "/a", 200, 5.0)] * events, seq=seq)
            append(self.connection, self.keys, fields, instance=INSTANCE, seq=seq)
            self._seq = seq

    def requests(self) -> int:
        """Return the requests in closed panes."""
        store = PaneStore(self.connection, self.keys, parse_keep(DEFAULT_KEEP))
        panes = store.read("ranker", 1_000, self._began_ms, read_now(self.connection))
        return sum(pane.pane.requests for pane in panes)

    def is_done(self) -> bool:
        """Say whether everything sent is committed and closed."""
        account = self.status().account
        open_panes = map(as_text, as_list(self.connection.command("ZRANGE", self.keys.open, 0, -1)))
        is_closed = not any(member.startswith("ranker:") for member in open_panes)
        return account is not None and account.pending + account.unread == 0 and is_closed

    def wait_until_done(self, timeout_s: float = 40.0) -> None:
        wait_until(self.is_done, timeout_s=timeout_s, what="the last pane")

    def status(self) -> PipelineStatus:
        return PipelineReader(self.connection, self.keys).read()

    def all_keys(self) -> list[str]:
        """Return every key of the shard."""
        return [as_text(key) for key in as_list(self.connection.command("KEYS", f"{self.keys.prefix}:*"))]

    @contextmanager
    def frozen(self) -> Generator[None, None, None]:
        """Hold all aggregators for a while: what is sent meanwhile stays unread."""
        for process in self._processes:
            process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            for process in self._processes:
                process.send_signal(signal.SIGCONT)

    def group_exists(self) -> bool:
        groups = as_list(self.connection.command("XINFO", "GROUPS", self.keys.events))
        return any(as_text(as_list(group)[1]) == AGGREGATOR_GROUP for group in groups)

    def log(self) -> str:
        """Return what all aggregators have logged."""
        return "".join(path.read_text() for path in sorted(self._folder.glob("aggregator-*.log")))


@contextmanager
def running_aggregators(
    url: str, keys: ShardKeys, folder: Path, *, count: int = 1, config: str = ""
) -> Generator[Shard, None, None]:
    """Run ``count`` aggregators with ``config``; yield when all of them have reported."""
    path = folder / "barograph.toml"
    path.write_text(config)
    connection = Connection.open(url)
    ensure_library(connection)
    processes: list[subprocess.Popen[bytes]] = []
    command = [sys.executable, "-m", "barograph_aggregator", "--url", url, "--prefix", keys.prefix]
    for number in range(count):
        with (folder / f"aggregator-{number}.log").open("wb") as log:
            processes.append(subprocess.Popen([*command, "--config", str(path)], stdout=log, stderr=log))
    try:
        wait_until(lambda: as_int(connection.command("ZCARD", keys.workers)) == count, what="all aggregators")
        yield Shard(url, keys, connection, folder, processes)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(20)
        connection.close()
