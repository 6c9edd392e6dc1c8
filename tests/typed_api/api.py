"""The public API as people write it. Type-checked, never run."""

from array import array
from collections.abc import Coroutine, MutableMapping
from typing import Any, NamedTuple

import numpy as np

from barograph_notifier import Channel, Notification, Outcome, Refused, Retry, Sent
from barograph_producer import BarographMiddleware, BarographWSGIMiddleware, Producer, ProducerStats


async def app(scope: object, receive: object, send: object) -> None:
    del scope, receive, send


def produce() -> ProducerStats:
    producer = Producer(service="ranker")
    producer.request(route="/predict", method="POST", status=200, duration_ms=12.5)
    producer.model(model="ctr", version="7", latency_ms=8.1, confidence=0.72, prediction=0.31, absolute_error=4.1)
    producer.model(model="ctr", version="7", absolute_error=4.1)
    producer.model("ctr", latency_ms=8.1, failed=True)
    producer.system(instance="a", scope="process", memory_mb=120.5, cpu_percent=3.0)
    producer.observe("queue_depth", 17, pool="gpu")
    producer.observe("queue_depth", 17, pool="gpu", at_ms=1_700_000_000_000)
    producer.request("/predict", "POST", 200, 12.5, at_ms=1_700_000_000_000.5)
    producer.models(model="ctr", prediction=[0.3], at_ms=1_700_000_000_000)
    record = producer.bind_request(route="/predict", method="POST")
    record(12.5)
    is_empty: bool = producer.flush(timeout_s=1.0)
    producer.close()
    assert is_empty
    return producer.stats()


def predict_in_batches(producer: Producer) -> None:
    producer.models(model="ctr", version="7", prediction=[0.3, 0.4], confidence=(0.7, None), latency_ms=8.1)
    producer.models("ctr", prediction=array("d", [0.3]), absolute_error=memoryview(array("d", [0.1])))
    producer.models("ctr", prediction=np.zeros(3), confidence=np.float32(0.5))
    producer.models("ctr", prediction=[0.3, None], failed=[False, True])


class Answer(NamedTuple):
    score: float
    probability: float


def track(producer: Producer) -> float:
    @producer.track(model="ctr", version="7")
    def plain(x: float) -> float:
        return x

    @producer.track("ctr", prediction=lambda answer: answer.score, confidence=lambda answer: answer.probability)
    async def slow(x: float, *, y: float = 0.0) -> Answer:
        return Answer(x, y)

    class Model:
        @producer.track("ctr", confidence=None)
        def predict(self, x: float) -> float:
            return x

    awaited: Coroutine[object, object, Answer] = slow(1.0, y=2.0)
    awaited.close()
    with producer.track(model="ctr") as call:
        call.prediction = plain(0.5)
        call.confidence = 0.9
        call.result(Model().predict(1.0))
    return plain(0.5) + Model().predict(2.0)


def embed(producer: Producer) -> BarographMiddleware:
    return BarographMiddleware(app, producer=producer)


def tenant_of(source: MutableMapping[str, Any]) -> dict[str, str]:
    return {"tenant": str(source["tenant"])}


def wsgi_app(_environ: object, _start_response: object) -> list[bytes]:
    return []


def embed_wsgi(producer: Producer) -> BarographWSGIMiddleware:
    return BarographWSGIMiddleware(
        wsgi_app, producer=producer, exclude=("/health",), labels=tenant_of, sample_every=10, always_slow_ms=500
    )


class Pager:
    """A channel of one's own."""

    def send(self, notification: Notification, *, key: str, timeout_s: float) -> Outcome:
        if timeout_s < 1:
            return Retry(1.0, "too little time")
        return Sent(key) if notification.alert_id else Refused("no alert")


def channel() -> Channel:
    return Pager()
