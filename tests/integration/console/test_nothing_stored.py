"""A range that holds no stored pane is answered with no series, however it is asked: nothing is wrong with it."""

import pytest

from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from tests.integration.console.conftest import ClientAt
from tests.support import FakeClock
from tests.unit.console.fakes import NOW_MS, panes_of, requests

SERVICE = "ranker"
MINUTE_MS, DAY_MS = 60_000, 86_400_000
# A range, and how long ago the service was last closed.
RANGES = {
    "after closed_through": ("from=-1m", 2 * MINUTE_MS),
    "the usual one": ("", 16 * MINUTE_MS),
    "a day after closed_through": ("from=-1d", 2 * DAY_MS),
    "before retention": (f"from={NOW_MS - 101 * DAY_MS}&to={NOW_MS - 100 * DAY_MS}", 2_000),
    "all of it expired": (f"from={NOW_MS - MINUTE_MS}&to={NOW_MS}", 120 * DAY_MS),
    "before the first event": ("from=0&to=1000", 2_000),
}


@pytest.fixture(autouse=True)
def service(real: Connection, keys: ShardKeys) -> None:
    """Store a second with one request, and all before ``NOW_MS`` as closed."""
    for stored in panes_of([requests((NOW_MS - 5_000, "/predict", 200, 1.0))]):
        start = stored.start_ms
        real.command(
            *("HSET", keys.panes(SERVICE, 1_000, start - start % 10_000)),
            *(str(start), stored.pane.pack(), f"r{start}", 0, f"m{start}", 0),
        )
    real.command("HSET", keys.closed, SERVICE, NOW_MS)


@pytest.mark.parametrize("step", ["", "1", "10", "20", "60", "3600", "all"])
@pytest.mark.parametrize("name", RANGES)
def test_a_range_without_a_stored_pane_has_no_series(client_at: ClientAt, name: str, step: str) -> None:
    """At the finest step, at roll-ups whose figures lie ready, merged, and at the step that the console chooses."""
    asked, age_ms = RANGES[name]
    client = client_at(FakeClock(NOW_MS + age_ms))
    for more in ("", "&by=route", "&quantiles=0.42"):
        answer = client.get(f"/api/v1/query?service={SERVICE}&{asked}&step={step}{more}")
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert (found["series"], found["missing"], found["closed_through_ms"]) == ([], 0, NOW_MS)
        assert found["from_ms"] == found["to_ms"]


def test_a_service_that_stands_still_is_shown_when_nothing_of_it_is_kept_any_more(client_at: ClientAt) -> None:
    client = client_at(FakeClock(NOW_MS + 120 * DAY_MS))
    current = client.get(f"/api/v1/current?service={SERVICE}").json()
    row = client.get("/api/v1/services").json()["services"][0]
    assert (current["requests"], row["service"], row["requests"]) == (0, SERVICE, 0)
    assert row["closed_age_ms"] == 120 * DAY_MS
