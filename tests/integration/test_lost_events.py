"""An alert on lost events, from an operator's trim to the transition, through real processes."""

import json
from pathlib import Path

import pytest

from barograph_cli.__main__ import main
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.pipeline.reader import PipelineReader
from tests.integration.pipeline import running_pipeline
from tests.support import wait_until

RULE = """
[alerter]
default_rules = false

[[rule]]
name = "events-lost"
on = "custom"
where = { name = "barograph.entries_lost" }
window = "5s"
when = "value.sum > 0"
severity = "critical"
summary = "{{ value.sum }} entries were lost before they were read"
"""


def test_a_loss_that_nobody_ordered_raises_an_alert_and_shows_in_the_status(
    valkey_url: str, keys: ShardKeys, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The entry is added and trimmed in one command: no worker can have seen it, and yet it is counted."""
    with running_pipeline(valkey_url, keys, tmp_path, RULE) as pipeline:
        producer = pipeline.producer()
        producer.request(route="/a", method="GET", status=200, duration_ms=5.0)
        producer.close()
        reader = PipelineReader(pipeline.connection, keys)
        wait_until(lambda: (account := reader.read().account) is not None and account.committed > 0, what="a commit")
        wait_until(lambda: "barograph" in reader.read().closed, what="the first self panes")
        pipeline.connection.command("XADD", keys.events, "MAXLEN", "=", 0, "*", "n", 5)
        pipeline.wait_for_transition("events-lost", "firing")
        capsys.readouterr()
        code = main(["status", "--url", valkey_url, "--prefix", keys.prefix, "--json"])
        account = json.loads(capsys.readouterr().out)["shards"][0]["account"]
        log = (tmp_path / "aggregator.log").read_text()
    assert code == 0
    assert (account["lost"], account["lost_counted"], account["unread"], account["surplus"]) == (1, 0, 0, 0)
    assert '"events.lost"' in log
