"""baro_append_1: a batch counts once, whatever is sent twice."""

import pytest

from barograph_core.errors import CommandRefusedError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection, read_now
from barograph_core.server.replies import as_hash, as_int, as_text
from tests.support import append, stream_ids

BATCH = {"v": "1", "kind": "request"}
INSTANCE = "host:1:0000000000000001"


def test_the_next_sequence_number_is_accepted(connection: Connection, keys: ShardKeys) -> None:
    """A batch that follows the last one becomes an entry."""
    status, entry_id = append(connection, keys, BATCH, seq=1)
    assert (status, [str(found) for found in stream_ids(connection, keys.events)]) == ("ok", [entry_id])


def test_a_batch_sent_twice_is_one_entry(connection: Connection, keys: ShardKeys) -> None:
    """A producer that lost the reply may send again."""
    append(connection, keys, BATCH, seq=1)
    assert append(connection, keys, BATCH, seq=1) == ["dup", "1"]
    assert len(stream_ids(connection, keys.events)) == 1


def test_a_gap_is_refused_and_names_the_last_number(connection: Connection, keys: ShardKeys) -> None:
    """Nothing is skipped in silence."""
    append(connection, keys, BATCH, seq=1)
    assert append(connection, keys, BATCH, seq=3) == ["gap", "1"]


def test_several_batches_take_consecutive_numbers(connection: Connection, keys: ShardKeys) -> None:
    """A backlog goes out in few round trips; the reply names the newest entry."""
    status, newest = append(connection, keys, BATCH, seq=1, batches=3)
    assert (status, len(stream_ids(connection, keys.events))) == ("ok", 3)
    assert newest == str(stream_ids(connection, keys.events)[-1])
    assert append(connection, keys, BATCH, seq=3) == ["dup", "3"]
    assert append(connection, keys, BATCH, seq=4)[0] == "ok"


def test_batches_that_are_here_in_part_are_not_appended(connection: Connection, keys: ShardKeys) -> None:
    """The producer goes on behind what is here; until then nothing claims that the rest is here as well."""
    append(connection, keys, BATCH, seq=1, batches=2, through_ms=1_000)
    assert append(connection, keys, BATCH, seq=2, batches=3, through_ms=9_000) == ["dup", "2"]
    assert len(stream_ids(connection, keys.events)) == 2
    assert as_int(connection.command("ZSCORE", keys.producers("ranker"), INSTANCE)) == 1_000
    assert append(connection, keys, BATCH, seq=1, batches=2, through_ms=2_000) == ["dup", "2"]
    assert as_int(connection.command("ZSCORE", keys.producers("ranker"), INSTANCE)) == 2_000


@pytest.mark.parametrize("batches", [0, 3, 65])
def test_fields_that_do_not_divide_by_the_batches_are_refused(
    connection: Connection, keys: ShardKeys, batches: int
) -> None:
    """Nothing is written of a call that cannot be read."""
    call_keys = [
        keys.events,
        keys.sequence(INSTANCE),
        keys.producers("ranker"),
        keys.epoch,
        keys.producer(INSTANCE),
    ]
    fields = ["v", "1", "kind", "request"] * 2
    with pytest.raises(CommandRefusedError, match="batch"):
        connection.call("baro_append_1", call_keys, [0, INSTANCE, 1, 0, "ranker", 0, "batch", "", batches, *fields])
    assert connection.command("EXISTS", keys.events, keys.sequence(INSTANCE)) == 0


def test_a_declared_loss_is_accepted(connection: Connection, keys: ShardKeys) -> None:
    """A producer that cannot refill the gap names the number it goes on from."""
    append(connection, keys, BATCH, seq=1)
    assert append(connection, keys, BATCH, seq=5, previous=1)[0] == "ok"
    assert append(connection, keys, BATCH, seq=6)[0] == "ok"


def test_a_stale_epoch_is_refused(connection: Connection, keys: ShardKeys) -> None:
    """After the layout changed, a producer must look where its service lives now."""
    connection.command("SET", keys.epoch, "3")
    assert append(connection, keys, BATCH, seq=1, epoch=2) == ["stale", "3"]
    assert stream_ids(connection, keys.events) == []


def test_a_heartbeat_moves_through_ms_and_never_back(connection: Connection, keys: ShardKeys) -> None:
    """What a producer has shipped stays shipped."""
    append(connection, keys, {}, mode="heartbeat", seq=0, through_ms=5_000)
    append(connection, keys, {}, mode="heartbeat", seq=0, through_ms=4_000)
    assert as_int(connection.command("ZSCORE", keys.producers("ranker"), INSTANCE)) == 5_000


def test_a_goodbye_takes_the_producer_off_the_list(connection: Connection, keys: ShardKeys) -> None:
    """One that said goodbye is never missing."""
    append(connection, keys, BATCH, seq=1, through_ms=5_000)
    append(connection, keys, {}, mode="goodbye", seq=0, through_ms=6_000)
    assert connection.command("ZCARD", keys.producers("ranker")) == 0
    assert as_hash(connection.command("HGETALL", keys.producer(INSTANCE)))["state"] == b"goodbye"


def test_a_key_of_another_type_refuses_before_the_first_write(connection: Connection, keys: ShardKeys) -> None:
    """A function that fails half-way is not rolled back, so everything is checked first."""
    connection.command("SET", keys.producers("ranker"), "foreign")
    with pytest.raises(CommandRefusedError, match="holds a string"):
        append(connection, keys, BATCH, seq=1)
    assert connection.command("EXISTS", keys.events, keys.sequence(INSTANCE)) == 0


@pytest.mark.parametrize("ahead_ms", [0, 400, -400, 3_600_000, -3_600_000])
def test_how_far_a_producer_has_shipped_is_noted_by_the_servers_clock(
    connection: Connection, keys: ShardKeys, ahead_ms: int
) -> None:
    """Two seconds behind is two seconds behind, whatever its own clock says; the difference of the clocks is kept."""
    now_ms = read_now(connection)
    own_ms = now_ms + ahead_ms
    append(connection, keys, {}, mode="heartbeat", seq=0, through_ms=f"{own_ms - 2_000}:{own_ms}")
    noted = float(as_text(connection.command("ZSCORE", keys.producers("ranker"), INSTANCE)))
    assert now_ms - 2_000 <= noted <= now_ms + 3_000
    stated = as_int(connection.command("HGET", keys.producer(INSTANCE), "ahead_ms"))
    assert ahead_ms - 5_000 <= stated <= ahead_ms


@pytest.mark.parametrize("through_ms", ["nan", "0x10", " 5", "", "1" * 17, "5:", ":5", "5:nan", "5:6:7"])
def test_a_wrong_number_refuses_before_the_first_write(
    connection: Connection, keys: ShardKeys, through_ms: str
) -> None:
    """Lua takes for a number what ZADD refuses after the batch has been added."""
    with pytest.raises(CommandRefusedError, match="whole number"):
        append(connection, keys, BATCH, seq=1, through_ms=through_ms)
    assert connection.command("EXISTS", keys.events, keys.sequence(INSTANCE)) == 0


def test_instances_that_never_said_goodbye_are_pushed_out(connection: Connection, keys: ShardKeys) -> None:
    """Each killed process leaves one behind: those silent longest go first."""
    dead = [item for number in range(10_001) for item in (number, f"host:9:{number:016x}")]
    connection.command("ZADD", keys.producers("ranker"), *dead)
    append(connection, keys, {}, mode="heartbeat", seq=0, through_ms=99_000)
    assert connection.command("ZCOUNT", keys.producers("ranker"), "-inf", 0) == 0
    assert connection.command("ZCARD", keys.producers("ranker")) == 10_001


def test_a_batch_without_fields_is_refused(connection: Connection, keys: ShardKeys) -> None:
    """An entry must say what it is."""
    with pytest.raises(CommandRefusedError, match="pairs of fields"):
        append(connection, keys, {}, seq=1)


@pytest.mark.parametrize("mode", ["heartbeat", "goodbye"])
def test_a_sign_of_life_that_names_more_than_is_known_is_a_gap(
    mode: str, connection: Connection, keys: ShardKeys
) -> None:
    """A failover that lost confirmed batches shows at once, and nothing is claimed to be complete meanwhile."""
    append(connection, keys, BATCH, seq=1, through_ms=1_000)
    assert append(connection, keys, {}, mode=mode, seq=0, previous=3, through_ms=5_000) == ["gap", "1"]
    assert as_int(connection.command("ZSCORE", keys.producers("ranker"), INSTANCE)) == 1_000


@pytest.mark.parametrize("mode", ["heartbeat", "goodbye"])
def test_a_sign_of_life_that_names_what_is_known_is_taken(mode: str, connection: Connection, keys: ShardKeys) -> None:
    """In doubt about a batch that landed, a producer names less than the server has."""
    append(connection, keys, BATCH, seq=1)
    append(connection, keys, BATCH, seq=2)
    assert append(connection, keys, {}, mode=mode, seq=0, previous=1, through_ms=5_000) == ["ok", ""]


def forget(connection: Connection, keys: ShardKeys) -> None:
    """Drop the sequence, as a server with an evicting policy may."""
    assert connection.command("DEL", keys.sequence(INSTANCE)) == 1


def test_a_listed_instance_that_was_forgotten_goes_on(connection: Connection, keys: ShardKeys) -> None:
    """Taken for a failover, its producer would send the last seconds once more, and they would count twice."""
    append(connection, keys, BATCH, seq=1, batches=2)
    forget(connection, keys)
    assert append(connection, keys, BATCH, seq=3)[0] == "ok"
    assert connection.command("GET", keys.sequence(INSTANCE)) == b"3"


def test_a_batch_in_doubt_of_a_forgotten_instance_is_known(connection: Connection, keys: ShardKeys) -> None:
    """Its reply was lost: the stream says that it has arrived."""
    fields = [{**BATCH, "instance": INSTANCE, "seq": str(seq)} for seq in (1, 2)]
    for seq, batch in enumerate(fields, start=1):
        append(connection, keys, batch, seq=seq)
    append(connection, keys, {**BATCH, "instance": "another", "seq": "7"}, seq=7, previous=0, instance="another")
    forget(connection, keys)
    assert append(connection, keys, fields[1], seq=2) == ["dup", "2"]
    assert len(stream_ids(connection, keys.events)) == 3


def test_a_heartbeat_of_a_forgotten_instance_is_no_gap(connection: Connection, keys: ShardKeys) -> None:
    """The same holds when nothing waits to be sent."""
    append(connection, keys, BATCH, seq=1, batches=3)
    forget(connection, keys)
    assert append(connection, keys, {}, mode="heartbeat", seq=0, previous=3) == ["ok", ""]
    assert append(connection, keys, BATCH, seq=4)[0] == "ok"


def test_an_instance_whose_batches_a_failover_lost_is_not_taken_for_a_forgotten_one(
    connection: Connection, keys: ShardKeys
) -> None:
    """The new master knows it from its first heartbeat, and has none of its batches."""
    append(connection, keys, {}, mode="heartbeat", seq=0, previous=0)
    assert append(connection, keys, BATCH, seq=3) == ["gap", "0"]


def test_an_instance_that_is_not_listed_is_a_new_one(connection: Connection, keys: ShardKeys) -> None:
    """A master that has nothing of it: a failover lost all, and its producer sends again what it kept."""
    assert append(connection, keys, BATCH, seq=3) == ["gap", "0"]
