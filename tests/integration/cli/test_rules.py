"""``barograph rules`` on what a server holds."""

import json
import time
from pathlib import Path

import pytest

from barograph_cli.__main__ import main
from barograph_core.keyspace.keys import ShardKeys

RULES = """
[alerter]
default_rules = false
[[rule]]
name = "high"
on = "custom"
by = ["name"]
window = "1m"
when = "value.max > 10"
[[rule]]
name = "slipped"
on = "custom"
where = { name = "qeue" }
when = "value.max > 10"
"""


@pytest.fixture
def imported(tmp_path: Path, valkey_url: str, keys: ShardKeys) -> list[str]:
    """Half an hour of a value each 30 s that ends now, too high for five minutes, on the server; return the flags."""
    end_s = int(time.time()) - 30
    rows = [
        {
            "time_ms": (end_s - 30 * index) * 1_000,
            "service": "shop",
            "kind": "custom",
            "labels": {"name": "queue"},
            "value": 20 if 10 <= index < 20 else 5,
        }
        for index in range(60)
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(json.dumps(row) for row in reversed(rows)))
    (tmp_path / "rules.toml").write_text(RULES)
    flags = ["--url", valkey_url, "--prefix", keys.prefix]
    assert main(["import", str(tmp_path / "rows.jsonl"), *flags]) == 0
    return ["--config", str(tmp_path / "rules.toml"), *flags, "--json"]


def test_stored_panes_are_tried(imported: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """One episode, of the five minutes and the window."""
    capsys.readouterr()
    assert main(["rules", "backtest", "--rule", "high", "--from", "-2h", "--against", "alerts", *imported]) == 0
    (report,) = json.loads(capsys.readouterr().out)
    (episode,) = report["episodes"]
    assert episode["resolved_ms"] - episode["fired_ms"] == (9 * 30 + 60) * 1_000
    (difference,) = report["differences"]
    assert (difference["only"], difference["reason"].partition(":")[0]) == ("trial", "rules")


def test_a_rule_that_finds_no_series_is_named(imported: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["rules", "check", "--live", *imported]) == 1
    found = {one["rule"]: one for one in json.loads(capsys.readouterr().out)}
    assert found["slipped"]["note"] == "no series with name \"qeue\"; did you mean 'queue'?"
    assert (found["high"]["services"], found["high"]["note"], found["high"]["breaches"]) == (1, "", 0)
    assert main(["rules", "check", *imported]) == 0
