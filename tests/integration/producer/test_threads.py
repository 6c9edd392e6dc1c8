"""Many threads and tasks of one process, against a real server: every event is accounted for."""

import asyncio
import signal
import threading
from collections.abc import Callable
from types import FrameType

import pytest

from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_producer import Producer
from tests.integration.producer.proxy import FaultyProxy
from tests.integration.producer.reading import durations, producers
from tests.integration.producer.recording import numbers, producer_through, record
from tests.support import wait_until

THREADS = 8


def side_by_side(action: Callable[[int], None], count: int = THREADS) -> None:
    """Run ``action(0)`` to ``action(count - 1)`` in threads that begin together."""
    together = threading.Barrier(count)
    failures: list[BaseException] = []

    def run(number: int) -> None:
        try:
            together.wait(10)
            action(number)
        except BaseException as error:  # noqa: BLE001  # told to the test below
            failures.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    assert failures == []


def test_many_threads_lose_and_double_nothing(valkey_url: str, real: Connection, keys: ShardKeys) -> None:
    """The first events of all threads race for the start of the shipper; the count is exact all the same."""
    producer = Producer("ranker", valkey_url, prefix=keys.prefix, sample_process=False, ship_every_ms=5)
    side_by_side(lambda number: record(producer, number * 5_000, (number + 1) * 5_000))
    assert producer.close(10)
    assert sorted(durations(real, keys)) == numbers(0, THREADS * 5_000)
    assert len({thread.name for thread in threading.enumerate() if thread.name == "barograph-producer"}) == 0


def test_threads_that_close_and_record_at_once_account_for_every_event(
    valkey_url: str, real: Connection, keys: ShardKeys
) -> None:
    """What was recorded is either on the stream or counted as ``closed``; closing twice changes nothing."""
    for _ in range(20):
        first = len(durations(real, keys))
        producer = Producer("ranker", valkey_url, prefix=keys.prefix, sample_process=False, ship_every_ms=1)

        def act(number: int, producer: Producer = producer) -> None:
            if number % 2:
                producer.close(5)
            record(producer, 0, 500)

        side_by_side(act)
        producer.close(5)
        stats = producer.stats()
        assert (stats.recorded, stats.buffered) == (THREADS * 500, 0)
        assert stats.shipped + stats.dropped["closed"] == THREADS * 500
        assert len(durations(real, keys)) - first == stats.shipped
    assert producers(real, keys) == 0


def test_a_producer_may_be_paused_and_used_on_while_threads_record(
    valkey_url: str, real: Connection, keys: ShardKeys
) -> None:
    """A pause says goodbye and holds nothing back for ever: the next event starts the shipper again."""
    producer = Producer("ranker", valkey_url, prefix=keys.prefix, sample_process=False, ship_every_ms=1)

    def act(number: int) -> None:
        if number == 0:
            for _ in range(20):
                producer.pause(5)
        else:
            record(producer, (number - 1) * 5_000, number * 5_000)

    side_by_side(act)
    assert producer.close(10)
    assert sorted(durations(real, keys)) == numbers(0, (THREADS - 1) * 5_000)
    assert producers(real, keys) == 0


def test_a_pause_that_ran_out_of_time_does_not_end_the_producer(
    proxy: FaultyProxy, real: Connection, keys: ShardKeys
) -> None:
    """The shipper was waiting for a reply when the bound was reached; once it has ended, events start another."""
    producer = producer_through(proxy, keys, socket_timeout_s=1.5)
    record(producer, 0, 100)
    assert producer.flush()
    proxy.is_silent = True
    record(producer, 100, 200)
    assert not producer.pause(0.05)
    proxy.is_silent = False
    recorded = 200

    def is_shipped() -> bool:
        nonlocal recorded
        record(producer, recorded, recorded + 1)
        recorded += 1
        return producer.stats().shipped >= 200

    wait_until(is_shipped, what="the shipping")
    assert producer.close(5)
    assert durations(real, keys) == numbers(0, recorded)


@pytest.mark.usefixtures("real")
def test_closes_that_run_out_of_time_agree(proxy: FaultyProxy, keys: ShardKeys) -> None:
    """Many threads close while the server is silent: what could not be shipped is counted once, and all say no."""
    producer = producer_through(proxy, keys, socket_timeout_s=0.5)
    record(producer, 0, 10)
    assert producer.flush()
    proxy.is_silent = True
    record(producer, 10, 20)
    answers: list[bool] = []
    side_by_side(lambda _: answers.append(producer.close(0.1)))
    wait_until(lambda: producer.stats().buffered == 0, what="the end")
    stats = producer.stats()
    assert answers == [False] * THREADS
    assert (stats.shipped, stats.dropped["closed"]) == (10, 10)
    assert not producer.close(0.1)


@pytest.mark.usefixtures("real")
def test_a_signal_handler_may_close_while_its_thread_closes(proxy: FaultyProxy, keys: ShardKeys) -> None:
    """The inner close cannot wait for the outer one, which it interrupted: it says no within its bound."""
    producer = producer_through(proxy, keys, socket_timeout_s=0.7)
    record(producer, 0, 10)
    proxy.is_silent = True
    answers: list[bool] = []

    def close_too(_number: int, _frame: FrameType | None) -> None:
        answers.append(producer.close(0.05))

    before = signal.signal(signal.SIGALRM, close_too)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        answers.append(producer.close(0.5))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert answers == [False, False]
    wait_until(lambda: producer.stats().dropped["closed"] == 10, what="the end")


def test_tasks_of_an_event_loop_lose_nothing(valkey_url: str, real: Connection, keys: ShardKeys) -> None:
    """Recording in coroutines, flushing and closing beside the loop."""

    async def serve() -> bool:
        producer = Producer("ranker", valkey_url, prefix=keys.prefix, sample_process=False, ship_every_ms=5)

        async def answer(number: int) -> None:
            for i in range(50):
                producer.request("/predict", "POST", 200, float(number * 50 + i))
                await asyncio.sleep(0)

        await asyncio.gather(*(answer(number) for number in range(100)))
        assert await asyncio.to_thread(producer.flush, 5.0)
        return await asyncio.to_thread(producer.close, 5.0)

    assert asyncio.run(serve())
    assert sorted(durations(real, keys)) == numbers(0, 5_000)


@pytest.mark.parametrize("delay_s", [0.0, 0.5])
def test_an_event_loop_is_not_held_up_by_a_silent_server(
    delay_s: float, proxy: FaultyProxy, real: Connection, keys: ShardKeys
) -> None:
    """Recording takes no notice of the server: the loop goes on while each reply is awaited elsewhere."""
    proxy.reply_delay_s = delay_s
    proxy.is_silent = delay_s == 0.0
    producer = producer_through(proxy, keys, ship_every_ms=1, socket_timeout_s=0.7)

    async def serve() -> int:
        turns = 0
        while producer.stats().recorded < 2_000:
            producer.request("/predict", "POST", 500, float(turns))
            await asyncio.sleep(0)
            turns += 1
        return turns

    assert asyncio.run(asyncio.wait_for(serve(), 10)) == 2_000
    proxy.is_silent, proxy.reply_delay_s = False, 0.0
    wait_until(lambda: producer.flush(2.0), what="the flush")
    assert producer.close(5)
    assert durations(real, keys) == numbers(0, 2_000)
