"""An alerter starts, and the console knows its rules."""

from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from barograph_core.clock import SystemClock
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from tests.integration.alerter.test_process import start
from tests.integration.console.conftest import ClientAt
from tests.support import wait_until


def get(client: TestClient, path: str) -> Any:
    answer = client.get(f"/api/v1/{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_console_knows_the_rules_of_an_alerter_that_starts(
    real: Connection, valkey_url: str, keys: ShardKeys, client_at: ClientAt, tmp_path: Path
) -> None:
    """The default rules, in the list and as lines of the charts."""
    clock = SystemClock()
    client = client_at(clock)
    real.command("HSET", keys.closed, "ranker", clock.now_ms() // 1_000 * 1_000)
    assert get(client, "rules?service=ranker")["published_at_ms"] is None
    config = tmp_path / "barograph.toml"
    config.write_text("")
    process = start(config, "--url", valkey_url, "--prefix", keys.prefix)
    try:
        wait_until(lambda: get(client, "rules?service=ranker")["rules"] != [], what="the rules")
    finally:
        process.terminate()
        process.communicate(timeout=60)
    rules = {row["name"]: row for row in get(client, "rules?service=ranker")["rules"]}
    assert set(rules) == {"high-error-rate", "slow-responses", "model-error", "high-memory", "high-cpu"}
    assert rules["high-memory"]["fires"] == [
        {"quantity": "memory_mb.avg", "operator": ">", "threshold": 1_000.0, "unit": "mb"}
    ]
    overview = get(client, "overview?service=ranker")
    assert overview["rules"] == 5
    assert [(one["figure"], one["value"]) for one in overview["thresholds"]] == [("error_ratio", 0.05), ("p95_ms", 500)]
