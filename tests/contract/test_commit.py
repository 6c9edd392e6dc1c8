"""baro_commit_1 and baro_dead_1: an effect is durable together with its acknowledgement, or not at all."""

import pytest

from barograph_core.errors import CommandRefusedError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.link import Reply, Value
from barograph_core.server.replies import as_hash, as_int, as_list, as_text
from tests.support import append, stream_ids

GROUP = "aggregator"


@pytest.fixture
def ids(connection: Connection, keys: ShardKeys) -> list[str]:
    """Return the ids of three entries that are pending for the consumer ``mine``."""
    for seq in (1, 2, 3):
        append(connection, keys, {"v": "1", "kind": "request"}, seq=seq)
    connection.command("XGROUP", "CREATE", keys.events, GROUP, "0")
    connection.command("XREADGROUP", "GROUP", GROUP, "mine", "STREAMS", keys.events, ">")
    return [str(entry_id) for entry_id in stream_ids(connection, keys.events)]


def commit(
    connection: Connection, keys: ShardKeys, consumer: str, ids: list[str], errors: int = 0, start: Value = 1_000
) -> list[str]:
    reply = connection.call(
        "baro_commit_1",
        [keys.events, keys.open, keys.progress, keys.metrics, keys.parts("ranker", 1_000)],
        [GROUP, consumer, 1_000, 7, errors, 3_600_000, len(ids), *ids, "ranker", start, b"part"],
    )
    return [as_text(item) for item in as_list(reply)]


def pending(connection: Connection, keys: ShardKeys) -> int:
    return as_int(as_list(connection.command("XPENDING", keys.events, GROUP))[0])


def parts(connection: Connection, keys: ShardKeys) -> Reply:
    return connection.command("LRANGE", keys.parts("ranker", 1_000), 0, -1)


def test_a_commit_pushes_parts_and_acknowledges(connection: Connection, keys: ShardKeys, ids: list[str]) -> None:
    """Parts, the open pane and the acknowledgement are one step."""
    assert commit(connection, keys, "mine", ids) == ["ok"]
    assert (pending(connection, keys), parts(connection, keys)) == (0, [b"part"])
    assert connection.command("ZRANGE", keys.open, 0, -1, "WITHSCORES") == [b"ranker:1000:1000", b"2000"]


def test_a_commit_after_a_claim_applies_nothing(connection: Connection, keys: ShardKeys, ids: list[str]) -> None:
    """A thawed worker whose entry was claimed meanwhile learns which one and leaves no trace."""
    connection.command("XCLAIM", keys.events, GROUP, "other", 0, ids[1])
    assert commit(connection, keys, "mine", ids) == ["lost", ids[1]]
    assert (pending(connection, keys), parts(connection, keys)) == (3, [])


def test_a_delayed_commit_of_the_same_count_is_refused(connection: Connection, keys: ShardKeys, ids: list[str]) -> None:
    """Ids are compared, not counted: as many newer entries are pending as the old commit names."""
    connection.command("XACK", keys.events, GROUP, *ids)
    for seq in (4, 5, 6):
        append(connection, keys, {"v": "1"}, seq=seq)
    connection.command("XREADGROUP", "GROUP", GROUP, "mine", "STREAMS", keys.events, ">")
    assert commit(connection, keys, "mine", ids) == ["lost", *ids]


def test_a_second_commit_of_the_same_entries_is_refused(
    connection: Connection, keys: ShardKeys, ids: list[str]
) -> None:
    """A commit whose reply was lost cannot count twice."""
    commit(connection, keys, "mine", ids)
    assert commit(connection, keys, "mine", ids) == ["lost", *ids]
    assert parts(connection, keys) == [b"part"]


def test_more_pending_entries_than_one_page_are_compared(connection: Connection, keys: ShardKeys) -> None:
    """XPENDING is read page by page."""
    for seq in range(1, 1_503):
        connection.command("XADD", keys.events, f"{seq}-0", "v", "1")
    connection.command("XGROUP", "CREATE", keys.events, GROUP, "0")
    connection.command("XREADGROUP", "GROUP", GROUP, "mine", "COUNT", 2_000, "STREAMS", keys.events, ">")
    assert commit(connection, keys, "mine", ["1-0", "1501-0"]) == ["ok"]
    assert commit(connection, keys, "mine", ["2-0", "1501-0"]) == ["lost", "1501-0"]


def test_hints_are_rare_unless_they_carry_errors(connection: Connection, keys: ShardKeys, ids: list[str]) -> None:
    """At most one ``advanced`` entry every 50 ms, but an error is announced at once."""
    commit(connection, keys, "mine", ids[:1])
    connection.command("HSET", keys.progress, "advanced_ms", 9_000_000_000_000)
    commit(connection, keys, "mine", ids[1:2])
    commit(connection, keys, "mine", ids[2:], errors=1)
    found = [as_list(as_list(item)[1]) for item in as_list(connection.command("XRANGE", keys.metrics, "-", "+"))]
    assert [fields[-1] for fields in found] == [b"0", b"1"]


def test_a_foreign_key_refuses_the_whole_commit(connection: Connection, keys: ShardKeys, ids: list[str]) -> None:
    """WRONGTYPE in the middle would leave half a commit: types are checked first."""
    connection.command("SET", keys.metrics, "foreign")
    with pytest.raises(CommandRefusedError, match="holds a string"):
        commit(connection, keys, "mine", ids)
    assert (pending(connection, keys), parts(connection, keys)) == (3, [])


def test_a_wrong_argument_refuses_the_whole_commit(connection: Connection, keys: ShardKeys, ids: list[str]) -> None:
    """As a foreign key does: before the first write."""
    with pytest.raises(CommandRefusedError, match="whole number"):
        commit(connection, keys, "mine", ids, start="soon")
    assert (pending(connection, keys), parts(connection, keys)) == (3, [])


def bury(connection: Connection, keys: ShardKeys, consumer: str, entry_id: str, reason: str = "reason") -> list[Reply]:
    args: list[Value] = [GROUP, consumer, entry_id, "aggregator", reason, 1]
    return as_list(connection.call("baro_dead_1", [keys.events, keys.dead, keys.progress], args))


def test_a_dead_entry_keeps_its_fields_and_reason(connection: Connection, keys: ShardKeys, ids: list[str]) -> None:
    """What cannot be processed is moved whole and acknowledged in one step."""
    status, dead_id = bury(connection, keys, "mine", ids[0], "unknown schema version '9'")
    entry = as_list(as_list(connection.command("XRANGE", keys.dead, as_text(dead_id), as_text(dead_id)))[0])
    fields = as_hash(entry[1])
    assert (status, pending(connection, keys)) == (b"ok", 2)
    assert (fields["dead_reason"], fields["dead_id"], fields["kind"]) == (
        b"unknown schema version '9'",
        ids[0].encode(),
        b"request",
    )


def test_an_entry_claimed_away_is_not_buried(connection: Connection, keys: ShardKeys, ids: list[str]) -> None:
    """Only the owner may give an entry up."""
    assert bury(connection, keys, "other", ids[0]) == [b"lost", ids[0].encode()]
    assert connection.command("EXISTS", keys.dead) == 0


@pytest.mark.parametrize(
    ("names", "size", "left_off"), [(5_000, 1, b"4900"), (3, 1_048_576, b"2")], ids=["many fields", "long fields"]
)
def test_a_foreign_entry_of_any_size_can_be_buried(
    connection: Connection, keys: ShardKeys, ids: list[str], names: int, size: int, left_off: bytes
) -> None:
    """One that cannot be would stay pending, and hold the watermark, for ever."""
    del ids
    flat = [item for number in range(names) for item in (f"f{number}", "x" * size)]
    entry_id = as_text(connection.command("XADD", keys.events, "*", *flat))
    connection.command("XREADGROUP", "GROUP", GROUP, "mine", "STREAMS", keys.events, ">")
    bury(connection, keys, "mine", entry_id)
    (entry,) = as_list(connection.command("XRANGE", keys.dead, "-", "+"))
    fields = as_hash(as_list(entry)[1])
    assert (fields["dead_id"], fields["f0"], fields["dead_left_off"]) == (entry_id.encode(), b"x" * size, left_off)
    assert pending(connection, keys) == 3


def test_only_consumers_that_hold_nothing_are_reaped(connection: Connection, keys: ShardKeys, ids: list[str]) -> None:
    """XGROUP DELCONSUMER would throw away what is pending."""
    del ids
    connection.command("XGROUP", "CREATECONSUMER", keys.events, GROUP, "idle")
    connection.command("XREADGROUP", "GROUP", GROUP, "idle", "STREAMS", keys.events, ">")
    assert as_list(connection.call("baro_reap_1", [keys.events], [GROUP, 3_600_000])) == []
    assert as_list(connection.call("baro_reap_1", [keys.events], [GROUP, -1])) == [b"idle"]
