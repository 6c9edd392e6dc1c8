"""What any client may send to baro_append_1, and what somebody with redis-cli may have left in a hash or a stream."""

import pytest

from barograph_core.errors import CommandRefusedError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.link import Value
from barograph_core.server.replies import as_hash, as_int, as_list, as_text
from tests.support import append, stream_ids

INSTANCE = "host:1:0000000000000001"
BATCH: dict[str, Value] = {"v": "1", "kind": "request"}
GROUP = "aggregator"
LAST_ID = "18446744073709551615-18446744073709551615"


def append_as(connection: Connection, keys: ShardKeys, *, instance: bytes, service: str = "ranker") -> object:
    """Send a heartbeat under a name of any bytes."""
    names: list[Value] = [keys.events, keys.sequence("x"), keys.producers("x"), keys.epoch, keys.producer("x")]
    args: list[Value] = [0, instance, 0, 0, service, 0, "heartbeat", "", 0]
    return connection.command("FCALL", "baro_append_1", len(names), *names, *args)


@pytest.mark.parametrize(
    "instance", [b"", b"\xff\xfe", "höst:1:a".encode(), b"a b", b"a\x1b[2J", b"a\nb", b"x" * 257, b"\x7f"]
)
def test_an_instance_of_other_than_printable_ascii_is_refused(
    connection: Connection, keys: ShardKeys, instance: bytes
) -> None:
    """Its name is part of a key, and stands in every terminal and on every page."""
    with pytest.raises(CommandRefusedError, match="argument instance must be 1 to 256 printable ASCII"):
        append_as(connection, keys, instance=instance)
    assert connection.command("EXISTS", keys.sequence("x"), keys.producers("x"), keys.producer("x")) == 0


@pytest.mark.parametrize("service", ["", "a:1000:0", "a b", "ä", "x" * 65, "a{0}", "a\n"])
def test_a_service_that_no_producer_could_have_is_refused(
    connection: Connection, keys: ShardKeys, service: str
) -> None:
    """With a colon it would be another service's member in the lists of panes."""
    with pytest.raises(CommandRefusedError, match="argument service must be 1 to 64 of"):
        append_as(connection, keys, instance=b"h:1:a", service=service)


@pytest.mark.parametrize("stats", ["[" * 100_000, "nonsense", '"text"', '{"sent": "' + "x" * 65_536 + '"}'])
def test_statistics_that_are_no_object_or_too_long_are_not_stored(
    connection: Connection, keys: ShardKeys, stats: str
) -> None:
    """The producer is alive, whatever it says; what it said before stays."""
    append(connection, keys, {}, mode="heartbeat", stats='{"sent": 1}', seq=0, previous=0)
    assert append(connection, keys, {}, mode="heartbeat", stats=stats, seq=0, previous=0) == ["ok", ""]
    assert as_hash(connection.command("HGETALL", keys.producer(INSTANCE)))["stats"] == b'{"sent": 1}'


def test_totals_take_a_bounded_number_of_reasons(connection: Connection, keys: ShardKeys) -> None:
    """A producer that makes up new reasons in each heartbeat fills neither its service's totals nor /metrics."""
    letters = [chr(97 + i % 26) + chr(97 + i // 26) for i in range(200)]
    for first in range(0, len(letters), 20):
        dropped = ", ".join(f'"{reason}": 5' for reason in letters[first : first + 20])
        append(connection, keys, {}, mode="heartbeat", stats=f'{{"dropped": {{{dropped}}}}}', seq=0, previous=0)
    assert as_int(connection.command("HLEN", keys.totals("ranker"))) == 64
    append(connection, keys, {}, mode="heartbeat", stats='{"dropped": {"aa": 9}}', seq=0, previous=0)
    assert as_hash(connection.command("HGETALL", keys.totals("ranker")))["dropped:aa"] == b"9"


def test_an_entry_that_no_worker_would_decode_is_refused(connection: Connection, keys: ShardKeys) -> None:
    """Each look at the oldest entry copies it whole, 20 times a second: 130 ms of a blocked server for 64 MiB."""
    largest = {**BATCH, "data": b"x" * 1_048_576}
    assert append(connection, keys, largest)[0] == "ok"
    with pytest.raises(CommandRefusedError, match="a batch of 1065049 bytes is larger than 1064960"):
        append(connection, keys, {**BATCH, "data": b"x" * 1_065_032}, seq=2)
    with pytest.raises(CommandRefusedError, match="at most 32 fields"):
        append(connection, keys, {str(number): "x" for number in range(33)}, seq=2)
    assert len(stream_ids(connection, keys.events)) == 1


def read_all(connection: Connection, keys: ShardKeys) -> list[str]:
    """Make the aggregators' group, read all entries as ``me``, and return their ids."""
    connection.command("XGROUP", "CREATE", keys.events, GROUP, "0", "MKSTREAM")
    connection.command("XREADGROUP", "GROUP", GROUP, "me", "STREAMS", keys.events, ">")
    return [str(entry_id) for entry_id in stream_ids(connection, keys.events)]


def commit(connection: Connection, keys: ShardKeys, ids: list[str]) -> object:
    names = [keys.events, keys.open, keys.progress, keys.metrics, keys.parts("ranker", 0)]
    args: list[Value] = [GROUP, "me", 1_000, 1, 1, 60_000, len(ids), *ids, "ranker", 0, b"8 bytes.pane"]
    return connection.call("baro_commit_1", names, args)


@pytest.mark.parametrize("held", ["abc", "9223372036854775807", "1.5", ""])
def test_a_counter_that_somebody_garbled_begins_again(connection: Connection, keys: ShardKeys, held: str) -> None:
    """An error would come after the panes were written, and they would be written once more at each attempt."""
    append(connection, keys, BATCH)
    ids = read_all(connection, keys)
    connection.command("HSET", keys.progress, "committed", held, "advanced_ms", held)
    assert commit(connection, keys, ids) == [b"ok"]
    assert as_int(connection.command("HGET", keys.progress, "committed")) == 1
    reply = as_list(connection.call("baro_account_1", [keys.events, keys.progress], [GROUP, 10], read_only=True))
    assert as_int(reply[1]) == 1


def test_a_commit_to_a_metrics_stream_without_ids_left_writes_nothing(connection: Connection, keys: ShardKeys) -> None:
    """The error names the stream and the mend."""
    append(connection, keys, BATCH)
    ids = read_all(connection, keys)
    connection.command("XADD", keys.metrics, LAST_ID, "x", "y")
    with pytest.raises(CommandRefusedError, match="metrics has no ids left; rename it, and it begins again"):
        commit(connection, keys, ids)
    assert connection.command("EXISTS", keys.parts("ranker", 0), keys.open) == 0
    connection.command("RENAME", keys.metrics, f"{keys.metrics}-old")
    assert commit(connection, keys, ids) == [b"ok"]


def test_a_transition_to_an_alerts_stream_without_ids_left_writes_nothing(
    connection: Connection, keys: ShardKeys
) -> None:
    """State without its entry would be a firing that nobody hears of."""
    connection.command("XADD", keys.alerts, LAST_ID, "x", "y")
    names = [keys.state("ranker"), keys.metrics, keys.alerts, keys.quiet("a")]
    change: list[Value] = ["a", "{}", "announce", "error:60000:1", 0, 2, "to", "firing"]
    with pytest.raises(CommandRefusedError, match="alerts has no ids left"):
        connection.call("baro_transition_1", names, ["g", "c", "ranker", 0, "", "", "", 60_000, 0, *change])
    assert connection.command("EXISTS", keys.state("ranker"), keys.quiet("a")) == 0


def test_figures_without_a_size_are_replaced(connection: Connection, keys: ShardKeys) -> None:
    """A loop over records of no bytes would block the server for good."""
    block, mark = keys.panes("ranker", 10_000, 0), b"8 bytes."
    connection.command("HSET", block, '["request"]', b"\0\0\xffgarbage")
    connection.command("RPUSH", keys.rollup_parts("ranker", 10_000, 0), mark + b"pane")
    connection.command("ZADD", keys.rollups, 10_000, "ranker:10000:0")
    connection.command("HSET", keys.closed, "ranker", 20_000)
    names = [keys.open, keys.rollups, keys.closed, keys.producers("ranker"), keys.metrics, keys.progress, keys.heard]
    names += [
        keys.blocks("ranker"),
        keys.rollup_parts("ranker", 10_000, 0),
        block,
        keys.parts("x", 0),
        keys.parts("x", 1),
    ]
    pane: list[Value] = [10_000, 0, 0, mark, -1, 60_000, 0, 0, b"blob", "", 2, '["request"]', b"\0\0record"]
    reply = connection.call("baro_close_1", names, ["ranker", 1_000, 1_000, 60_000, 60_000, 0, mark, *pane])
    assert as_text(as_list(as_list(reply)[0])[0]) == "ok"
    assert connection.command("HGET", block, '["request"]') == b"\x08\0\xff\0\0record"


@pytest.mark.parametrize("held", ["abc", "5", "1-", "-", ""])
def test_an_id_that_somebody_garbled_counts_as_absent(connection: Connection, keys: ShardKeys, held: str) -> None:
    """What is known of finished entries is known again after the next one."""
    append(connection, keys, BATCH)
    append(connection, keys, BATCH, seq=2)
    first, second = read_all(connection, keys)
    fields = [f"finished:{GROUP}", held, f"ahead:{GROUP}", f"{held} {held}", "deleted", held, "deleted:ranker", held]
    connection.command("HSET", keys.progress, *fields, "last_seen", held)
    assert commit(connection, keys, [first]) == [b"ok"]
    names = [keys.events, keys.dead, keys.progress]
    assert as_list(connection.call("baro_dead_1", names, [GROUP, "me", second, "stage", "why", 1]))[0] == b"ok"
    assert connection.command("HGET", keys.progress, f"finished:{GROUP}") == second.encode()
