"""A WSGI host: the producer is made, and on demand started, before the workers are forked. Answers its process id."""

import os
from collections.abc import Callable, Iterable
from typing import Any

from barograph_producer import BarographWSGIMiddleware, Producer

producer = Producer("ranker", prefix=os.environ["PREFIX"], sample_process=False)
if os.environ.get("START"):
    producer.start()


def answer(environ: dict[str, Any], start_response: Callable[[str, list[tuple[str, str]]], object]) -> Iterable[bytes]:
    environ["barograph.route"] = "/"
    start_response("200 OK", [])
    return [str(os.getpid()).encode()]


application = BarographWSGIMiddleware(answer, producer=producer)
