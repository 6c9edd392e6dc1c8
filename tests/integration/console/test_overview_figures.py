"""What the page draws is what `/query` answers for the same step and moment, from what the closer wrote."""

import json

import pytest
from fastapi.testclient import TestClient

from barograph_aggregator.close.closer import Closer
from barograph_aggregator.settings import AggregatorSettings
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.steps import DEFAULT_KEEP, parse_keep
from barograph_core.store.parts import marked
from barograph_core.workers.counters import WorkerCounters
from tests.batches import Event, decoded, panes_by_start, request
from tests.integration.console.conftest import ClientAt
from tests.support import FakeClock

STEPS = parse_keep(DEFAULT_KEEP)
START_MS = 1_700_002_800_000
MINUTES = 75
NOW_MS = START_MS + MINUTES * 60_000 + 7_000
RELEASED_MS = START_MS + 40 * 60_000


def events_of(minute: int) -> list[Event]:
    start_ms = START_MS + minute * 60_000
    return [
        request(start_ms + 1_300 * n, 1.4**n + minute, f"/{n % 2}", (200, 404, 500)[n % 3], tenant="xy"[n % 3 // 2])
        for n in range(minute % 7 + 4)
    ]


@pytest.fixture
def client(real: Connection, keys: ShardKeys, client_at: ClientAt) -> TestClient:
    """Return a console of a service with requests in most minutes, and a model that gets a second version."""
    closer = Closer(real, keys, AggregatorSettings(), STEPS, WorkerCounters())
    for minute in (*range(0, MINUTES, 3), MINUTES - 1, MINUTES):
        start_ms = START_MS + minute * 60_000
        requests = [event for event in events_of(minute) if event.time_ms < NOW_MS]
        version = "8" if start_ms >= RELEASED_MS else "7"
        models = [Event(("ctr", version), start_ms, (8.0, 0.9, 0.5, 0.25))]
        batches = [decoded("request", requests), decoded("model", models)]
        for base_ms, pane in panes_by_start(batches, 1_000).items():
            real.command("RPUSH", keys.parts("ranker", base_ms), marked(pane.pack()))
            real.command("ZADD", keys.open, base_ms + 1_000, f"ranker:1000:{base_ms}")
        closer.advance(min(NOW_MS, start_ms + 60_000))
    return client_at(FakeClock(NOW_MS))


@pytest.mark.parametrize("range_", ["15m", "1h", "6h"])
@pytest.mark.parametrize("route", ["", "GET /1"])
def test_every_figure_of_a_chart_is_that_of_a_query(client: TestClient, range_: str, route: str) -> None:
    """Counts, errors and percentiles of each point, whole and narrowed to an endpoint."""
    found = client.get("/api/v1/overview", params={"service": "ranker", "range": range_, "route": route}).json()
    query = f"service=ranker&from={found['from_ms']}&to={NOW_MS}&step={found['step_ms'] // 1_000}"
    where = "&where=route%3D/1&where=method%3DGET" if route else ""
    series = client.get(f"/api/v1/query?{query}{where}").json()["series"]
    points = {point["t"]: point for one in series for point in one["points"]}
    assert len(points) > 4
    red = found["red"]
    for place in range(found["points"]):
        point = points.get(found["from_ms"] + place * found["step_ms"])
        drawn = [red[name][place] for name in ("requests", "errors", "p50_ms", "p95_ms", "p99_ms")]
        if point is None:
            assert drawn == [None] * 5
        else:
            assert drawn == [point[name] for name in ("events", "errors", "p50", "p95", "p99")]
            assert sum(found["heat"]["cols"][place][1::2]) == point["count"]


def test_the_minute_is_that_of_a_query(client: TestClient) -> None:
    """And the table of endpoints adds up to it."""
    found = client.get("/api/v1/overview?service=ranker").json()
    query = f"service=ranker&from={NOW_MS - 60_000}&to={NOW_MS}&step=all"
    point = client.get(f"/api/v1/query?{query}").json()["series"][0]["points"][0]
    minute = found["minute"]
    assert [minute[name] for name in ("requests", "errors", "error_ratio", "p95_ms")] == [
        point[name] for name in ("events", "errors", "error_rate", "p95")
    ]
    assert sum(row[2] for row in found["endpoints"]["rows"]) == minute["requests"]


def test_sparklines_are_those_of_a_query(client: TestClient) -> None:
    """A line for each row of the table, whose endpoint has several stored series: one for each tenant."""
    endpoints = client.get("/api/v1/overview?service=ranker").json()["endpoints"]
    spark = endpoints["spark"]
    for row, requests, p95 in zip(endpoints["rows"], spark["requests"], spark["p95_ms"], strict=True):
        query = f"service=ranker&from={spark['from_ms']}&to={NOW_MS}&step=60"
        series = client.get(f"/api/v1/query?{query}&where=method%3D{row[0]}&where=route%3D{row[1]}").json()["series"]
        points = {(point["t"] - spark["from_ms"]) // 60_000: point for one in series for point in one["points"]}
        assert requests == [points[at]["events"] if at in points else None for at in range(30)]
        assert p95 == [points[at]["p95"] if at in points else None for at in range(30)]


def test_a_second_version_is_a_release(client: TestClient) -> None:
    """It is marked in the minute in which it was first seen; the first version is none."""
    found = json.loads(client.get("/api/v1/overview?service=ranker&range=6h").content)
    (marker,) = found["markers"]
    assert (marker["kind"], marker["title"]) == ("release", "ctr 8")
    first = next(m for m in (*range(0, MINUTES, 3), MINUTES - 1) if START_MS + m * 60_000 >= RELEASED_MS)
    assert marker["at_ms"] == START_MS + first * 60_000


def test_an_hour_before_stands_in_while_there_is_no_day(client: TestClient) -> None:
    before = client.get("/api/v1/overview?service=ranker&range=15m").json()["before"]
    assert before["offset_ms"] == 3_600_000
    assert any(count is not None for count in before["requests"])
