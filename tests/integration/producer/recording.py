"""Producers behind the proxy, and requests that are numbered by their duration."""

from typing import Any

from barograph_core.keyspace.keys import ShardKeys
from barograph_producer import Producer
from tests.integration.producer.proxy import FaultyProxy


def producer_through(proxy: FaultyProxy, keys: ShardKeys, **settings: Any) -> Producer:
    return Producer("ranker", proxy.url, prefix=keys.prefix, sample_process=False, **settings)


def record(producer: Producer, first: int, last: int) -> None:
    for i in range(first, last):
        producer.request("/predict", "POST", 200, float(i))


def numbers(first: int, last: int) -> list[float]:
    """Return what the stream holds of ``record(producer, first, last)``."""
    return [float(i) for i in range(first, last)]


def trouble(producer: Producer) -> str:
    """Return the first word of the producer's latest trouble, "" when there is none."""
    return (producer.stats().last_error or "").partition(":")[0]
