"""A host that forks after it has recorded: ``forking.py URL PREFIX fork|multiprocessing``."""

import multiprocessing
import os
import sys
import warnings

from barograph_producer import Producer


def record(producer: Producer, first: int, last: int) -> None:
    for i in range(first, last):
        producer.request("/predict", "POST", 200, float(i))


def main() -> None:
    url, prefix, how = sys.argv[1:]
    # From Python 3.12 on a fork beside a running thread is warned of; that it is safe here is the test.
    warnings.simplefilter("ignore", DeprecationWarning)
    producer = Producer("ranker", url, prefix=prefix, sample_process=False, ship_every_ms=60_000)
    record(producer, 0, 50)
    assert producer.flush()
    record(producer, 50, 100)
    parent = producer.stats().instance
    if how == "multiprocessing":
        # A child of multiprocessing ends without atexit.
        context = multiprocessing.get_context("fork")
        child = context.Process(target=record, args=(producer, 100, 150))
        child.start()
        child.join(20)
        assert child.exitcode == 0
    else:
        pid = os.fork()
        if pid == 0:
            assert producer.stats().recorded == 0
            record(producer, 100, 150)
            assert producer.stats().instance != parent
            os._exit(0 if producer.close(5) else 1)
        assert os.waitpid(pid, 0)[1] == 0
    assert producer.stats().instance == parent


if __name__ == "__main__":
    main()
