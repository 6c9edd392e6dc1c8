"""Sampled and labelled requests, from the middleware to the decoded batch."""

from collections.abc import MutableMapping
from typing import Any

from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_producer import BarographWSGIMiddleware, Producer
from tests.integration.producer.reading import batches
from tests.integration.web.serving import requests
from tests.unit.producer.web.asgi_driver import Sink
from tests.unit.producer.web.wsgi_driver import WsgiDriver


def tenant_of(environ: MutableMapping[str, Any]) -> dict[str, str]:
    return {"tenant": str(environ["tenant"])}


def test_sampled_requests_count_for_all_and_errors_for_themselves(
    valkey_url: str, real: Connection, keys: ShardKeys
) -> None:
    """100 successes are recorded as ten that stand for ten each; 3 errors stay 3."""

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        environ["barograph.route"] = "/predict"
        start_response(environ["wanted"], [])
        return [b"x"]

    producer = Producer("ranker", valkey_url, prefix=keys.prefix, sample_process=False)
    middleware = BarographWSGIMiddleware(app, producer=producer, sample_every=10, labels=tenant_of)
    driver = WsgiDriver(middleware, Sink())
    for _ in range(100):
        driver.get("/predict", wanted="200 OK", tenant="acme")
    for _ in range(3):
        driver.get("/predict", wanted="503 Service Unavailable", tenant="acme")
    assert producer.close()
    assert dict(requests(real, keys)) == {("/predict", "GET", 200): 100, ("/predict", "GET", 503): 3}
    assert sum(batch.n for batch in batches(real, keys)) == 13
    assert {labels[2:] for batch in batches(real, keys) for labels in batch.labels} == {("tenant", "acme")}
