"""A channel that starts while alerts fire hears of them, and of their end."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from barograph_core.alerts.record import AlertRecord, AlertState
from barograph_core.alerts.state import alert_field
from barograph_core.alerts.transition import transition_of
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_notifier.outbox.joining import join_alerts
from barograph_notifier.routing.route import Route
from barograph_notifier.routing.routing import Routing
from tests.integration.notifier.harness import CHANNEL, EVERYTHING, NotifierHarness
from tests.support import FakeClock
from tests.unit.core.alerts.samples import RECORD

CLEARED = replace(RECORD, state=AlertState.RESOLVED, number=RECORD.number + 1)


@pytest.fixture
def harness(connection: Connection, keys: ShardKeys, clock: FakeClock) -> NotifierHarness:
    """Return a notifier whose channel has never run; its clock is the server's."""
    made = NotifierHarness(connection, keys, clock)
    connection.command("XGROUP", "DESTROY", keys.alerts, f"notifier:{CHANNEL}")
    clock.advance(2 * 10**12 - clock.now_ms())
    return made


def lay(harness: NotifierHarness, *records: AlertRecord) -> None:
    harness.connection.command("HSET", harness.keys.closed, RECORD.service, 1)
    for record in records:
        harness.connection.command(
            "HSET", harness.keys.state(RECORD.service), alert_field(record.alert_id), record.to_json()
        )


def join(harness: NotifierHarness, routes: Sequence[Route] = EVERYTHING) -> int:
    return join_alerts(harness.connection, harness.keys, CHANNEL, harness.outbox, Routing(routes))


def test_a_new_channel_is_told_of_what_fires_and_of_its_end(harness: NotifierHarness) -> None:
    lay(harness, RECORD, replace(RECORD, alert_id="b" * 16, state=AlertState.PENDING))
    assert join(harness) == 1
    harness.send()
    harness.deliver(transition_of(CLEARED, before=AlertState.FIRING, at_ms=5_000, notify=True))
    assert [(given.status, given.reason) for given, _ in harness.channel.sent] == [
        ("firing", "already_firing"),
        ("resolved", ""),
    ]
    assert harness.waiting() == []


def test_what_fires_as_the_channel_starts_is_told_once(harness: NotifierHarness) -> None:
    """It is in the state and on the stream."""
    lay(harness, RECORD)
    join(harness)
    harness.send()
    harness.deliver(transition_of(RECORD, before=AlertState.PENDING, at_ms=2_000, notify=True))
    assert [result for result, _ in harness.deliveries()] == ["sent", "suppressed"]
    assert len(harness.channel.sent) == 1


def test_an_end_before_the_first_message_leaves_nothing_to_tell(harness: NotifierHarness) -> None:
    lay(harness, RECORD)
    join(harness)
    harness.write(transition_of(CLEARED, before=AlertState.FIRING, at_ms=5_000, notify=True))
    harness.handle()
    harness.send()
    assert harness.channel.sent == []
    assert [reason for _, reason in harness.deliveries()] == ["superseded", "not_delivered"]


def test_a_channel_that_has_run_before_is_told_nothing(harness: NotifierHarness) -> None:
    lay(harness, RECORD)
    join(harness)
    harness.send()
    assert join(harness) == 0
    harness.send()
    assert len(harness.channel.sent) == 1


def test_a_start_that_was_cut_off_is_made_up_for(harness: NotifierHarness) -> None:
    """Its items are queued and no group is there: the next start queues the same, and nothing is sent twice."""
    lay(harness, RECORD)
    join(harness)
    harness.send()
    harness.connection.command("XGROUP", "DESTROY", harness.keys.alerts, f"notifier:{CHANNEL}")
    assert join(harness) == 1
    harness.send()
    assert len(harness.channel.sent) == 1


def test_the_routes_decide_here_too(harness: NotifierHarness) -> None:
    lay(harness, RECORD)
    assert join(harness, (Route(channels=("other",)),)) == 0


def test_the_group_begins_where_the_state_was_read(harness: NotifierHarness) -> None:
    """Nothing that fires between the two is missed."""
    harness.write(transition_of(RECORD, before=AlertState.PENDING, at_ms=2_000, notify=True))
    assert join(harness) == 0
    other = replace(RECORD, alert_id="b" * 16)
    harness.deliver(transition_of(other, before=AlertState.PENDING, at_ms=3_000, notify=True))
    assert [given.alert_id for given, _ in harness.channel.sent] == ["b" * 16]
