"""The public API as people write it. Type-checked, never run."""

from barograph_notifier import Channel, Notification, Outcome, Refused, Retry, Sent
from barograph_producer import BarographMiddleware, Producer, ProducerStats


async def app(scope: object, receive: object, send: object) -> None:
    del scope, receive, send


def produce() -> ProducerStats:
    producer = Producer(service="ranker")
    producer.request(route="/predict", method="POST", status=200, duration_ms=12.5)
    producer.model(model="ctr", version="7", latency_ms=8.1, confidence=0.72, prediction=0.31, absolute_error=4.1)
    producer.model(model="ctr", version="7", absolute_error=4.1)
    producer.system(instance="a", scope="process", memory_mb=120.5, cpu_percent=3.0)
    producer.observe("queue_depth", 17, pool="gpu")
    record = producer.bind_request(route="/predict", method="POST")
    record(12.5)
    is_empty: bool = producer.flush(timeout_s=1.0)
    producer.close()
    assert is_empty
    return producer.stats()


def embed(producer: Producer) -> BarographMiddleware:
    return BarographMiddleware(app, producer=producer)


class Pager:
    """A channel of one's own."""

    def send(self, notification: Notification, *, key: str, timeout_s: float) -> Outcome:
        if timeout_s < 1:
            return Retry(1.0, "too little time")
        return Sent(key) if notification.alert_id else Refused("no alert")


def channel() -> Channel:
    return Pager()
