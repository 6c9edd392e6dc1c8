"""barograph dead: dead letters are listed, shown, tried again and dropped."""

import json
from dataclasses import replace

import pytest

from barograph_cli.__main__ import main
from barograph_core.alerts.state import alert_field
from barograph_core.alerts.transition import Transition
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.keyspace.layout_change import install_layout
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_int
from barograph_notifier.channel import Refused, Sent
from tests.integration.notifier.harness import NotifierHarness
from tests.support import FakeClock
from tests.unit.core.alerts.samples import RECORD
from tests.unit.notifier.samples import FIRING, RESOLVED, Recorder, transition

FIRED, CLEARED = transition(FIRING), transition(RESOLVED, number=2)


class Letters:
    """A notifier whose channel refuses at first, and the command."""

    def __init__(self, url: str, connection: Connection, keys: ShardKeys) -> None:
        self.url, self.connection, self.keys = url, connection, keys
        clock = FakeClock()
        clock.advance(2 * 10**12 - clock.now_ms())
        install_layout(connection, keys.prefix, 1)
        self.harness = NotifierHarness(connection, keys, clock, Recorder([Refused("http 404"), Sent("ok")]))

    def run(self, *arguments: str) -> int:
        return main(["dead", *arguments, "--url", self.url, "--prefix", self.keys.prefix])

    def fires(self, fired: Transition) -> None:
        record = replace(RECORD, alert_id=fired.alert_id, service=fired.service, episode_ms=fired.episode_ms)
        self.connection.command("HSET", self.keys.state(fired.service), alert_field(fired.alert_id), record.to_json())

    @property
    def count(self) -> int:
        return as_int(self.connection.command("XLEN", self.keys.dead))


@pytest.fixture
def letters(valkey_url: str, real: Connection, keys: ShardKeys) -> Letters:
    return Letters(valkey_url, real, keys)


def test_a_dead_letter_is_listed_and_shown(letters: Letters, capsys: pytest.CaptureFixture[str]) -> None:
    letters.harness.deliver(FIRED)
    letters.connection.command(
        "XADD", letters.keys.dead, "*", "dead_stage", "aggregator", "dead_reason", "no kind\x1b[2J"
    )
    assert letters.run("list", "--json") == 0
    event, notification = json.loads(capsys.readouterr().out)
    assert (event["dead_stage"], event["channel"]) == ("aggregator", "")
    assert (notification["channel"], notification["dead_reason"]) == ("hook", "http 404")
    assert letters.run("list", "--channel", "hook") == 0
    out = capsys.readouterr().out
    assert "high-error-rate" in out
    assert "no kind" not in out
    assert letters.run("list") == 0
    assert "\x1b" not in capsys.readouterr().out
    assert letters.run("show", notification["id"]) == 0
    assert "/predict: 30 % errors" in capsys.readouterr().out


def test_a_firing_is_sent_after_all_and_its_end_too(letters: Letters, capsys: pytest.CaptureFixture[str]) -> None:
    letters.harness.deliver(FIRED)
    letters.fires(FIRED)
    assert letters.run("retry", "--all") == 0
    assert "queued" in capsys.readouterr().out
    assert letters.count == 0
    letters.harness.send()
    letters.harness.deliver(CLEARED)
    assert letters.harness.channel.statuses == ["firing", "firing", "resolved"]


def test_what_holds_no_more_is_left(letters: Letters, capsys: pytest.CaptureFixture[str]) -> None:
    """A firing that is over would never be followed by its end; an event cannot be sent."""
    letters.harness.deliver(FIRED)
    letters.connection.command("XADD", letters.keys.dead, "*", "dead_stage", "aggregator")
    assert letters.run("retry", "--all") == 1
    out = capsys.readouterr().out
    assert "the alert does not fire any more in that episode" in out
    assert "only notifications can be tried again" in out
    assert letters.count == 2
    assert letters.harness.waiting() == []


def test_letters_are_dropped_by_id_or_by_choice(letters: Letters, capsys: pytest.CaptureFixture[str]) -> None:
    letters.harness.deliver(FIRED)
    for _ in range(2):
        letters.connection.command("XADD", letters.keys.dead, "*", "dead_stage", "aggregator")
    assert letters.run("drop") == 2
    assert letters.run("drop", "1-1") == 1
    assert "there is no dead letter 1-1" in capsys.readouterr().err
    assert letters.run("drop", "--all", "--stage", "aggregator") == 0
    assert letters.count == 1
    letters.run("list", "--json")
    (left,) = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert letters.run("drop", left["id"]) == 0
    assert letters.count == 0
