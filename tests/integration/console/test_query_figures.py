"""A query that the ready figures answer gives what the panes give, from what the aggregator's closer wrote."""

import pytest
from fastapi.testclient import TestClient

from barograph_aggregator.close.closer import Closer
from barograph_aggregator.settings import AggregatorSettings
from barograph_console.figures.models import Query
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.steps import DEFAULT_KEEP, parse_keep
from barograph_core.store.parts import marked
from barograph_core.workers.counters import WorkerCounters
from tests.batches import decoded, panes_by_start, request
from tests.integration.console.conftest import ClientAt
from tests.support import FakeClock

STEPS = parse_keep(DEFAULT_KEEP)
# A whole hour.
HOUR_START_MS = 1_700_002_800_000
MINUTES = 75
NOW_MS = HOUR_START_MS + MINUTES * 60_000


@pytest.fixture
def client(real: Connection, keys: ShardKeys, client_at: ClientAt) -> TestClient:
    """Return a console of a service that had some requests in each fifth minute, closed through ``NOW_MS``."""
    closer = Closer(real, keys, AggregatorSettings(), STEPS, WorkerCounters())
    for minute in range(0, MINUTES, 5):
        start_ms = HOUR_START_MS + minute * 60_000
        events = [
            request(start_ms + 1_000 * n, 1.5**n, f"/{n % 2}", 500 if n == minute else 200, tenant="xy"[n % 3 // 2])
            for n in range(minute % 7 + 3)
        ]
        for base_ms, pane in panes_by_start([decoded("request", events)], 1_000).items():
            real.command("RPUSH", keys.parts("ranker", base_ms), marked(pane.pack()))
            real.command("ZADD", keys.open, base_ms + 1_000, f"ranker:1000:{base_ms}")
        closer.advance(start_ms + 300_000)
    closer.advance(NOW_MS)
    return client_at(FakeClock(NOW_MS))


@pytest.mark.parametrize(
    "question",
    ["by=", "by=route,tenant", "by=tenant&where=route%3D/1&where=tenant%3Dx", "by=route&where=tenant%3Dy", "by=route"],
)
def test_ready_figures_and_panes_agree(client: TestClient, question: str) -> None:
    """A quantile that no figure has makes the console merge panes: the other numbers must be the same."""
    path = f"/api/v1/query?service=ranker&from={HOUR_START_MS}&to={NOW_MS}&step=60&{question}"
    ready = client.get(path)
    merged = client.get(path + "&quantiles=0.42").json()
    Query.model_validate_json(ready.content, strict=True)
    points = [point for series in merged["series"] for point in series["points"]]
    assert [point.pop("p42") for point in points].count(None) == 0
    assert ready.json() == merged
    assert len({point["t"] for point in points}) == MINUTES / 5


def test_the_step_of_a_chart_is_one_whose_figures_are_ready(client: TestClient) -> None:
    """Unless there are too many series for so many points."""
    path = f"/api/v1/query?service=ranker&from={HOUR_START_MS}&to={NOW_MS}"
    answer = client.get(path).json()
    assert answer["step_ms"] == 10_000
    assert len(answer["series"][0]["points"]) == MINUTES / 5
