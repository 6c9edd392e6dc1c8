"""What docs/grafana.md and docs/karma.md tell people to ask is answered in the form that they say."""

import csv
import io
import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from barograph_console.alertmanager.routes import VERSION
from barograph_core.events.encode import encode_batch
from barograph_core.events.kinds import KINDS
from tests.support import FakeClock
from tests.unit.console.fakes import NOW_MS, Console, FakeAlerts, FakePanes, panes_of, record, requests

DOCS = Path(__file__).parents[3] / "docs"
GRAFANA, KARMA = ((DOCS / name).read_text() for name in ("grafana.md", "karma.md"))
QUERIES = re.findall(r"^http://127\.0\.0\.1:8642(/\S+)$", GRAFANA, re.MULTILINE)
TABLES = re.findall(r"`http://127\.0\.0\.1:8642(/\S+)` \| `(\w+)`", GRAFANA)


@pytest.fixture
def client() -> TestClient:
    """Return a client of a console with an event of each kind that the pages speak of."""
    at_ms = NOW_MS - 30_000
    batches = [
        requests((at_ms, "/predict", 200, 12.0), (at_ms, "/predict", 500, 40.0)),
        encode_batch(KINDS["model"], [("ctr", "7")], [0], [at_ms], [[8.0], [0.7], [0.3], [4.0], [0.0]]),
        encode_batch(
            KINDS["system"],
            [("i1", "process")],
            [0],
            [at_ms],
            [[400.0], *([1.0] for _ in KINDS["system"].measures[1:])],
        ),
    ]
    stored = {step_ms: panes_of(batches, step_ms) for step_ms in (1_000, 10_000, 60_000, 3_600_000)}
    console = Console(panes=FakePanes(stored=stored), alerts=FakeAlerts([record()]), clock=FakeClock(NOW_MS))
    return console.client()


@pytest.mark.parametrize("path", QUERIES)
def test_each_query_of_grafana_gives_columns_under_the_names_that_the_page_says(client: TestClient, path: str) -> None:
    filled = path.replace("${__from}", str(NOW_MS - 900_000)).replace("${__to}", str(NOW_MS))
    answer = client.get(filled)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    fields = re.search(r"fields=([\w,]+)", path)
    by = re.search(r"by=(\w+)", path)
    assert fields is not None
    wanted = {"t", *fields[1].split(","), *([by[1]] if by else [])}
    assert wanted <= set(rows[0])
    assert all(row["t"].isdigit() and len(row["t"]) == 13 for row in rows)
    assert any(row[fields[1].split(",")[0]] for row in rows)


@pytest.mark.parametrize(("path", "root"), TABLES)
def test_each_table_of_grafana_has_its_root(client: TestClient, path: str, root: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    assert isinstance(answer.json()[root], list)


def test_the_page_has_queries_and_tables() -> None:
    """A pattern that finds nothing would let the tests above pass for nothing."""
    assert (len(QUERIES), len(TABLES)) == (4, 4)


def test_karma_finds_the_version_and_what_it_asks_for(client: TestClient) -> None:
    metrics = client.get("/metrics").text
    assert f'alertmanager_build_info{{version="{VERSION}"}} 1' in metrics
    for path in re.findall(r"`(/api/v2/[\w/]+)`", KARMA):
        assert client.get(path).status_code == 200, path
    (group,) = client.get("/api/v2/alerts/groups").json()
    assert group["labels"] == {"alertname": "high-error-rate"}
