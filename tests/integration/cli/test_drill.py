"""barograph drill on a pipeline of real processes: every stage and channel, and nothing is left but the record."""

import json
from pathlib import Path

import pytest

from barograph_cli.__main__ import main
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.keyspace.layout_change import install_layout
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_int, as_list, as_text
from tests.integration.notifier.receiver import running_receiver
from tests.integration.pipeline import running_pipeline

_CONFIG = """
[[channel]]
name = "hook"
type = "webhook"
url = "{url}"
allow_private = true

[[channel]]
name = "elsewhere"
type = "console"

[[route]]
channels = ["hook"]
"""


def drill(url: str, prefix: str, *arguments: str) -> int:
    return main(["drill", "--url", url, "--prefix", prefix, *arguments])


def test_the_time_at_each_stage_and_channel_is_printed(
    valkey_url: str, real: Connection, keys: ShardKeys, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the rules that ship. The end is told too, and the service is gone afterwards."""
    install_layout(real, keys.prefix, 1)
    with (
        running_receiver() as receiver,
        running_pipeline(valkey_url, keys, tmp_path, _CONFIG.format(url=receiver.url)) as pipeline,
    ):
        assert drill(valkey_url, keys.prefix, "--json") == 0
        answer = json.loads(capsys.readouterr().out)
        stages = {stage["name"]: stage for stage in answer["stages"]}
        assert answer["told"] is True
        assert list(stages) == ["append", "aggregator", "alerter", "elsewhere", "hook"]
        assert stages["alerter"]["what"] == "critical high-error-rate fires"
        assert (stages["hook"]["result"], stages["hook"]["what"]) == ("sent", "http 200")
        assert (stages["elsewhere"]["result"], stages["elsewhere"]["what"]) == ("suppressed", "unrouted")
        times = [stages[name]["after_ms"] for name in ("append", "aggregator", "alerter", "hook")]
        assert times == sorted(times)
        bodies = [json.loads(got.body) for got in receiver.received]
        assert [(body["status"], body["alert"]["service"]) for body in bodies] == [
            ("firing", "_drill"),
            ("resolved", "_drill"),
        ]
        assert as_int(real.command("HEXISTS", keys.closed, "_drill")) == 0
        left = [as_text(key) for key in as_list(real.command("KEYS", f"{keys.prefix}:*_drill*"))]
        assert left == []
        assert {entry["channel"] for entry in pipeline.entries(keys.deliveries)} == {b"hook", b"elsewhere"}


def test_what_is_missing_is_named(
    valkey_url: str, real: Connection, keys: ShardKeys, capsys: pytest.CaptureFixture[str]
) -> None:
    """Here no worker runs at all."""
    install_layout(real, keys.prefix, 1)
    assert drill(valkey_url, keys.prefix, "--wait", "2s", "--json") == 1
    stages = json.loads(capsys.readouterr().out)["stages"]
    assert [(stage["name"], stage["result"], stage["what"].rpartition(": ")[2]) for stage in stages] == [
        ("append", "done", "on the events stream"),
        ("aggregator", "missing", "does one run?"),
        ("alerter", "missing", "does an alerter run, and is a rule about errors in force for _drill?"),
        ("notifier", "missing", "does a notifier run?"),
    ]


def test_a_wrong_wait_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["drill", "--wait", "5"]) == 2
    assert "--wait: '5' is not a duration" in capsys.readouterr().err
