"""The part of barograph that runs inside the processes of an API."""

import logging

from barograph_producer._producer import Producer
from barograph_producer._stats import ProducerStats
from barograph_producer._web.asgi import BarographMiddleware
from barograph_producer._web.wsgi import BarographWSGIMiddleware

__all__ = ["BarographMiddleware", "BarographWSGIMiddleware", "Producer", "ProducerStats"]

# If the host has not configured logging, our warnings must not appear on its standard error.
logging.getLogger(__name__).addHandler(logging.NullHandler())
