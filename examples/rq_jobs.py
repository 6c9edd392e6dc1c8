"""RQ: rq worker; and from the application queue.enqueue("rq_jobs.predict", "hello")"""

import math
import os

from barograph_producer import Producer

producer = Producer("ranker", prefix=os.environ.get("BAROGRAPH_PREFIX", "baro"))


@producer.track(model="length", version="1")
def predict(text: str) -> float:
    return 1 / (1 + math.exp(10 - len(text)))
