"""Between a producer and a real server: lost replies, cut connections, a server that is away."""

import random
from collections.abc import Iterator

import pytest

from barograph_core.keys import ShardKeys
from barograph_core.stream import Connection
from barograph_producer import Producer
from tests.integration.producer.proxy import FaultyProxy
from tests.integration.producer.reading import batches, durations, producers
from tests.support import valkey_server, wait_until


@pytest.fixture
def proxy(valkey_url: str) -> Iterator[FaultyProxy]:
    with FaultyProxy(valkey_url) as running:
        yield running


def producer_through(proxy: FaultyProxy, keys: ShardKeys, **settings: float) -> Producer:
    return Producer("ranker", proxy.url, prefix=keys.prefix, sample_process=False, **settings)  # type: ignore[arg-type]


def record(producer: Producer, first: int, last: int) -> None:
    for i in range(first, last):
        producer.request("/predict", "POST", 200, float(i))


def test_a_batch_whose_reply_is_lost_is_counted_once(proxy: FaultyProxy, real: Connection, keys: ShardKeys) -> None:
    """The connection is reset between the command and its reply: the batch lies there, and only once."""
    producer = producer_through(proxy, keys)
    record(producer, 0, 10)
    assert producer.flush()
    losses = iter([0])
    proxy.cut_reply = lambda chunk: next(losses, None) if b"ok" in chunk else None
    record(producer, 10, 500)
    wait_until(lambda: producer.flush(1.0), what="the flush")
    producer.close()
    assert proxy.cuts == 1
    assert durations(real, keys) == [float(i) for i in range(500)]


def test_connections_cut_at_random_bytes_lose_and_double_nothing(
    proxy: FaultyProxy, real: Connection, keys: ShardKeys
) -> None:
    producer = producer_through(proxy, keys, ship_every_ms=5)
    dice = random.Random(20_260_801)
    proxy.cut_reply = lambda chunk: dice.randrange(len(chunk)) if dice.random() < 0.4 else None
    for i in range(0, 4_000, 40):
        record(producer, i, i + 40)
        producer.flush(0.01)
    wait_until(lambda: producer.flush(0.5), timeout_s=60, what="the flush")
    proxy.cut_reply = lambda _: None
    assert producer.close(10)
    assert proxy.cuts >= 20
    assert durations(real, keys) == [float(i) for i in range(4_000)]
    assert producer.stats().shipped == 4_000


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
    assert stats.last_error is not None
    with proxy:
        wait_until(lambda: producer.stats().shipped == 100, what="the shipping")
        producer.close()
    assert durations(real, keys) == [float(i) for i in range(100)]


def test_a_server_that_goes_and_returns_costs_no_event(valkey_url: str, real: Connection, keys: ShardKeys) -> None:
    proxy = FaultyProxy(valkey_url)
    with proxy:
        producer = producer_through(proxy, keys, ship_every_ms=10)
        record(producer, 0, 100)
        assert producer.flush()
    record(producer, 100, 5_000)
    assert not producer.flush(0.1)
    with proxy:
        wait_until(lambda: producer.stats().shipped == 5_000, what="the shipping")
        producer.close()
    assert sorted(durations(real, keys)) == [float(i) for i in range(5_000)]


def test_a_server_without_the_library_is_reported_and_waited_for() -> None:
    """A producer never loads code into a server: it buffers and says what is missing."""
    from barograph_core.library import ensure_library

    with valkey_server() as url:
        producer = Producer("ranker", url, sample_process=False)
        producer.request("/predict", "POST", 200, 1.0)
        assert not producer.flush(0.2)
        assert (producer.stats().last_error or "").startswith("no_library")
        connection = Connection.open(url)
        ensure_library(connection)
        wait_until(lambda: producer.stats().shipped == 1, what="the shipping")
        producer.close()
        connection.close()


def test_a_full_server_refuses_and_nothing_is_lost(keys: ShardKeys) -> None:
    """With ``maxmemory`` and ``noeviction`` an append is refused; events wait until there is room."""
    from barograph_core.library import ensure_library

    with valkey_server() as url:
        connection = Connection.open(url)
        ensure_library(connection)
        connection.command("CONFIG", "SET", "maxmemory-policy", "noeviction")
        connection.command("CONFIG", "SET", "maxmemory", "1")
        producer = Producer("ranker", url, prefix=keys.prefix, sample_process=False)
        record(producer, 0, 10)
        assert not producer.flush(0.2)
        assert (producer.stats().last_error or "").startswith("out_of_memory")
        connection.command("CONFIG", "SET", "maxmemory", "0")
        wait_until(lambda: producer.stats().shipped == 10, what="the shipping")
        producer.close()
        connection.close()


def test_a_wrong_password_is_never_raised_into_the_host(valkey_url: str, keys: ShardKeys) -> None:
    url = valkey_url.replace("redis://", "redis://nobody:wrong@")
    producer = Producer("ranker", url, prefix=keys.prefix, sample_process=False)
    record(producer, 0, 10)
    assert not producer.flush(0.2)
    assert (producer.stats().last_error or "").startswith("authentication")
    assert "wrong@" not in (producer.stats().last_error or "")
    assert not producer.close(0.1)
    assert producer.stats().dropped["closed"] == 10


def test_goodbye_removes_the_instance(valkey_url: str, real: Connection, keys: ShardKeys) -> None:
    """A producer that said goodbye is not missing from any later pane; one that is idle claims each second."""
    producer = Producer("ranker", valkey_url, prefix=keys.prefix, sample_process=False)
    producer.start()
    wait_until(lambda: producers(real, keys) == 1, what="the heartbeat")
    score = real.command("ZSCORE", keys.producers("ranker"), producer.stats().instance)
    wait_until(
        lambda: real.command("ZSCORE", keys.producers("ranker"), producer.stats().instance) != score,
        timeout_s=3,
        what="the next heartbeat",
    )
    assert producer.close()
    assert producers(real, keys) == 0
    assert real.command("HGET", keys.producer(producer.stats().instance), "state") == b"goodbye"


def test_the_process_is_sampled(valkey_url: str, real: Connection, keys: ShardKeys) -> None:
    """An idle service still tells its memory, CPU and threads."""
    producer = Producer("ranker", valkey_url, prefix=keys.prefix, sample_every_ms=100)
    producer.start()
    wait_until(lambda: producer.stats().shipped >= 3, what="three samples")
    assert producer.close()
    instance = producer.stats().instance
    assert {batch.labels[0] for batch in batches(real, keys)} >= {(instance, "process")}
