"""What fires in a time in which its route is muted waits in the outbox for the end of that time."""

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from barograph_core.alerts.record import Severity
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_notifier.routing.route import Route
from barograph_notifier.routing.times import Times
from tests.integration.notifier.harness import CHANNEL, NotifierHarness
from tests.support import FakeClock
from tests.unit.notifier.samples import FIRING, RESOLVED, transition

_HOUR_MS = 3_600_000
# The clock begins at 22:13 UTC on 2023-11-14.
_NIGHT = Times(name="night", zone=ZoneInfo("UTC"), begin=22 * 60, end=6 * 60)
_ROUTES = [
    Route(min_severity=Severity.CRITICAL, channels=(CHANNEL,)),
    Route(number=2, channels=(CHANNEL,), mute=(_NIGHT,)),
]


@pytest.fixture
def harness(connection: Connection, keys: ShardKeys, clock: FakeClock) -> NotifierHarness:
    return NotifierHarness(connection, keys, clock, routes=_ROUTES)


def test_an_alert_of_the_night_is_told_in_the_morning(harness: NotifierHarness, clock: FakeClock) -> None:
    harness.deliver(transition(FIRING))
    clock.advance(7 * _HOUR_MS)
    harness.send()
    assert harness.channel.sent == []
    clock.advance(_HOUR_MS)
    harness.send()
    assert harness.channel.statuses == ["firing"]
    assert harness.deliveries() == [("sent", "ok")]


def test_one_that_is_over_by_then_is_not_told(harness: NotifierHarness, clock: FakeClock) -> None:
    harness.deliver(transition(FIRING))
    harness.deliver(transition(RESOLVED, number=2))
    clock.advance(8 * _HOUR_MS)
    harness.send()
    assert harness.channel.sent == []
    assert harness.deliveries() == [("suppressed", "superseded"), ("suppressed", "not_delivered")]
    assert harness.waiting() == []


def test_a_rise_in_severity_that_another_route_takes_does_not_wait(harness: NotifierHarness) -> None:
    harness.deliver(transition(FIRING), transition(FIRING, number=2, severity=Severity.CRITICAL))
    assert [given.severity for given, _ in harness.channel.sent] == [Severity.CRITICAL]


def test_an_end_is_told_at_once_where_the_beginning_was(harness: NotifierHarness, clock: FakeClock) -> None:
    """It wakes no one for something to do, and people must not look for what is over."""
    evening = replace(transition(FIRING), at_ms=clock.now_ms() - _HOUR_MS)
    harness.deliver(evening)
    harness.deliver(transition(RESOLVED, number=2))
    assert harness.channel.statuses == ["firing", "resolved"]


def test_the_wait_does_not_count_as_failing(harness: NotifierHarness, clock: FakeClock) -> None:
    """Else an attempt that fails in the morning would be the last one, or go to the fallback at once."""
    harness.deliver(transition(FIRING))
    clock.advance(8 * _HOUR_MS)
    ((turn,), _) = harness.factory.turns(harness.connection).take(harness.waiting(), clock.now_ms())
    assert clock.now_ms() - turn.queue.items[0].since_ms < _HOUR_MS
