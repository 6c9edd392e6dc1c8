"""A log of ten years ago in the console: what a prefix was rebuilt of is seen as of the log's own end."""

from pathlib import Path

import pytest

from barograph_cli.__main__ import main
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection, read_now
from barograph_core.steps import parse_keep
from barograph_core.store.rebuilt import Rebuilt, read_rebuilt
from tests.integration.console.conftest import ClientAt
from tests.support import FakeClock

BEGIN_MS = 1_456_833_600_000
DAY_MS = 86_400_000
STEPS = parse_keep("1s:15m,10s:2h,1m:2d,1h:90d")


def line(second: int, status: int = 200) -> str:
    clock = f"{12 + second // 3_600}:{second // 60 % 60:02}:{second % 60:02}"
    return f'1.1.1.1 - - [01/Mar/2016:{clock} +0000] "GET /a HTTP/1.1" {status} 5 "-" "x"\n'


@pytest.fixture
def log(tmp_path: Path, valkey_url: str, keys: ShardKeys) -> Path:
    """Import an hour of the year 2016: a request every two seconds, each tenth of which failed."""
    path = tmp_path / "web.log"
    path.write_text("".join(line(second, 500 if second % 20 == 0 else 200) for second in range(0, 3_600, 2)))
    assert main(["import", str(path), "--url", valkey_url, "--prefix", keys.prefix]) == 0
    return path


@pytest.mark.usefixtures("log")
def test_an_imported_log_of_ten_years_ago_is_seen(real: Connection, client_at: ClientAt) -> None:
    """By its own range, by the page without any, and as the minute before its end."""
    client = client_at(FakeClock(read_now(real)))
    asked = f"service=web&from={BEGIN_MS}&to={BEGIN_MS + 3_600_000}"
    points = client.get(f"/api/v1/query?{asked}&step=60").json()["series"][0]["points"]
    assert [(point["events"], point["errors"]) for point in points] == [(30, 3)] * 60
    fixed, newest = client.get(f"/api/v1/overview?{asked}").json(), client.get("/api/v1/overview?service=web").json()
    assert [sum(filter(None, answer["red"]["requests"])) for answer in (fixed, newest)] == [1_800, 1_800]
    assert newest["closed_through_ms"] == newest["at_ms"] == BEGIN_MS + 3_599_000
    current = client.get("/api/v1/current?service=web").json()
    assert (current["requests"], current["errors"], current["to_ms"]) == (30, 3, BEGIN_MS + 3_599_000)


@pytest.mark.usefixtures("log")
def test_what_has_expired_on_the_server_is_read_at_a_coarser_step(
    real: Connection, client_at: ClientAt, keys: ShardKeys
) -> None:
    """An hour after the import its seconds are gone: read there, the log would look empty."""
    at_ms = read_now(real)
    for start_ms in range(BEGIN_MS, BEGIN_MS + 3_600_000, 10_000):
        real.command("UNLINK", keys.panes("web", 1_000, start_ms))
    asked = f"service=web&from={BEGIN_MS}&to={BEGIN_MS + 3_600_000}&step=60"
    points = client_at(FakeClock(at_ms + 3_600_000)).get(f"/api/v1/query?{asked}").json()["series"][0]["points"]
    assert [point["events"] for point in points] == [30] * 60


@pytest.mark.usefixtures("log")
def test_a_rebuilt_prefix_that_an_aggregator_takes_over_has_the_present_of_the_clock(
    real: Connection, keys: ShardKeys
) -> None:
    rebuilt = read_rebuilt(real, keys)
    assert rebuilt is not None
    assert (rebuilt.from_ms, rebuilt.ends_ms) == (BEGIN_MS, {"web": BEGIN_MS + 3_599_000})
    real.command("HINCRBY", keys.progress, "watermark_ms", 1_000)
    assert read_rebuilt(real, keys) is None


def test_a_live_prefix_is_none_that_was_rebuilt(real: Connection, keys: ShardKeys) -> None:
    real.command("HSET", keys.progress, "watermark_ms", BEGIN_MS)
    assert read_rebuilt(real, keys) is None


@pytest.mark.parametrize(
    ("age_ms", "kept_ms"),
    [
        # Of 200 days, the hours reach back to the beginning, and finer steps as far from the end as they are kept.
        (0, [900_000, 7_200_000, 2 * DAY_MS, 200 * DAY_MS]),
        (900_001, [0, 7_200_000, 2 * DAY_MS, 200 * DAY_MS]),
        (3 * DAY_MS, [0, 0, 0, 200 * DAY_MS]),
        (91 * DAY_MS, [0, 0, 0, 0]),
    ],
)
def test_retention_counts_back_from_the_end_of_the_log(age_ms: int, kept_ms: list[int]) -> None:
    rebuilt = Rebuilt(from_ms=BEGIN_MS, written_ms=5, ends_ms={"web": BEGIN_MS + 200 * DAY_MS})
    assert [step.keep_ms for step in rebuilt.steps(STEPS, "web", 5 + age_ms)] == kept_ms
