"""Starlette: uvicorn starlette_app:app"""

import math
import os

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

from barograph_producer import BarographMiddleware, Producer

producer = Producer("ranker", prefix=os.environ.get("BAROGRAPH_PREFIX", "baro"))


@producer.track(model="length", version="1")
def predict(text: str) -> float:
    return 1 / (1 + math.exp(10 - len(text)))


async def health(_request: Request) -> Response:
    return JSONResponse("ok")


async def answer(request: Request) -> Response:
    score = predict(request.path_params["text"])
    return JSONResponse(score)


async def stream(request: Request) -> Response:
    return StreamingResponse(iter(request.path_params["text"]))


async def fail(_request: Request) -> Response:
    raise RuntimeError("an error event, shipped within milliseconds")


app = Starlette(
    routes=[
        Route("/health", health),
        Mount("/predict", routes=[Route("/{text}", answer, methods=["POST"])]),
        Route("/stream/{text}", stream),
        Route("/fail", fail),
    ],
    middleware=[Middleware(BarographMiddleware, producer=producer, exclude=("/health",))],
)
