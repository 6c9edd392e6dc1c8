"""The end of a service that is not there, and of one that is on its way out."""

from dataclasses import replace

import pytest

from barograph_cli.failure import CommandError
from barograph_cli.manage.service_command import ServiceCommand
from barograph_core.alerts.record import AlertState
from barograph_core.alerts.state import alert_field
from barograph_core.alerts.transition import transition_of
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_entries, as_list
from tests.support import FakeClock, append, fake_connection, request_batch
from tests.unit.core.alerts.samples import RECORD


def test_a_service_of_which_nothing_is_left_cannot_be_deleted(clock: FakeClock) -> None:
    """A mistyped name is told at once, instead of as deleted."""
    command = ServiceCommand(fake_connection(), ShardKeys(), "nobody", wait_s=10, clock=clock)
    with pytest.raises(CommandError, match="there is no service 'nobody'"):
        command.delete(is_with_streams=False)


def test_a_service_whose_events_alone_are_there_is_deleted_and_that_goes_on(clock: FakeClock) -> None:
    """Nobody has read them yet: the second time it is known by its deletion, which is not at its end."""
    connection, keys = fake_connection(), ShardKeys()
    append(connection, keys, request_batch([(1_000, "/a", 200, 1.0)]))
    command = ServiceCommand(connection, keys, "ranker", wait_s=0, clock=clock)
    first = command.delete(is_with_streams=True)
    connection.command("XTRIM", keys.events, "MAXLEN", 0)
    second = command.delete(is_with_streams=True)
    assert (bool(first.waits_for), second.service) == (True, "ranker")


def fire(connection: Connection, keys: ShardKeys, channel: str) -> None:
    """Leave a firing alert, which ``channel`` has told of."""
    record = replace(RECORD, service="ranker")
    connection.command("HSET", keys.closed, "ranker", 1_000)
    connection.command("HSET", keys.state("ranker"), alert_field(record.alert_id), record.to_json())
    fired = transition_of(record, before=AlertState.PENDING, at_ms=2_000, notify=True)
    connection.command("XADD", keys.alerts, "*", *fired.to_fields())
    connection.command("XGROUP", "CREATE", keys.alerts, f"notifier:{channel}", "$")
    connection.command("HSET", keys.outbox_items(channel, record.alert_id), "memory", "{}")


def read_alerts(connection: Connection, keys: ShardKeys) -> list[dict[str, bytes]]:
    """Take what is unread for the channel ``hook``, and acknowledge it."""
    reply = connection.command("XREADGROUP", "GROUP", "notifier:hook", "one", "STREAMS", keys.alerts, ">")
    rows = [] if reply is None else as_entries(as_list(as_list(reply)[0])[1])
    for row in rows:
        connection.command("XACK", keys.alerts, "notifier:hook", str(row.id))
    return [{name.decode(): value for name, value in row.fields.items()} for row in rows]


def test_receivers_hear_of_the_end_of_an_alert_before_it_is_deleted(clock: FakeClock) -> None:
    """The entry and what the channel remembers stay until it has told; then nothing is left."""
    connection, keys = fake_connection(), ShardKeys()
    fire(connection, keys, "hook")
    command = ServiceCommand(connection, keys, "ranker", wait_s=0, clock=clock)
    first = command.delete(is_with_streams=True)
    assert first.waits_for == "hook may still have to tell of the end of 1 alerts (is a notifier running?)"
    (told,) = read_alerts(connection, keys)
    assert (told["to"], told["reason"]) == (b"resolved", b"service_retired")
    items = keys.outbox_items("hook", RECORD.alert_id)
    connection.command("HSET", items, "7-0", "queued")
    assert command.delete(is_with_streams=True).waits_for != ""
    assert connection.command("HKEYS", items) == [b"memory", b"7-0"]
    connection.command("HDEL", items, "7-0")
    assert command.delete(is_with_streams=True).waits_for == ""
    assert connection.command("EXISTS", items) == 0
    assert connection.command("XLEN", keys.alerts) == 0


def test_without_a_firing_alert_nobody_is_waited_for(clock: FakeClock) -> None:
    """A notifier that does not run holds up no deletion that it has no part in."""
    connection, keys = fake_connection(), ShardKeys()
    connection.command("HSET", keys.closed, "ranker", 1_000)
    connection.command("XGROUP", "CREATE", keys.alerts, "notifier:hook", "$", "MKSTREAM")
    connection.command("XADD", keys.alerts, "*", "of", "another")
    command = ServiceCommand(connection, keys, "ranker", wait_s=0, clock=clock)
    assert command.delete(is_with_streams=True).waits_for == ""
