"""A host that records and ends at once: ``short.py URL PREFIX``."""

import sys

from barograph_producer import Producer

producer = Producer("ranker", sys.argv[1], prefix=sys.argv[2], sample_process=False, ship_every_ms=60_000)
for i in range(40):
    producer.request("/predict", "POST", 200, float(i))
