"""Litestar: uvicorn litestar_app:app"""

import math
import os
from typing import Any

from litestar import Litestar, Request, get, post
from litestar.response import Stream

from barograph_producer import BarographMiddleware, Producer

producer = Producer("ranker", prefix=os.environ.get("BAROGRAPH_PREFIX", "baro"))


@producer.track(model="length", version="1")
def predict(text: str) -> float:
    return 1 / (1 + math.exp(10 - len(text)))


@get("/health")
async def health() -> str:
    return "ok"


@post("/predict/{text:str}", status_code=200)
async def answer(request: Request[Any, Any, Any]) -> float:
    return predict(request.path_params["text"])


@get("/stream/{text:str}")
async def stream(request: Request[Any, Any, Any]) -> Stream:
    return Stream(iter(request.path_params["text"]))


@get("/fail")
async def fail() -> None:
    raise RuntimeError("an error event, shipped within milliseconds")


# Around the whole application, so that the answers of its exception handlers are seen too.
app = BarographMiddleware(Litestar([health, answer, stream, fail]), producer=producer, exclude=("/health",))
