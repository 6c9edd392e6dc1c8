"""The demo's ML API: FastAPI under uvicorn, with barograph's middleware and model events. A process of its own."""

import argparse
import itertools
import os
import sys
from collections import OrderedDict
from dataclasses import asdict
from typing import Final

import uvicorn
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from barograph_cli.demo.config import SERVICE
from barograph_cli.demo.faults import Faults, FlowUnit, Historian, HistorianError
from barograph_cli.demo.flows import Reading, live_hours, read_flows
from barograph_cli.demo.model import MODEL_NAME, MODEL_VERSION, FlowModel
from barograph_core.clock import Clock, SystemClock
from barograph_core.settings import DEFAULT_URL
from barograph_producer import BarographMiddleware, Producer

MAX_OPEN_PREDICTIONS: Final = 20_000


class PredictRequest(BaseModel):
    """Asks for the flow of one hour."""

    meter_id: str = Field(min_length=1, max_length=32)
    hour: int = Field(ge=0)


class Feedback(BaseModel):
    """Tells what the flow of a forecast hour really was."""

    prediction_id: int
    flow_l_s: float = Field(ge=0, le=1e6)


class FaultSwitch(BaseModel):
    """What to break; see ``Faults``."""

    slow_ratio: float = Field(default=0.0, ge=0, le=1)
    slow_ms: float = Field(default=0.0, ge=0, le=10_000)
    failure_ratio: float = Field(default=0.0, ge=0, le=1)
    meter_unit: FlowUnit = "l/s"


class OpenPredictions:
    """Forecasts that wait for the truth; the oldest are forgotten past a bound."""

    def __init__(self) -> None:
        self._flows: OrderedDict[int, float] = OrderedDict()
        self._ids = itertools.count(1)

    def add(self, flow_l_s: float) -> int:
        """Keep a forecast and return its id."""
        prediction_id = next(self._ids)
        self._flows[prediction_id] = flow_l_s
        if len(self._flows) > MAX_OPEN_PREDICTIONS:
            self._flows.popitem(last=False)
        return prediction_id

    def take(self, prediction_id: int) -> float | None:
        """Return a forecast and forget it; ``None`` when there is none of this id."""
        return self._flows.pop(prediction_id, None)


def build_app(producer: Producer, readings: tuple[Reading, ...], clock: Clock) -> FastAPI:
    """Return the API. Training the model takes a fraction of a second."""
    model, historian, predictions = FlowModel(readings), Historian(readings, seed=7), OpenPredictions()
    hours = live_hours(readings)

    app = FastAPI(title="Water flow forecasts")
    # Starts the producer with the application, and flushes it at the end.
    app.add_middleware(BarographMiddleware, producer=producer)

    @app.exception_handler(HistorianError)
    async def historian_failed(_: Request, error: HistorianError) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, status_code=503)

    @app.post("/predict")
    async def predict(body: PredictRequest) -> dict[str, object]:
        if body.hour not in hours:
            raise HTTPException(422, f"hour must be {hours.start} to {hours.stop - 1}")
        features = await historian.features(body.hour)
        started_ms = clock.monotonic_ms()
        flow_l_s = model.predict(features)
        producer.model(
            model=MODEL_NAME,
            version=MODEL_VERSION,
            latency_ms=clock.monotonic_ms() - started_ms,
            prediction=flow_l_s,
        )
        return {"prediction_id": predictions.add(flow_l_s), "meter_id": body.meter_id, "flow_l_s": flow_l_s}

    @app.post("/feedback")
    async def feedback(body: Feedback) -> dict[str, float]:
        predicted = predictions.take(body.prediction_id)
        if predicted is None:
            raise HTTPException(404, "no such forecast waits for its truth")
        absolute_error = abs(predicted - body.flow_l_s)
        producer.model(model=MODEL_NAME, version=MODEL_VERSION, absolute_error=absolute_error)
        return {"absolute_error": absolute_error}

    @app.get("/meters/{meter_id}")
    async def read_meter(meter_id: str) -> dict[str, object]:
        reading = await historian.latest(hours.start + sum(meter_id.encode()) % len(hours))
        return {"meter_id": meter_id, "at": reading.at, "flow_l_s": reading.flow_l_s}

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/faults")
    async def read_faults() -> dict[str, object]:
        return asdict(historian.faults)

    @app.put("/faults")
    async def switch_faults(switch: FaultSwitch) -> dict[str, object]:
        historian.faults = Faults(**switch.model_dump())
        return asdict(historian.faults)

    # FastAPI calls them; nothing here does.
    del historian_failed, predict, feedback, read_meter, health, read_faults, switch_faults
    return app


def main(argv: list[str]) -> int:
    """Serve the API until stopped by a signal."""
    parser = argparse.ArgumentParser(prog="barograph_cli.demo.service")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--url", default=os.environ.get("BAROGRAPH_URL") or DEFAULT_URL)
    parser.add_argument("--prefix", default="baro")
    arguments = parser.parse_args(argv)
    producer = Producer(service=SERVICE, url=arguments.url, prefix=arguments.prefix)
    app = build_app(producer, read_flows(), SystemClock())
    uvicorn.run(app, host=arguments.host, port=arguments.port, log_level="warning", access_log=False)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
