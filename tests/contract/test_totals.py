"""Totals of services and channels: they outlive the producers and workers that counted."""

import json

import pytest

from barograph_core.keyspace.keys import ShardKeys
from barograph_core.pipeline.reader import PipelineReader
from barograph_core.server.connection import Connection
from barograph_core.server.link import Value
from barograph_core.server.replies import as_hash, as_int, as_list
from tests.support import append

BATCH = {"v": "1", "n": "3"}
ONE, OTHER = "host:1:0000000000000001", "host:1:0000000000000002"


def beat(
    connection: Connection, keys: ShardKeys, stats: object, *, instance: str = ONE, mode: str = "heartbeat"
) -> None:
    text = stats if isinstance(stats, str) else json.dumps(stats)
    append(connection, keys, {}, instance=instance, seq=0, previous=0, mode=mode, batches=0, stats=text)


def totals(connection: Connection, keys: ShardKeys, service: str = "ranker") -> dict[str, int]:
    return {field: int(count) for field, count in as_hash(connection.command("HGETALL", keys.totals(service))).items()}


def test_what_producers_dropped_is_there_after_their_goodbye(connection: Connection, keys: ShardKeys) -> None:
    """Each reports its own counts since its start, again and again: the service has each event once."""
    for dropped in (2, 2, 5):
        beat(connection, keys, {"dropped": {"buffer_full": dropped}, "shared_names": 1})
    beat(connection, keys, {"dropped": {"buffer_full": 5, "closed": 3}, "shared_names": 1}, mode="goodbye")
    beat(connection, keys, {"dropped": {"buffer_full": 10}}, instance=OTHER)
    assert totals(connection, keys) == {"dropped:buffer_full": 15, "dropped:closed": 3, "shared_names": 1}
    assert 0 < as_int(connection.command("TTL", keys.totals("ranker"))) <= 90 * 86_400


def test_copies_that_report_under_one_name_do_not_add_up_without_end(connection: Connection, keys: ShardKeys) -> None:
    """Until one of them ships and takes another name, they report in turn."""
    for _ in range(5):
        beat(connection, keys, {"dropped": {"invalid": 4}})
        beat(connection, keys, {"dropped": {"invalid": 1}})
    assert totals(connection, keys) == {"dropped:invalid": 4}


def test_a_producer_that_took_a_new_name_reports_only_what_came_since(connection: Connection, keys: ShardKeys) -> None:
    beat(connection, keys, {"dropped": {"invalid": 4}})
    carried = {"dropped": {"invalid": 4}}
    beat(connection, keys, {"dropped": {"invalid": 6}, "carried": carried}, instance=OTHER)
    beat(connection, keys, {"dropped": {"invalid": 7}, "carried": carried}, instance=OTHER)
    assert totals(connection, keys) == {"dropped:invalid": 7}


@pytest.mark.parametrize(
    "stats",
    [
        "no JSON",
        "[]",
        "7",
        '{"dropped": 3}',
        '{"dropped": {"Bad Name": 3, "negative": -1, "text": "9", "huge": 1e300}}',
        '{"dropped": {"' + "a" * 33 + '": 3}}',
    ],
)
def test_statistics_that_are_none_add_nothing(connection: Connection, keys: ShardKeys, stats: str) -> None:
    """They come from outside; the sign of life counts nevertheless."""
    beat(connection, keys, stats)
    assert totals(connection, keys) == {}
    assert as_int(connection.command("ZCARD", keys.producers("ranker"))) == 1


def test_batches_refused_as_repeated_are_counted(connection: Connection, keys: ShardKeys) -> None:
    """Of a call that is here in part, the part."""
    append(connection, keys, BATCH, seq=1, batches=3)
    append(connection, keys, BATCH, seq=1, batches=3)
    append(connection, keys, BATCH, seq=3, batches=2)
    assert totals(connection, keys) == {"duplicates": 4}


def test_a_producer_of_an_earlier_version_is_served_without_totals(connection: Connection, keys: ShardKeys) -> None:
    """It names five keys."""
    names = [keys.events, keys.sequence(ONE), keys.producers("ranker"), keys.epoch, keys.producer(ONE)]
    stats = '{"dropped": {"invalid": 4}}'
    for _ in range(2):
        connection.call("baro_append_1", names, [0, ONE, 1, 0, "ranker", 0, "batch", stats, 1, "v", "1"])
    assert totals(connection, keys) == {}


def deliver(connection: Connection, keys: ShardKeys, channel: str, number: int, result: str) -> None:
    """Move an alert to the channel's outbox; record ``result`` for it, or suppress it at once."""
    group, alert, entry_id = f"notifier:{channel}", f"a{number}", f"{number}-0"
    connection.command("XADD", keys.alerts, entry_id, "alert_id", alert)
    if f"notifier:{channel}".encode() not in str(connection.command("XINFO", "GROUPS", keys.alerts)).encode():
        connection.command("XGROUP", "CREATE", keys.alerts, group, "0")
    connection.command("XREADGROUP", "GROUP", group, "mine", "STREAMS", keys.alerts, ">")
    items = keys.outbox_items(channel, alert)
    names = [keys.alerts, keys.outbox(channel), items, keys.deliveries, keys.channels]
    note: list[Value] = ["channel", channel, "result", result]
    item = "" if result == "suppressed" else "{}"
    args: list[Value] = [group, "mine", entry_id, alert, 1_000, item, 60_000]
    connection.call("baro_enqueue_1", names, [*args, *(note if result == "suppressed" else [])])
    if result in ("suppressed", "queued"):
        return
    lease = keys.lease(channel, alert)
    connection.command("SET", lease, "token")
    names = [keys.outbox(channel), items, keys.deliveries, lease, keys.dead, keys.cooldown(alert), keys.channels]
    args = ["token", alert, entry_id, result, 1_000, "{}", "{}", 60_000, 0, "", 60_000, "", 0]
    connection.call("baro_delivered_1", names, [*args, *note])


def test_a_channel_tells_what_waits_and_what_became_of_its_deliveries(connection: Connection, keys: ShardKeys) -> None:
    """A retried one waits on; age is that of the alert, not of the next attempt."""
    for number, result in enumerate(("sent", "suppressed", "dead", "retry", "queued"), 1):
        deliver(connection, keys, "hook", number, result)
    (channel,) = PipelineReader(connection, keys).read().channels
    assert (channel.name, channel.alerts, channel.waiting, channel.is_capped) == ("hook", 2, 2, False)
    assert channel.deliveries == {"sent": 1, "retry": 1, "held": 0, "dead": 1, "suppressed": 1}
    at_ms = PipelineReader(connection, keys).read().at_ms
    assert channel.oldest_ms == pytest.approx(at_ms - 4, abs=60_000)


def test_events_in_dead_letters_are_counted(connection: Connection, keys: ShardKeys) -> None:
    """An entry that does not say how many it holds is dead without a number of events."""
    for fields in (["n", "250"], ["n", "7"], ["n", "many"], ["x", "y"]):
        connection.command("XADD", keys.events, "*", *fields)
    connection.command("XGROUP", "CREATE", keys.events, "aggregator", "0")
    reply = connection.command("XREADGROUP", "GROUP", "aggregator", "mine", "STREAMS", keys.events, ">")
    for entry in as_list(as_list(as_list(reply)[0])[1]):
        names = [keys.events, keys.dead, keys.progress]
        connection.call("baro_dead_1", names, ["aggregator", "mine", as_list(entry)[0], "aggregator", "bad", 1])  # type: ignore[list-item]  # an id
    account = PipelineReader(connection, keys).read().account
    assert account is not None
    assert (account.dead, account.dead_counted, account.dead_events) == (4, 2, 257)


def test_open_revisions_are_told_by_service(connection: Connection, keys: ShardKeys) -> None:
    """Panes beyond what is closed are none: they close for the first time."""
    connection.command("HSET", keys.closed, "ranker", 10_000, "other", 10_000)
    connection.command("ZADD", keys.open, 8_000, "ranker:1000:7000", 10_000, "ranker:1000:9000")
    connection.command("ZADD", keys.open, 11_000, "ranker:1000:10000", 9_000, "foreign")
    found = {one.service: one.open_revisions for one in PipelineReader(connection, keys).read().services}
    assert found == {"ranker": 2, "other": 0}
