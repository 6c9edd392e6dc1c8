"""Flask: gunicorn flask_app:app"""

import math
import os

from flask import Flask, Response

from barograph_producer import BarographWSGIMiddleware, Producer

producer = Producer("ranker", prefix=os.environ.get("BAROGRAPH_PREFIX", "baro"))
app = Flask(__name__)
app.wsgi_app = BarographWSGIMiddleware(app.wsgi_app, producer=producer, exclude=("/health",))  # type: ignore[method-assign]  # Flask's own idiom


@producer.track(model="length", version="1")
def predict(text: str) -> float:
    return 1 / (1 + math.exp(10 - len(text)))


@app.get("/health")
def health() -> str:
    return "ok"


@app.post("/predict/<text>")
def answer(text: str) -> str:
    score = predict(text)
    return str(score)


@app.get("/stream/<text>")
def stream(text: str) -> Response:
    return Response(iter(text))


@app.get("/fail")
def fail() -> str:
    raise RuntimeError("an error event, shipped within milliseconds")
