"""install, status and tail against a real server."""

import json

import pytest

from barograph_cli.__main__ import main
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from tests.support import append, request_batch


def test_install_then_status_and_tail_tell_what_is_there(
    valkey_url: str, real: Connection, keys: ShardKeys, capsys: pytest.CaptureFixture[str]
) -> None:
    """What one command writes the others read, each as JSON too."""
    here = ("--url", valkey_url, "--prefix", keys.prefix)
    assert main(["install", *here, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["library"] == "current"
    append(real, keys, request_batch([(1_000, "/predict", 503, 12.5)]))
    assert main(["status", *here, "--json"]) == 0
    (shard,) = json.loads(capsys.readouterr().out)["shards"]
    assert shard["streams"][0]["length"] == 1
    assert main(["tail", "events", *here, "--json"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["series"][0]["status"] == 503


def test_tail_shows_the_newest_in_order(
    valkey_url: str, real: Connection, keys: ShardKeys, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(5):
        real.command(
            "XADD", keys.dead, f"{number + 1}-0", "dead_stage", "aggregator", "dead_reason", f"reason {number}"
        )
    assert main(["tail", "dead", "-n", "2", "--url", valkey_url, "--prefix", keys.prefix]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[2] for line in shown] == ["reason 3", "reason 4"]
