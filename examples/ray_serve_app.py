"""Ray Serve: serve run ray_serve_app:deployment

Ray pickles the application and the class together and copies them to each replica, where the copy of the producer is
an instance of its own, says goodbye when the replica ends, and records what the methods of the class record.
"""

import math
import os

from fastapi import FastAPI
from ray import serve

from barograph_producer import BarographMiddleware, Producer

producer = Producer("ranker", prefix=os.environ.get("BAROGRAPH_PREFIX", "baro"))
app = FastAPI()
app.add_middleware(BarographMiddleware, producer=producer, exclude=("/health",))


@serve.deployment(num_replicas=2)
@serve.ingress(app)
class Ranker:
    @app.get("/health")
    async def health(self) -> str:
        return "ok"

    @app.post("/predict/{text}")
    async def answer(self, text: str) -> float:
        with producer.track(model="length", version="1") as call:
            score = 1 / (1 + math.exp(10 - len(text)))
            call.result(score)
        return score


deployment = Ranker.bind()
