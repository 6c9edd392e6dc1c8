"""FastAPI: uvicorn fastapi_app:app"""

import math
import os

from fastapi import BackgroundTasks, FastAPI
from fastapi.responses import StreamingResponse

from barograph_producer import BarographMiddleware, Producer

producer = Producer("ranker", prefix=os.environ.get("BAROGRAPH_PREFIX", "baro"))
app = FastAPI()
app.add_middleware(BarographMiddleware, producer=producer, exclude=("/health",))


@producer.track(model="length", version="1")
def predict(text: str) -> float:
    return 1 / (1 + math.exp(10 - len(text)))


@app.get("/health")
async def health() -> str:
    return "ok"


@app.post("/predict/{text}")
async def answer(text: str, tasks: BackgroundTasks) -> float:
    score = predict(text)
    tasks.add_task(producer.observe, "text_length", len(text))  # runs after the answer, outside its duration
    return score


@app.get("/stream/{text}")
async def stream(text: str) -> StreamingResponse:
    return StreamingResponse(iter(text))


@app.get("/fail")
async def fail() -> None:
    raise RuntimeError("an error event, shipped within milliseconds")
