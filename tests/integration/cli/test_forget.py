"""barograph notify forget: nothing is left of a channel that no configuration has any more."""

import json

import pytest

from barograph_cli.__main__ import main
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.keyspace.layout_change import install_layout
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_list, as_text
from barograph_notifier.channel import Retry, Sent
from tests.integration.notifier.harness import CHANNEL, NotifierHarness
from tests.support import FakeClock
from tests.unit.notifier.samples import FIRING, Recorder, transition


class Left:
    """A channel that told of one alert and could not tell of another, and the command."""

    def __init__(self, url: str, connection: Connection, keys: ShardKeys) -> None:
        self.url, self.connection, self.keys = url, connection, keys
        clock = FakeClock()
        clock.advance(2 * 10**12 - clock.now_ms())
        install_layout(connection, keys.prefix, 1)
        self.harness = NotifierHarness(connection, keys, clock, Recorder([Sent("ok"), Retry(None, "down")]))
        self.harness.deliver(transition(FIRING, cooldown_ms=60_000), transition(FIRING, alert="b2", number=2))

    def run(self, *arguments: str) -> int:
        return main(["notify", "forget", *arguments, "--url", self.url, "--prefix", self.keys.prefix])

    def end_notifier(self) -> None:
        group = f"notifier:{CHANNEL}"
        self.connection.command("XGROUP", "DELCONSUMER", self.keys.alerts, group, self.harness.consumer)

    def keys_of_channel(self) -> list[str]:
        found = as_list(self.connection.command("KEYS", f"{self.keys.prefix}:*{CHANNEL}*"))
        return sorted(as_text(key) for key in found)


@pytest.fixture
def left(valkey_url: str, real: Connection, keys: ShardKeys) -> Left:
    return Left(valkey_url, real, keys)


def test_a_channel_that_is_served_is_left_alone(left: Left, capsys: pytest.CaptureFixture[str]) -> None:
    """It would come back at once, as a new channel."""
    before = left.keys_of_channel()
    assert left.run(CHANNEL, "--yes") == 1
    assert "one still serves 'hook': take it out of the configuration and restart it" in capsys.readouterr().err
    assert left.keys_of_channel() == before


def test_what_waits_is_dropped_only_when_that_is_wanted(left: Left, capsys: pytest.CaptureFixture[str]) -> None:
    left.end_notifier()
    assert left.run(CHANNEL) == 1
    assert "1 notification of 'hook' still wait: --yes drops them" in capsys.readouterr().err
    assert left.harness.waiting() == ["b2"]


def test_nothing_is_left(left: Left, capsys: pytest.CaptureFixture[str]) -> None:
    """But for the record of its deliveries, which says what became of the last ones."""
    left.end_notifier()
    assert left.run(CHANNEL, "--yes", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"channel": "hook", "alerts": 2, "dropped": 1}
    assert left.keys_of_channel() == []
    assert left.connection.command("XINFO", "GROUPS", left.keys.alerts) == []
    assert as_list(left.connection.command("HGETALL", left.keys.channels)) == []
    assert as_list(left.connection.command("HKEYS", left.keys.quiet("a1"))) == []
    fields = map(as_text, as_list(left.connection.command("HKEYS", left.keys.progress)))
    assert [name for name in fields if CHANNEL in name] == []
    assert left.harness.deliveries()[-1] == ("suppressed", "channel_forgotten")


def test_an_unknown_channel_is_a_mistake(left: Left, capsys: pytest.CaptureFixture[str]) -> None:
    assert left.run("other") == 1
    assert "nothing is known of a channel 'other'" in capsys.readouterr().err
    left.end_notifier()
    assert left.run(CHANNEL, "--yes") == 0
    assert left.run(CHANNEL) == 1
