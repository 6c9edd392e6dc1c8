"""A host whose locks and threads are replaced by greenlets: ``late_patch.py URL PREFIX gevent|eventlet``.

With gevent after the producer was made, as ``gunicorn --preload`` does it. eventlet must come before redis-py.
Prints the usual time in ms that another greenlet waited while the shipper slept: the longest is the machine's.
"""

import importlib
import statistics
import sys
import time

URL, PREFIX, HOW = sys.argv[1:]
if HOW == "eventlet":
    importlib.import_module("eventlet").monkey_patch()

from barograph_producer import Producer  # noqa: E402  # eventlet must come first

producer = Producer("ranker", URL, prefix=PREFIX, sample_process=False)
if HOW == "gevent":
    importlib.import_module("gevent.monkey").patch_all()

waits_s: list[float] = []
for _ in range(60):
    producer.request("/predict", "POST", 200, 1.0)
    began_s = time.perf_counter()
    time.sleep(0.01)
    waits_s.append(time.perf_counter() - began_s)
assert producer.close(5)
assert producer.stats().shipped == 60
print(statistics.median(waits_s) * 1_000)
