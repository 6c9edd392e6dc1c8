"""An objective, from requests to REST and the command line, through real processes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from barograph_core.clock import SystemClock
from barograph_core.keyspace.keys import ShardKeys
from tests.integration.console.conftest import ClientAt
from tests.integration.pipeline import running_pipeline
from tests.support import wait_until

CONFIG = """
[alerter]
default_rules = false

[[slo]]
name = "speed"
service = "ranker"
good = "duration_ms < 300"
objective = "90 %"
period = "1h"
windows = [{ burn_rate = 3, long = "1m", short = "10s", severity = "error" }]
"""


def printed(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "barograph_cli", *arguments], capture_output=True, text=True, check=True, timeout=120
    )
    return done.stdout


def test_slow_requests_burn_a_budget_and_fire(
    valkey_url: str, keys: ShardKeys, client_at: ClientAt, tmp_path: Path
) -> None:
    """Every surface has the same figures: 40 of 100 are slow where ten may be."""
    client = client_at(SystemClock())

    def row() -> dict[str, Any]:
        rows = client.get("/api/v1/slos").json()["slos"]
        return rows[0] if rows else {}

    with running_pipeline(valkey_url, keys, tmp_path, CONFIG) as pipeline:
        producer = pipeline.producer()
        for number in range(100):
            producer.request(route="/a", method="GET", status=200, duration_ms=900.0 if number < 40 else 20.0)
        pipeline.wait_for_transition("speed", "firing")
        wait_until(lambda: row().get("events") == 100 and row().get("alert") is not None, what="the budget")
        found = row()
        server = ["--url", valkey_url, "--prefix", keys.prefix]
        (same,) = json.loads(printed("slo", "list", "--json", "--service", "ranker", *server))["slos"]
        text = printed("slo", "list", *server)
        summary = next(entry["summary"].decode() for entry in pipeline.entries(keys.alerts))
        producer.close()
    assert (found["bad"], found["budget_left_ratio"], found["exhausted_in_ms"]) == (40, -3.0, 0)
    assert found["alert"]["severity"] == "error"
    assert summary == "ranker burns its budget 4.0 times as fast as allowed: the budget for 1h is spent and 300 % over"
    assert {name: same[name] for name in ("name", "events", "bad", "budget_left_ratio", "good")} == {
        "name": "speed",
        "events": 100,
        "bad": 40,
        "budget_left_ratio": -3.0,
        "good": "duration_ms < 300",
    }
    assert "speed" in text
    assert "-300 % of 1h" in text
    assert "spent" in text
