"""A host with children: ``forking.py URL PREFIX fork|multiprocessing|spawn|pool|storm``."""

import multiprocessing
import os
import signal
import sys
import threading
import warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.process import BaseProcess

from barograph_producer import Producer

URL, PREFIX, HOW = sys.argv[1:]
producer = Producer("ranker", URL, prefix=PREFIX, sample_process=False, ship_every_ms=60_000)


def record(first: int, last: int) -> str:
    for i in range(first, last):
        producer.request("/predict", "POST", 200, float(i))
    return producer.stats().instance


def fork() -> None:
    parent = producer.stats().instance
    pid = os.fork()
    if pid == 0:
        assert producer.stats().recorded == 0
        assert record(100, 150) != parent
        os._exit(0 if producer.close(5) else 1)
    assert os.waitpid(pid, 0)[1] == 0


def storm() -> None:
    """Fork again and again while threads record and the shipper ships: whatever a lock guards may be half done."""
    is_over = threading.Event()

    def record_on(first: int) -> None:
        number = first
        while not is_over.is_set():
            record(number, number + 10)
            number += 10
            producer.flush(0.01)

    threads = [threading.Thread(target=record_on, args=(first,)) for first in (1_000_000, 2_000_000, 3_000_000)]
    for thread in threads:
        thread.start()
    for child in range(20):
        pid = os.fork()
        if pid == 0:
            signal.alarm(20)  # a child that hangs is a failed one
            record(100 + child, 101 + child)
            os._exit(0 if producer.close(5) else 1)
        assert os.waitpid(pid, 0)[1] == 0
    is_over.set()
    for thread in threads:
        thread.join(20)
    assert producer.close(10)
    print(producer.stats().recorded)


def start_child(child: BaseProcess) -> None:
    # Such a child ends without atexit.
    child.start()
    child.join(20)
    assert child.exitcode == 0


def use_pool() -> None:
    with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as pool:
        assert pool.submit(record, 100, 150).result(20) != producer.stats().instance


def main() -> None:
    # From Python 3.12 on a fork beside a running thread is warned of; that it is safe here is the test.
    warnings.simplefilter("ignore", DeprecationWarning)
    record(0, 50)
    assert producer.flush()
    parent = record(50, 100)
    if HOW == "fork":
        fork()
    elif HOW == "pool":
        use_pool()
    elif HOW == "storm":
        storm()
    elif HOW == "spawn":
        start_child(multiprocessing.get_context("spawn").Process(target=record, args=(100, 150)))
    else:
        start_child(multiprocessing.get_context("fork").Process(target=record, args=(100, 150)))
    assert producer.stats().instance == parent


if __name__ == "__main__":
    main()
