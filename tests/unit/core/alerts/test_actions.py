"""What people do to alerts, written against a server."""

from collections.abc import Callable
from typing import Final

import pytest

from barograph_core.alerts.acknowledgement import Acknowledgement
from barograph_core.alerts.actions import (
    AlertConflictError,
    AlertNotFoundError,
    KeyReusedError,
    Once,
    apply_by_hand,
)
from barograph_core.alerts.by_hand import HandChange, acknowledge, resolve_by_hand, unacknowledge
from barograph_core.alerts.record import AlertRecord
from barograph_core.alerts.state import alert_field
from barograph_core.alerts.transition import Transition
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.keyspace.layout import Layout, spread_tags
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_entries
from tests.support import fake_connection
from tests.unit.core.alerts.samples import RECORD

LAYOUT: Final = Layout("baro", tags=spread_tags(3))
ACK: Final = Acknowledgement(actor="ann", at_ms=9_000)


@pytest.fixture
def server() -> Connection:
    """Return a server with one firing alert, on one of three shards."""
    connection = fake_connection()
    keys = LAYOUT.keys_of(RECORD.service)
    connection.command("HSET", keys.closed, RECORD.service, 1_000)
    connection.command("HSET", keys.state(RECORD.service), alert_field(RECORD.alert_id), RECORD.to_json())
    return connection


def acking(record: AlertRecord) -> HandChange:
    return acknowledge(record, ACK)


def resolving(record: AlertRecord) -> HandChange:
    return resolve_by_hand(record, actor="ann", note="", now_ms=9_000)


def entries_of(connection: Connection, keys: ShardKeys) -> list[Transition]:
    return [
        Transition.from_fields(one.fields) for one in as_entries(connection.command("XRANGE", keys.alerts, "-", "+"))
    ]


def test_an_alert_is_found_on_its_shard_by_its_id(server: Connection) -> None:
    applied = apply_by_hand(server, LAYOUT, RECORD.alert_id, acking)
    assert applied.record is not None
    assert applied.record.ack == ACK
    (entry,) = entries_of(server, LAYOUT.keys_of(RECORD.service))
    assert (entry.transition, entry.flag) == (applied.transition, "acknowledged")


def test_an_unknown_alert_is_not_found(server: Connection) -> None:
    with pytest.raises(AlertNotFoundError, match="ffff"):
        apply_by_hand(server, LAYOUT, "f" * 16, acking)


def test_what_does_not_apply_is_a_conflict(server: Connection) -> None:
    with pytest.raises(AlertConflictError, match="not acknowledged"):
        apply_by_hand(
            server, LAYOUT, RECORD.alert_id, lambda record: unacknowledge(record, actor="bob", note="", now_ms=1)
        )
    assert entries_of(server, LAYOUT.keys_of(RECORD.service)) == []


def racing(server: Connection, times: int) -> Callable[[AlertRecord], HandChange]:
    """Return a decision during which somebody else changes the state, so many times."""
    left = [times]

    def decide(record: AlertRecord) -> HandChange:
        if left[0]:
            left[0] -= 1
            server.command("HINCRBY", LAYOUT.keys_of(RECORD.service).state(RECORD.service), "version", 1)
        return acknowledge(record, ACK)

    return decide


def test_whoever_was_slower_looks_again(server: Connection) -> None:
    apply_by_hand(server, LAYOUT, RECORD.alert_id, racing(server, 3))
    assert len(entries_of(server, LAYOUT.keys_of(RECORD.service))) == 1


def test_a_state_that_never_stands_still_is_a_conflict(server: Connection) -> None:
    with pytest.raises(AlertConflictError, match="keep changing"):
        apply_by_hand(server, LAYOUT, RECORD.alert_id, racing(server, 1_000))


def test_a_request_is_applied_once_even_when_the_alert_is_gone_since(server: Connection) -> None:
    """Its answer was lost, it is sent again, and meanwhile the alert has ended."""
    once = Once.of("mira", "key-1", ["resolve", RECORD.alert_id])
    first = apply_by_hand(server, LAYOUT, RECORD.alert_id, resolving, once)
    server.command("HDEL", LAYOUT.keys_of(RECORD.service).state(RECORD.service), alert_field(RECORD.alert_id))
    again = apply_by_hand(server, LAYOUT, RECORD.alert_id, resolving, once)
    assert (again.transition, again.record) == (first.transition, None)


def test_two_people_may_use_the_same_key(server: Connection) -> None:
    for who in ("mira", "ann"):
        apply_by_hand(server, LAYOUT, RECORD.alert_id, acking, Once.of(who, "1", "ack"))
    assert len(entries_of(server, LAYOUT.keys_of(RECORD.service))) == 2


def test_a_key_for_another_request_is_a_mistake(server: Connection) -> None:
    apply_by_hand(server, LAYOUT, RECORD.alert_id, acking, Once.of("mira", "1", "ack"))
    with pytest.raises(KeyReusedError, match="another request"):
        apply_by_hand(server, LAYOUT, RECORD.alert_id, resolving, Once.of("mira", "1", "resolve"))
    assert len(entries_of(server, LAYOUT.keys_of(RECORD.service))) == 1


def test_a_repetition_that_meets_what_its_first_attempt_has_done_is_answered_as_done(
    server: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are under way: the second looks for its key before the first has written, and for the alert after."""
    once, command, first = Once("k" * 32, "r" * 32), server.command, list[str]()

    def overtaken(*words: object) -> object:
        if words[0] == "HKEYS" and not first:
            first.append("under way")
            first.append(apply_by_hand(server, LAYOUT, RECORD.alert_id, resolving, once).transition)
        return command(*words)  # type: ignore[arg-type]  # handed through

    monkeypatch.setattr(server, "command", overtaken)
    assert apply_by_hand(server, LAYOUT, RECORD.alert_id, resolving, once).transition == first[1]
    assert len(entries_of(server, LAYOUT.keys_of(RECORD.service))) == 1
