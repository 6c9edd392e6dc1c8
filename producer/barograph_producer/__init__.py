"""The part of barograph that lives in API workers."""

import logging

from barograph_producer._asgi import BarographMiddleware
from barograph_producer._producer import Producer
from barograph_producer._stats import ProducerStats
from barograph_producer._wsgi import BarographWSGIMiddleware

__all__ = ["BarographMiddleware", "BarographWSGIMiddleware", "Producer", "ProducerStats"]

# A host that configured no logging must not find our warnings on its standard error.
logging.getLogger(__name__).addHandler(logging.NullHandler())
