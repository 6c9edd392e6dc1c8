"""A channel's consumer group is destroyed or set back: what was told is not told again, what follows is."""

import pytest

from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from tests.integration.notifier.harness import CHANNEL, NotifierHarness
from tests.support import FakeClock
from tests.unit.notifier.samples import FIRING, transition

GROUP = f"notifier:{CHANNEL}"
ALERTS = ("a1", "a2", "a3")


@pytest.fixture
def harness(connection: Connection, keys: ShardKeys, clock: FakeClock) -> NotifierHarness:
    """Return a notifier that has told of three alerts."""
    made = NotifierHarness(connection, keys, clock)
    made.deliver(*(transition(FIRING, alert=alert) for alert in ALERTS))
    return made


def told(harness: NotifierHarness) -> list[str]:
    return [notification.alert_id for notification, _ in harness.channel.sent]


def test_how_far_a_channel_has_read_outlives_its_group(harness: NotifierHarness) -> None:
    """The consumer that makes the group again begins there."""
    finished = harness.connection.command("HGET", harness.keys.progress, f"finished:{GROUP}")
    assert finished == str(harness.last_id()).encode()


def test_a_group_that_was_set_back_tells_nothing_again(harness: NotifierHarness) -> None:
    harness.connection.command("XGROUP", "SETID", harness.keys.alerts, GROUP, "0")
    harness.handle()
    harness.send()
    assert (told(harness), harness.pending()) == ([*ALERTS], 0)
    harness.deliver(transition(FIRING, alert="a4"))
    assert told(harness) == [*ALERTS, "a4"]


def test_a_group_that_was_made_again_at_the_start_tells_nothing_again(harness: NotifierHarness) -> None:
    """As after a hand's repair."""
    harness.connection.command("XGROUP", "DESTROY", harness.keys.alerts, GROUP)
    harness.connection.command("XGROUP", "CREATE", harness.keys.alerts, GROUP, "0")
    harness.deliver(transition(FIRING, alert="a4"))
    assert (told(harness), harness.pending()) == ([*ALERTS, "a4"], 0)
