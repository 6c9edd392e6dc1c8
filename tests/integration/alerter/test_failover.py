"""A failover loses the newest writes: what an alerter remembers of them must not count beside what follows."""

from typing import Any

from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.link import Value
from barograph_core.store.pane_store import PaneStore
from barograph_core.store.parts import marked
from tests.integration.alerter.desk import COUNTING, SERVICE, STEP, STEPS, Desk
from tests.support import FakeClock
from tests.unit.alerter.build import requests


def lose_parts(desk: Desk, count: int) -> str:
    """Take the newest parts from the open pane, and return the key of its list."""
    key = desk.keys.parts(SERVICE, desk.next_ms)
    desk.connection.command("LTRIM", key, 0, -1 - count)
    return key


def test_parts_that_a_failover_lost_do_not_count_beside_those_that_follow(
    connection: Connection, keys: ShardKeys, clock: FakeClock
) -> None:
    """The same number of parts again: by their number they look like those that are known."""
    desk = Desk(connection, keys, clock)
    alerter = desk.alerter(COUNTING)
    desk.close(requests(ok=1))
    desk.add_to_open(requests(errors=1))
    desk.add_to_open(requests(errors=3))
    alerter.work()
    key = lose_parts(desk, 1)
    connection.command("RPUSH", key, marked(requests(errors=2).pack()))
    connection.command("RPUSH", key, marked(requests(ok=1).pack()))
    desk.hint("advanced", SERVICE)
    alerter.work()
    assert desk.told == []
    desk.add_to_open(requests(errors=2))
    alerter.work()
    assert [(entry.before.value, entry.after.value, entry.value) for entry in desk.entries] == [
        ("inactive", "firing", 5.0)
    ]


def test_an_open_pane_is_read_as_it_is_whatever_was_lost(
    connection: Connection, keys: ShardKeys, clock: FakeClock
) -> None:
    """Fewer parts, as many, more, other ones, and none: the store holds what the server holds."""
    desk = Desk(connection, keys, clock)
    desk.close(requests(ok=1))
    store = PaneStore(connection, keys, STEPS)
    key = keys.parts(SERVICE, desk.next_ms)

    def seen() -> int:
        view = store.read_live(SERVICE, desk.next_ms - STEP, {})
        assert view is not None
        return sum(pane.requests for pane in view.opened.values())

    def push(*sizes: int) -> None:
        parts: list[Value] = [marked(requests(size).pack()) for size in sizes]
        connection.command("RPUSH", key, *parts)

    push(1, 2, 4)
    found = [seen()]
    connection.command("RPOP", key)
    found.append(seen())
    push(8)
    found.append(seen())
    connection.command("LTRIM", key, 0, 0)
    push(16, 32, 64)
    found.append(seen())
    push(128)
    found.append(seen())
    connection.command("DEL", key)
    push(256)
    found.append(seen())
    assert found == [7, 3, 11, 113, 241, 256]


def test_a_closed_pane_that_a_failover_lost_is_read_again(
    connection: Connection, keys: ShardKeys, clock: FakeClock, monkeypatch: Any
) -> None:
    """It closes once more under the same revision, with other events."""
    desk = Desk(connection, keys, clock)
    alerter = desk.alerter(COUNTING)
    for errors in (0, 0, 0, 2):
        desk.close(requests(ok=1, errors=errors))
        alerter.work()
    desk.store(desk.next_ms - STEP, requests(ok=1))
    monkeypatch.setattr(connection, "breaks", connection.breaks + 1)
    desk.close(requests(errors=4))
    alerter.work()
    assert desk.told == []


def test_a_firing_that_a_failover_lost_fires_again_under_its_key(
    connection: Connection, keys: ShardKeys, clock: FakeClock
) -> None:
    """Some moments later in the same open pane: channels know it by the key and do not send it twice."""
    desk = Desk(connection, keys, clock)
    desk.close(requests(ok=1))
    desk.alerter(COUNTING).work()
    before = connection.command("DUMP", keys.state(SERVICE))
    desk.add_to_open(requests(errors=9))
    desk.alerter(COUNTING).work()
    connection.command("DEL", keys.state(SERVICE))
    connection.command("RESTORE", keys.state(SERVICE), 0, before if isinstance(before, bytes) else b"")
    clock.advance(300)
    desk.hint("advanced", SERVICE)
    desk.alerter(COUNTING).work()
    first, second = desk.entries
    assert (first.after.value, first.transition, first.episode_ms) == (
        "firing",
        second.transition,
        desk.next_ms + STEP,
    )
