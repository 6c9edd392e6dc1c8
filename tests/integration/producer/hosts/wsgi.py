"""A WSGI host for gunicorn: records while it is imported, and once for each request."""

import os
from collections.abc import Callable, Iterable
from typing import Any

from barograph_producer import Producer

producer = Producer("ranker", prefix=os.environ["PREFIX"], sample_process=False, ship_every_ms=60_000)
for i in range(10):
    producer.request("/import", "POST", 200, float(i))
# Before any fork the parent has a running shipper, an open connection, and events that wait.
producer.flush()
for i in range(10, 20):
    producer.request("/import", "POST", 200, float(i))


def app(environ: dict[str, Any], start_response: Callable[[str, list[tuple[str, str]]], object]) -> Iterable[bytes]:
    producer.request(environ["PATH_INFO"], environ["REQUEST_METHOD"], 200, 1.0)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
