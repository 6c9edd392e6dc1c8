"""Producers' clocks that are wrong: what is believed of them is bounded."""

from barograph_core.keyspace.keys import ShardKeys
from barograph_core.pipeline.reader import PipelineReader
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_int, as_list, as_text
from tests.support import append

INSTANCE = "host:1:0000000000000001"


def now_ms(connection: Connection) -> int:
    seconds, micros = map(as_int, as_list(connection.command("TIME")))
    return seconds * 1_000 + micros // 1_000


def through_ms(connection: Connection, keys: ShardKeys) -> int:
    return int(float(as_text(connection.command("ZSCORE", keys.producers("ranker"), INSTANCE))))


def test_a_clock_that_runs_ahead_is_believed_for_five_seconds(connection: Connection, keys: ShardKeys) -> None:
    """Else its producer's death would go unseen for as long as the clock was wrong."""
    now = now_ms(connection)
    append(connection, keys, {}, mode="heartbeat", seq=0, through_ms=now + 3_600_000)
    assert now + 5_000 <= through_ms(connection, keys) <= now_ms(connection) + 5_000


def test_a_clock_a_little_ahead_is_taken_at_its_word(connection: Connection, keys: ShardKeys) -> None:
    """Cut to the server's time it would look missing from each second's pane until its next report."""
    now = now_ms(connection)
    append(connection, keys, {}, mode="heartbeat", seq=0, through_ms=now + 2_000)
    assert through_ms(connection, keys) == now + 2_000


def test_the_status_tells_how_far_ahead_a_clock_runs(real: Connection, keys: ShardKeys) -> None:
    """By instance, from the producer's own time beside the server's, though no more than five seconds are believed."""
    real.command("HSET", keys.closed, "ranker", 1)
    append(real, keys, {}, mode="heartbeat", seq=0, through_ms=now_ms(real) + 3_600_000)
    (producer,) = PipelineReader(real, keys).read().producers
    assert 3_590_000 < producer.ahead_ms <= 3_600_000


def test_a_right_clock_is_not_reported(real: Connection, keys: ShardKeys) -> None:
    """Delay makes every report a little old."""
    real.command("HSET", keys.closed, "ranker", 1)
    append(real, keys, {}, mode="heartbeat", seq=0, through_ms=now_ms(real) - 10)
    (producer,) = PipelineReader(real, keys).read().producers
    assert producer.ahead_ms == 0
