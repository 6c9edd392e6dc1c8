"""Celery: celery -A celery_app worker --max-tasks-per-child 100"""

import math
import os

from celery import Celery

from barograph_producer import Producer

producer = Producer("ranker", prefix=os.environ.get("BAROGRAPH_PREFIX", "baro"))
app = Celery("celery_app", broker=os.environ.get("CELERY_BROKER_URL", "redis://127.0.0.1:6379/1"))
app.conf.task_ignore_result = True


@app.task  # type: ignore[misc]  # celery comes without types
@producer.track(model="length", version="1")
def predict(text: str) -> float:
    return 1 / (1 + math.exp(10 - len(text)))
