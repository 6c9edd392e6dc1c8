"""Between a producer and a real server: cut, half-open and slow connections, a server that is away."""

import logging
import random

import pytest

from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from tests.integration.producer.proxy import FaultyProxy
from tests.integration.producer.reading import durations, producers
from tests.integration.producer.recording import numbers, producer_through, record, trouble
from tests.support import wait_until


def test_a_batch_whose_reply_is_lost_is_counted_once(proxy: FaultyProxy, real: Connection, keys: ShardKeys) -> None:
    """The connection is reset between the command and its reply: the batch lies there, and only once."""
    producer = producer_through(proxy, keys)
    record(producer, 0, 10)
    assert producer.flush()
    losses = iter([0])
    proxy.cut_reply = lambda chunk: next(losses, None) if b"ok" in chunk else None
    record(producer, 10, 500)
    wait_until(lambda: producer.flush(1.0), what="the flush")
    assert producer.close()
    assert proxy.cuts == 1
    assert durations(real, keys) == numbers(0, 500)


def resets(proxy: FaultyProxy, real: Connection, keys: ShardKeys, *, at_least: int) -> None:
    """Record until so many connections were reset, at random bytes of commands and of replies."""
    producer = producer_through(proxy, keys, ship_every_ms=5)
    dice = random.Random(20_260_801)

    def cut(chunk: bytes) -> int | None:
        return dice.randrange(len(chunk) + 1) if dice.random() < 0.3 else None

    proxy.cut_command = proxy.cut_reply = cut
    recorded = 0
    while proxy.cuts < at_least:
        record(producer, recorded, recorded + 40)
        recorded += 40
        producer.flush(0.01)
    proxy.cut_command = proxy.cut_reply = lambda _: None
    wait_until(lambda: producer.flush(1.0), what="the flush")
    assert producer.close()
    assert durations(real, keys) == numbers(0, recorded)
    stats = producer.stats()
    assert (stats.recorded, stats.shipped, stats.lost) == (recorded, recorded, 0)


def test_connections_reset_at_random_bytes_lose_and_double_nothing(
    proxy: FaultyProxy, real: Connection, keys: ShardKeys, caplog: pytest.LogCaptureFixture
) -> None:
    """Wherever a command or its reply is cut, every event lies on the stream once, and in order.

    The host's log gets one line about the trouble and one about its end, however often it comes and goes.
    """
    caplog.set_level(logging.INFO, "barograph_producer")
    resets(proxy, real, keys, at_least=100)
    assert sorted(entry.message for entry in caplog.records) == ["producer.cannot_ship", "producer.recovered"]


@pytest.mark.chaos
def test_a_thousand_resets_lose_and_double_nothing(proxy: FaultyProxy, real: Connection, keys: ShardKeys) -> None:
    """The same, ten times as often."""
    resets(proxy, real, keys, at_least=1_000)


def test_a_server_that_is_absent_at_the_start_is_found_later(
    valkey_url: str, real: Connection, keys: ShardKeys
) -> None:
    """The host runs on, the events wait, and none is lost."""
    proxy = FaultyProxy(valkey_url)
    producer = producer_through(proxy, keys)
    record(producer, 0, 100)
    assert not producer.flush(0.1)
    stats = producer.stats()
    assert (stats.recorded, stats.buffered, stats.lost) == (100, 100, 0)
    assert trouble(producer) == "unreachable"
    with proxy:
        wait_until(lambda: producer.stats().shipped == 100, what="the shipping")
        assert producer.close()
    assert durations(real, keys) == numbers(0, 100)


def test_a_server_that_goes_and_returns_costs_no_event(valkey_url: str, real: Connection, keys: ShardKeys) -> None:
    """What is recorded while it is away waits."""
    proxy = FaultyProxy(valkey_url)
    with proxy:
        producer = producer_through(proxy, keys, ship_every_ms=10)
        record(producer, 0, 100)
        assert producer.flush()
    record(producer, 100, 5_000)
    assert not producer.flush(0.1)
    with proxy:
        wait_until(lambda: producer.stats().shipped == 5_000, what="the shipping")
        assert producer.close()
    assert durations(real, keys) == numbers(0, 5_000)


def test_what_the_bound_cannot_hold_is_counted_exactly(valkey_url: str, real: Connection, keys: ShardKeys) -> None:
    """The newest are dropped, and the counter is exactly what is missing on the stream."""
    proxy = FaultyProxy(valkey_url)
    with proxy:
        producer = producer_through(proxy, keys, ship_every_ms=5, max_events=1_000, max_backlog_bytes=10_000)
        record(producer, 0, 100)
        assert producer.flush()
    recorded = 100
    while producer.stats().dropped["buffer_full"] < 500:
        record(producer, recorded, recorded + 100)
        recorded += 100
        producer.flush(0.02)
    with proxy:
        wait_until(lambda: producer.stats().buffered == 0, what="the shipping")
        assert producer.close()
    stats = producer.stats()
    shipped = durations(real, keys)
    assert len(set(shipped)) == len(shipped) == stats.shipped
    assert stats.dropped["buffer_full"] == stats.lost == recorded - len(shipped)


def test_a_server_that_answers_slowly_costs_no_event(proxy: FaultyProxy, real: Connection, keys: ShardKeys) -> None:
    """Half a second for each reply is below the timeout: nothing is offered twice, nothing is dropped."""
    producer = producer_through(proxy, keys)
    record(producer, 0, 10)
    assert producer.flush()
    proxy.reply_delay_s = 0.5
    record(producer, 10, 1_500)
    assert producer.flush(10)
    assert producer.stats().last_error is None
    proxy.reply_delay_s = 0.0
    assert producer.close(5)
    assert durations(real, keys) == numbers(0, 1_500)


def test_a_close_before_a_slow_server_ships_what_there_is_time_for(
    proxy: FaultyProxy, real: Connection, keys: ShardKeys
) -> None:
    """No batch is begun after the bound; what is left is counted, and nothing of it arrives later."""
    producer = producer_through(proxy, keys)
    record(producer, 0, 10)
    assert producer.flush()
    proxy.reply_delay_s = 0.2
    record(producer, 10, 30_010)
    assert not producer.close(0.3)
    wait_until(lambda: producer.stats().buffered == 0, what="the end")
    stats = producer.stats()
    assert stats.shipped + stats.dropped["closed"] == stats.recorded == 30_010
    assert durations(real, keys) == numbers(0, stats.shipped)
    assert 10 < stats.shipped < 30_010
    assert producers(real, keys) == 0


def test_replies_later_than_the_timeout_double_nothing(proxy: FaultyProxy, real: Connection, keys: ShardKeys) -> None:
    """Each batch lands, each reply comes too late: the batch is offered again, and taken once."""
    producer = producer_through(proxy, keys, socket_timeout_s=0.1)
    record(producer, 0, 10)
    assert producer.flush()
    proxy.reply_delay_s = 0.3
    record(producer, 10, 30)
    assert not producer.flush(0.5)
    assert trouble(producer) == "timeout"
    proxy.reply_delay_s = 0.0
    wait_until(lambda: producer.flush(1.0), what="the flush")
    assert producer.close()
    assert durations(real, keys) == numbers(0, 30)


def test_a_half_open_connection_is_given_up_and_costs_no_event(
    proxy: FaultyProxy, real: Connection, keys: ShardKeys
) -> None:
    """Everything sent is swallowed and nothing is closed: the reply times out, a new connection takes over."""
    producer = producer_through(proxy, keys, socket_timeout_s=0.2)
    record(producer, 0, 100)
    assert producer.flush()
    proxy.is_silent = True
    record(producer, 100, 200)
    assert not producer.flush(0.5)
    record(producer, 200, 300)
    assert trouble(producer) == "timeout"
    assert producer.stats().buffered == 200
    proxy.is_silent = False
    wait_until(lambda: producer.stats().shipped == 300, what="the shipping")
    assert producer.close()
    assert durations(real, keys) == numbers(0, 300)
    assert producers(real, keys) == 0
