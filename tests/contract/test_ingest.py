"""baro_ingest_1: each event once by its digest, a request once by its key, and nothing that looks like a producer."""

from typing import Final

import pytest

from barograph_core.errors import CommandRefusedError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection, read_now
from barograph_core.server.link import Reply, Value
from barograph_core.server.replies import as_entries, as_int, as_list

BATCH: Final = ("v", "1", "kind", "custom", "data", "x")
ONCE: Final = "0" * 32
LATENESS_MS: Final = 600_000
AHEAD_MS: Final = 60_000


def ingest(
    connection: Connection,
    keys: ShardKeys,
    *members: bytes,
    batches: int = 1,
    epoch: Value = 0,
    request: str = "ask",
    once_ms: Value = 0,
    age_ms: int = 0,
    counts: tuple[int, int] | None = None,
    most: Value = 100,
) -> list[Reply]:
    at_ms = read_now(connection) - age_ms
    names = [keys.events, keys.epoch, keys.progress, keys.ingested, keys.once(ONCE)]
    args: list[Value] = [epoch, request, once_ms, "1:0:0:0", at_ms, at_ms, LATENESS_MS, AHEAD_MS, most]
    args.append(0 if counts is None else 1)
    if counts is not None:
        names.append(keys.totals("web"))
        args += counts
    args += [len(members), *members, batches, *(BATCH * batches)]
    return as_list(connection.call("baro_ingest_1", names, args))


def length(connection: Connection, keys: ShardKeys) -> int:
    return as_int(connection.command("XLEN", keys.events))


def test_batches_are_appended_and_nothing_else_is_written(connection: Connection, keys: ShardKeys) -> None:
    """No producer is heard of: none is live, and none will be missing."""
    status, now_ms = ingest(connection, keys, batches=2)
    assert status == b"ok"
    assert abs(as_int(now_ms) - read_now(connection)) < 60_000
    assert [entry.fields[b"kind"] for entry in as_entries(connection.command("XRANGE", keys.events, "-", "+"))] == [
        b"custom",
        b"custom",
    ]
    assert as_list(connection.command("KEYS", f"{keys.prefix}:*")) == [keys.events.encode()]


def test_an_event_that_was_sent_before_is_told_and_nothing_is_written(connection: Connection, keys: ShardKeys) -> None:
    """The reply of the first call was lost."""
    assert ingest(connection, keys, b"a1", b"a2")[0] == b"ok"
    assert ingest(connection, keys, b"a3", b"a2", b"r1") == [b"known", b"-aa"]
    assert length(connection, keys) == 1
    assert ingest(connection, keys, b"a3")[0] == b"ok"
    assert length(connection, keys) == 2


def test_what_was_refused_before_is_not_counted_twice(connection: Connection, keys: ShardKeys) -> None:
    assert ingest(connection, keys, b"r1", batches=0, counts=(1, 2))[0] == b"ok"
    assert ingest(connection, keys, b"r1", b"r2", batches=0, counts=(2, 0)) == [b"known", b"r-"]
    # In time now, because it was too far ahead before.
    assert ingest(connection, keys, b"a1")[0] == b"ok"
    assert connection.command("HMGET", keys.totals("web"), "late", "future") == [b"1", b"2"]


def test_a_request_with_a_key_is_applied_once(connection: Connection, keys: ShardKeys) -> None:
    assert ingest(connection, keys, once_ms=60_000)[0] == b"ok"
    assert ingest(connection, keys, once_ms=60_000, age_ms=LATENESS_MS + 5_000) == [b"done", b"1:0:0:0"]
    assert ingest(connection, keys, once_ms=60_000, request="another") == [b"other"]
    assert length(connection, keys) == 1


@pytest.mark.parametrize("age_ms", [LATENESS_MS + 5_000, -AHEAD_MS - 5_000])
def test_events_of_another_time_are_told_and_nothing_is_written(
    connection: Connection, keys: ShardKeys, age_ms: int
) -> None:
    status, now_ms, lateness_ms = ingest(connection, keys, b"a1", age_ms=age_ms, once_ms=60_000)
    assert (status, as_int(lateness_ms)) == (b"time", LATENESS_MS)
    assert as_int(now_ms) > 0
    assert connection.command("EXISTS", keys.events, keys.ingested, keys.once(ONCE)) == 0


def test_the_lateness_that_aggregators_state_holds(connection: Connection, keys: ShardKeys) -> None:
    connection.command("HSET", keys.progress, "lateness_ms", 1_000)
    assert ingest(connection, keys, age_ms=5_000)[0] == b"time"
    connection.command("HSET", keys.progress, "lateness_ms", "garbled")
    assert ingest(connection, keys, age_ms=5_000)[0] == b"ok"


def test_under_another_layout_nothing_is_written(connection: Connection, keys: ShardKeys) -> None:
    connection.command("SET", keys.epoch, 3)
    assert ingest(connection, keys, b"a1", once_ms=60_000) == [b"stale", b"3"]
    assert connection.command("EXISTS", keys.events, keys.ingested) == 0
    assert ingest(connection, keys, epoch=3)[0] == b"ok"


def test_there_is_a_bound_on_digests_and_what_is_forgotten_is_counted(connection: Connection, keys: ShardKeys) -> None:
    for number in range(5):
        ingest(connection, keys, b"a%d" % number, most=3)
    assert as_int(connection.command("ZCARD", keys.ingested)) == 3
    assert connection.command("HGET", keys.progress, "ingest_forgotten") == b"2"
    assert ingest(connection, keys, b"a4", b"a0") == [b"known", b"a-"]


def test_digests_past_their_time_go(connection: Connection, keys: ShardKeys) -> None:
    """What comes again after that is late by its own time."""
    now_ms = read_now(connection)
    connection.command("ZADD", keys.ingested, now_ms - LATENESS_MS - AHEAD_MS - 5_000, "aold", now_ms - 1_000, "anew")
    assert ingest(connection, keys, b"a1")[0] == b"ok"
    assert connection.command("ZRANGE", keys.ingested, 0, -1) == [b"anew", b"a1"]
    assert connection.command("HEXISTS", keys.progress, "ingest_forgotten") == 0
    assert 0 < as_int(connection.command("PTTL", keys.ingested)) <= LATENESS_MS + AHEAD_MS


def test_behind_an_id_from_the_future_entries_say_when_they_arrived(connection: Connection, keys: ShardKeys) -> None:
    connection.command("XADD", keys.events, f"{read_now(connection) + 3_600_000}-0", "kind", "custom")
    ingest(connection, keys)
    newest = as_entries(connection.command("XREVRANGE", keys.events, "+", "-", "COUNT", 1))[0]
    assert abs(newest.integer("at_ms") - read_now(connection)) < 60_000


def test_thousands_of_events_are_asked_for_in_one_call(connection: Connection, keys: ShardKeys) -> None:
    members = [b"a%05d" % number for number in range(5_000)]
    assert ingest(connection, keys, *members, most=10_000)[0] == b"ok"
    assert ingest(connection, keys, *members, most=10_000) == [b"known", b"a" * 5_000]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"once_ms": "soon"}, "once_ms must be a whole number"),
        ({"most": "1e9"}, "most must be a whole number"),
        ({"batches": 3_000}, "batches must be at most"),
        ({"counts": ("x", 0)}, "late, early must be a whole number"),
    ],
)
def test_what_is_no_call_is_refused_before_anything_is_written(
    connection: Connection, keys: ShardKeys, options: dict[str, object], reason: str
) -> None:
    with pytest.raises(CommandRefusedError, match=reason):
        ingest(connection, keys, b"a1", **options)  # type: ignore[arg-type]  # wrong on purpose
    assert as_list(connection.command("KEYS", f"{keys.prefix}:*")) == []


@pytest.mark.parametrize("member", [b"", b"a", b"x1", b"a" * 40])
def test_a_member_that_is_no_digest_is_refused(connection: Connection, keys: ShardKeys, member: bytes) -> None:
    with pytest.raises(CommandRefusedError, match="no digest"):
        ingest(connection, keys, member)


@pytest.mark.parametrize("name", ["events", "progress", "ingested"])
def test_a_key_of_another_type_is_named(connection: Connection, keys: ShardKeys, name: str) -> None:
    connection.command("SET", getattr(keys, name), "text")
    with pytest.raises(CommandRefusedError, match="holds a string"):
        ingest(connection, keys, b"a1")
