"""baro_enqueue_1, baro_delivered_1: everything is checked before the first write."""

import pytest

from barograph_core.errors import CommandRefusedError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.link import Value
from barograph_core.server.replies import as_list

GROUP = "notifier:hook"


def enqueue(connection: Connection, keys: ShardKeys, *, due_ms: Value = 1_000, keep_ms: Value = 60_000) -> None:
    names = [keys.alerts, keys.outbox("hook"), keys.outbox_items("hook", "alert"), keys.deliveries]
    note: list[Value] = ["transition", "t1"]
    connection.call("baro_enqueue_1", names, [GROUP, "mine", "1-0", "alert", due_ms, "{}", keep_ms, *note])


def read_one(connection: Connection, keys: ShardKeys) -> None:
    connection.command("XADD", keys.alerts, "1-0", "alert_id", "alert")
    connection.command("XGROUP", "CREATE", keys.alerts, GROUP, "0")
    connection.command("XREADGROUP", "GROUP", GROUP, "mine", "STREAMS", keys.alerts, ">")


@pytest.mark.parametrize("wrong", [{"due_ms": "nan"}, {"due_ms": "0x10"}, {"keep_ms": ""}, {"keep_ms": "nan"}])
def test_an_entry_is_moved_whole_or_not_at_all(
    connection: Connection, keys: ShardKeys, wrong: dict[str, Value]
) -> None:
    """What the last of the writes cannot take is refused before the first."""
    read_one(connection, keys)
    with pytest.raises(CommandRefusedError, match="whole number"):
        enqueue(connection, keys, **wrong)
    assert connection.command("EXISTS", keys.outbox("hook"), keys.outbox_items("hook", "alert"), keys.deliveries) == 0
    assert as_list(connection.command("XPENDING", keys.alerts, GROUP))[0] == 1


@pytest.mark.parametrize("at", [4, 7, 8, 10])
@pytest.mark.parametrize("wrong", ["nan", "0x10", ""])
def test_what_became_of_an_item_is_noted_whole_or_not_at_all(
    connection: Connection, keys: ShardKeys, at: int, wrong: str
) -> None:
    """Of due_ms, remember_ms, cooldown_ms and keep_ms each is used after the item is gone."""
    read_one(connection, keys)
    enqueue(connection, keys)
    connection.command("SET", keys.lease("hook", "alert"), "token")
    names = [keys.outbox("hook"), keys.outbox_items("hook", "alert"), keys.deliveries]
    names += [keys.lease("hook", "alert"), keys.dead, keys.cooldown("alert")]
    args: list[Value] = ["token", "alert", "1-0", "sent", 1_000, "{}", "{}", 60_000, 1_000, "tag", 60_000, "", 0]
    args += ["transition", "t1"]
    with pytest.raises(CommandRefusedError, match="whole number"):
        connection.call("baro_delivered_1", names, [*args[:at], wrong, *args[at + 1 :]])
    assert connection.command("HKEYS", keys.outbox_items("hook", "alert")) == [b"1-0"]
    assert connection.command("XLEN", keys.deliveries) == 1
