"""A channel's rate, and what becomes of a firing that a channel does not take."""

from dataclasses import replace

import pytest

from barograph_core.alerts.record import Severity
from barograph_core.alerts.state import alert_field
from barograph_core.alerts.transition import Transition
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_list, as_text
from barograph_notifier.channel import Outcome, Refused, Retry, Sent
from barograph_notifier.outbox.hand_over import HandOver
from barograph_notifier.outbox.outbox import Outbox
from barograph_notifier.posting.token_bucket import Rate, TokenBucket
from tests.integration.notifier.harness import NotifierHarness
from tests.support import FakeClock
from tests.unit.core.alerts.samples import RECORD
from tests.unit.notifier.samples import FIRING, RESOLVED, Recorder, transition

OTHER = "mail"
FIRED = transition(FIRING)


def test_a_channel_sends_no_more_than_its_rate(connection: Connection, keys: ShardKeys, clock: FakeClock) -> None:
    """Nothing is lost by it, and what waits is sent as soon as there is a token."""
    harness = NotifierHarness(connection, keys, clock, bucket=TokenBucket(Rate(2, 2_000), clock))
    wait_ms = harness.deliver(*(transition(FIRING, alert=f"a{number}") for number in range(5)))
    assert len(harness.channel.sent) == 2
    assert 0 < wait_ms <= 500
    for expected in (3, 4, 5):
        clock.advance(1_000)
        harness.send()
        assert len(harness.channel.sent) == expected
    assert harness.waiting() == []
    assert [result for result, _ in harness.deliveries()] == ["sent"] * 5


class Pair:
    """A channel, and the one that its firings are handed to."""

    def __init__(
        self, connection: Connection, keys: ShardKeys, clock: FakeClock, *answers: Outcome, is_for_all: bool = True
    ) -> None:
        self.connection, self.keys = connection, keys
        other = Outbox(connection, keys, OTHER, keep_ms=10**10)
        hand_over = HandOver(connection, keys, other, name=OTHER, after_ms=5_000, is_for_all=is_for_all)
        self.harness = NotifierHarness(connection, keys, clock, Recorder(answers), hand_over=hand_over)

    def lay(self, fired: Transition = FIRED) -> None:
        """Note in the state that the alert fires."""
        record = replace(RECORD, alert_id=fired.alert_id, service=fired.service, episode_ms=fired.episode_ms)
        self.connection.command("HSET", self.keys.state(fired.service), alert_field(fired.alert_id), record.to_json())

    @property
    def handed(self) -> list[str]:
        """Return the alerts that wait for the other channel."""
        found = as_list(self.connection.command("ZRANGE", self.keys.outbox(OTHER), 0, -1))
        return [as_text(member) for member in found]


def test_a_refused_firing_goes_to_the_fallback(connection: Connection, keys: ShardKeys, clock: FakeClock) -> None:
    """It is dead-lettered all the same, with a word about where it went."""
    pair = Pair(connection, keys, clock, Refused("http 404"))
    pair.lay()
    pair.harness.deliver(FIRED)
    assert pair.handed == ["a1"]
    assert pair.harness.deliveries() == [("dead", "http 404; handed to mail")]


def test_the_fallback_sends_it_and_its_end(connection: Connection, keys: ShardKeys, clock: FakeClock) -> None:
    """Although no route names the fallback channel for this alert."""
    pair = Pair(connection, keys, clock, Refused("http 404"))
    pair.lay()
    fallback = NotifierHarness(connection, keys, clock, routes=(), channel_name=OTHER)
    pair.harness.deliver(FIRED)
    fallback.handle()
    fallback.send()
    fallback.deliver(transition(RESOLVED, number=2))
    assert [(given.status, given.reason) for given, _ in fallback.channel.sent] == [
        ("firing", "fallback"),
        ("resolved", ""),
    ]


def test_a_firing_that_keeps_failing_goes_there_once(connection: Connection, keys: ShardKeys, clock: FakeClock) -> None:
    """After ``fallback_after``; the channel itself goes on trying."""
    pair = Pair(connection, keys, clock, *[Retry(None, "http 503")] * 4, Sent("ok"))
    pair.lay()
    pair.harness.deliver(FIRED)
    for _ in range(2):
        clock.advance(4_000)
        pair.harness.send()
    assert pair.handed == ["a1"]
    connection.command("DEL", keys.outbox(OTHER))
    for _ in range(3):
        clock.advance(60_000)
        pair.harness.send()
    assert pair.handed == []
    reasons = [reason for _, reason in pair.harness.deliveries()]
    assert [reason for reason in reasons if "handed" in reason] == ["http 503; handed to mail"]
    assert reasons[-1] == "ok"


@pytest.mark.parametrize("is_over", [True, False])
def test_an_alert_that_is_over_is_not_handed_over(
    connection: Connection, keys: ShardKeys, clock: FakeClock, *, is_over: bool
) -> None:
    """The other channel may have passed its end already, and would never send it."""
    pair = Pair(connection, keys, clock, Refused("http 404"))
    if not is_over:
        pair.lay(replace(FIRED, episode_ms=9_000))
    pair.harness.deliver(FIRED)
    assert pair.handed == []


@pytest.mark.parametrize(("severity", "expected"), [(Severity.CRITICAL, ["a1"]), (Severity.ERROR, [])])
def test_without_a_fallback_only_a_critical_one_is_told_elsewhere(
    connection: Connection, keys: ShardKeys, clock: FakeClock, severity: Severity, expected: list[str]
) -> None:
    """And only when it is given up."""
    fired = transition(FIRING, severity=severity)
    pair = Pair(connection, keys, clock, Retry(None, "http 503"), Refused("http 404"), is_for_all=False)
    pair.lay(fired)
    pair.harness.deliver(fired)
    clock.advance(60_000)
    assert pair.handed == []
    pair.harness.send()
    assert pair.handed == expected
