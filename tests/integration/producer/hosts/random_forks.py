"""A host that forks at random moments: ``random_forks.py URL PREFIX python|c ROUNDS``; prints how many it recorded.

In each round a new producer starts, connects and ships while the process forks. The child records three events, the
parent seven in all, of which two may lie in its buffer when it forks.
"""

import ctypes
import os
import random
import signal
import sys
import time
import warnings

from barograph_producer import Producer

URL, PREFIX, HOW, ROUNDS = sys.argv[1:]
# ``fork`` of the C library, which calls none of Python's hooks; ``PyDLL`` keeps the interpreter's lock as uWSGI does.
fork = os.fork if HOW == "python" else ctypes.PyDLL(None).fork
LONGEST_S = 0.006


def record(producer: Producer, events: int, *, apart_s: float = 0.0) -> None:
    for _ in range(events):
        producer.request("/predict", "POST", 200, 1.0)
        time.sleep(apart_s)


def make_round(pause_s: float) -> None:
    producer = Producer("ranker", URL, prefix=PREFIX, sample_process=False, ship_every_ms=1 if HOW == "python" else 900)
    record(producer, 4, apart_s=0.0012)
    producer.flush(0.0)
    record(producer, 1)
    if HOW == "c":  # a thread that waits for the interpreter's lock at that moment would leave the lock unusable
        assert producer.flush(5)
        time.sleep(0.005)
        wait_between_heartbeats()
    time.sleep(pause_s)
    record(producer, 2)
    pid = fork()
    if pid == 0:
        signal.alarm(20)  # a child that hangs is a failed one
        record(producer, 3)
        is_done = producer.flush(5) and producer.close(5)
        stats = producer.stats()
        os._exit(0 if is_done and (stats.recorded, stats.shipped) == (3, 3) else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert producer.close(5)
    assert producer.stats().shipped == 7


def wait_between_heartbeats() -> None:
    """Return while the shipping thread sleeps: it wakes from 900 to 1,100 ms after a whole second."""
    while not 0.15 < time.time() % 1.0 < 0.8:
        time.sleep(0.01)


def main() -> None:
    # From Python 3.12 on a fork beside a running thread is warned of; that it is safe here is the test.
    warnings.simplefilter("ignore", DeprecationWarning)
    moments = random.Random(7)
    for _ in range(int(ROUNDS)):
        make_round(moments.uniform(0.0, LONGEST_S))


main()
