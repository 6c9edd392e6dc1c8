"""A FastAPI host for uvicorn. It would ship once a minute: what arrives earlier was flushed."""

import os

from fastapi import FastAPI

from barograph_producer import BarographMiddleware, Producer

producer = Producer("ranker", prefix=os.environ["PREFIX"], sample_process=False, ship_every_ms=60_000)
app = FastAPI()
app.add_middleware(BarographMiddleware, producer=producer)


@app.get("/items/{item}")
async def read_item(item: int) -> int:
    return item
