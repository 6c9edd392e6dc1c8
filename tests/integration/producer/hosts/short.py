"""A host that records and ends at once: ``short.py URL PREFIX [exit_timeout_s]``. Prints when its own work was done."""

import sys
import time

from barograph_producer import Producer

url, prefix, *bound = sys.argv[1:]
producer = Producer(
    "ranker",
    url,
    prefix=prefix,
    sample_process=False,
    ship_every_ms=60_000,
    exit_timeout_s=float(bound[0]) if bound else 2.0,
)
for i in range(40):
    producer.request("/predict", "POST", 200, float(i))
print(time.monotonic(), flush=True)
