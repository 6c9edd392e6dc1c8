"""The worked example of a channel of one's own, as the notifier's README shows it."""

import json
import re
import sys
from pathlib import Path

import pytest

from barograph_core.errors import Problem
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.settings.config_file import parse_config
from barograph_notifier.channel import Channel, Refused, Retry, Sent, attempt
from barograph_notifier.channels.reading import parse_channels
from tests.integration.notifier.harness import NotifierHarness
from tests.support import FakeClock
from tests.unit.notifier.samples import FIRING, RESOLVED, notification, transition

README = Path(__file__).resolve().parents[3] / "notifier" / "README.md"


@pytest.fixture
def own_channel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Channel:
    """Return the example's channel, from its code and its configuration as they stand in the README."""
    text = README.read_text(encoding="utf-8").partition("#### A channel of your own")[2]
    code, configuration = re.findall(r"```(?:python|toml)\n(.*?)```", text, re.DOTALL)[:2]
    (tmp_path / "ops_channels.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "ops_channels", raising=False)
    problems: list[Problem] = []
    environ = {"AUDIT_FILE": str(tmp_path / "audit.jsonl")}
    channels = parse_channels(parse_config(configuration, Path("barograph.toml")), environ, problems)
    assert problems == []
    return channels["audit"].channel


def lines(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "audit.jsonl").read_text(encoding="utf-8").splitlines()]


def test_the_example_sends_an_alert_and_its_end(
    own_channel: Channel, tmp_path: Path, connection: Connection, keys: ShardKeys, clock: FakeClock
) -> None:
    """Through the notifier's own outbox."""
    harness = NotifierHarness(connection, keys, clock, own_channel)
    harness.deliver(transition(FIRING))
    harness.deliver(transition(RESOLVED, number=2))
    assert [line["status"] for line in lines(tmp_path)] == ["firing", "resolved"]
    assert harness.deliveries() == [("sent", "audit.jsonl"), ("sent", "audit.jsonl")]


def test_the_example_writes_a_repetition_once(own_channel: Channel, tmp_path: Path) -> None:
    assert attempt(own_channel, notification(), key="k1", timeout_s=1) == Sent("audit.jsonl")
    assert attempt(own_channel, notification(), key="k1", timeout_s=1) == Sent("there already")
    assert len(lines(tmp_path)) == 1


def test_the_example_tells_what_passes_from_what_does_not(own_channel: Channel, tmp_path: Path) -> None:
    (tmp_path / "audit.jsonl").mkdir()
    assert attempt(own_channel, notification(), key="k1", timeout_s=1) == Retry(None, "file: Is a directory")
    own_channel.path = tmp_path / "gone" / "audit.jsonl"  # type: ignore[attr-defined]
    assert attempt(own_channel, notification(), key="k1", timeout_s=1) == Refused("the folder does not exist")
