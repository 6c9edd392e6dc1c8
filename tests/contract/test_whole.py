"""``baro_whole_1`` and what producers declare for it, on every kind of server."""

from barograph_core.keyspace.keys import AGGREGATOR_GROUP, ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_int, as_list, as_now_ms, as_text
from tests.support import append

ONE, TWO = "host:1:0000000000000001", "host:2:0000000000000002"
ENTRY = {"v": "1"}


def server_ms(connection: Connection) -> int:
    return as_now_ms(connection.command("TIME"))


def report(
    connection: Connection,
    keys: ShardKeys,
    instance: str,
    through_ms: int,
    *,
    ahead_ms: int = 0,
    mode: str = "heartbeat",
) -> None:
    """Report by a clock that is ahead of the server's."""
    sent_ms = server_ms(connection) + ahead_ms
    append(connection, keys, {}, instance=instance, mode=mode, seq=0, batches=0, through_ms=f"{through_ms}:{sent_ms}")


def shipped_ms(connection: Connection, keys: ShardKeys, instance: str) -> int | None:
    score = connection.command("ZSCORE", keys.shipped("ranker"), instance)
    return None if score is None else int(float(as_text(score)))


def ask(connection: Connection, keys: ShardKeys, *ends_ms: int) -> list[str]:
    if connection.command("EXISTS", keys.events) == 0:
        connection.command("XGROUP", "CREATE", keys.events, AGGREGATOR_GROUP, "0", "MKSTREAM")
    names = [keys.events, *[keys.producers("ranker"), keys.shipped("ranker")] * len(ends_ms)]
    reply = connection.call("baro_whole_1", names, [AGGREGATOR_GROUP, 300_000, *ends_ms], read_only=True)
    return [as_text(item) if isinstance(item, bytes) else str(as_int(item)) for item in as_list(reply)]


def test_a_pane_is_shipped_when_every_instance_has_passed_its_end(connection: Connection, keys: ShardKeys) -> None:
    """One that is alive and has not decides, up to the end itself."""
    now = server_ms(connection)
    report(connection, keys, ONE, now)
    report(connection, keys, TWO, now - 400)
    assert ask(connection, keys, now - 500, now - 400, now - 399)[2:] == ["1", "1", "0"]


def test_an_instance_that_is_gone_holds_no_pane_and_a_missing_one_does(connection: Connection, keys: ShardKeys) -> None:
    """As for ``missing`` of a closed pane, five minutes decide."""
    now = server_ms(connection)
    connection.command("ZADD", keys.producers("ranker"), now - 300_001, TWO)
    report(connection, keys, ONE, now)
    assert ask(connection, keys, now)[2:] == ["1"]
    connection.command("ZADD", keys.producers("ranker"), now - 299_000, TWO)
    assert ask(connection, keys, now)[2:] == ["0"]


def test_without_instances_nothing_is_known(connection: Connection, keys: ShardKeys) -> None:
    """Nobody has said anything: the watermark decides."""
    assert ask(connection, keys, server_ms(connection))[2:] == ["0"]


def test_an_instance_that_does_not_say_so_has_not_shipped(connection: Connection, keys: ShardKeys) -> None:
    """Producers of earlier versions give one time, which may be of a clock that is ahead."""
    now = server_ms(connection)
    report(connection, keys, ONE, now)
    append(connection, keys, {}, instance=TWO, mode="heartbeat", seq=0, batches=0, through_ms=now)
    assert ask(connection, keys, now)[2:] == ["0"]


def test_events_are_dated_by_the_clock_that_is_behind(connection: Connection, keys: ShardKeys) -> None:
    """What such a host records now bears a time of a while ago: it has shipped by its own clock, not the server's."""
    now = server_ms(connection)
    report(connection, keys, ONE, now - 400, ahead_ms=-400)
    assert shipped_ms(connection, keys, ONE) == now - 400


def test_a_clock_that_is_ahead_declares_no_future(connection: Connection, keys: ShardKeys) -> None:
    """Nothing closes before its end by the server's clock."""
    now = server_ms(connection)
    report(connection, keys, ONE, now + 3_600_000, ahead_ms=3_600_000)
    declared = shipped_ms(connection, keys, ONE)
    assert declared is not None
    assert now <= declared <= server_ms(connection)


def test_a_goodbye_removes_what_was_declared(connection: Connection, keys: ShardKeys) -> None:
    """With the instance itself, so that the two lists stay equal."""
    now = server_ms(connection)
    report(connection, keys, ONE, now)
    report(connection, keys, ONE, now, mode="goodbye")
    assert shipped_ms(connection, keys, ONE) is None


def test_the_oldest_unfinished_and_the_newest_entry_are_told(connection: Connection, keys: ShardKeys) -> None:
    """What was shipped is in the stream up to the newest one."""
    ask(connection, keys)
    first, last = (as_text(connection.command("XADD", keys.events, "*", *flat)) for flat in (("a", "1"), ("a", "2")))
    assert ask(connection, keys) == [first, last]
    connection.command("XREADGROUP", "GROUP", AGGREGATOR_GROUP, "x", "STREAMS", keys.events, ">")
    connection.command("XACK", keys.events, AGGREGATOR_GROUP, first)
    assert ask(connection, keys) == [last, last]
    connection.command("XACK", keys.events, AGGREGATOR_GROUP, last)
    assert ask(connection, keys) == ["", last]


def test_a_key_of_another_type_is_no_declaration(connection: Connection, keys: ShardKeys) -> None:
    """Foreign data under one service's key holds that service alone."""
    connection.command("SET", keys.shipped("ranker"), "foreign")
    assert ask(connection, keys, 1_000)[2:] == ["0"]
