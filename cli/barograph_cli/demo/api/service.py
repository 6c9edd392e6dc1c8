"""The demo's ML API: FastAPI under uvicorn, with barograph's middleware and model events. A process of its own."""

import argparse
import itertools
import os
import sys
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import uvicorn
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from barograph_cli.demo.api.flows import Reading, live_hours, read_flows
from barograph_cli.demo.api.model import MODEL_NAME, FlowModel
from barograph_cli.demo.api.rollout import STABLE_VERSION, FlowUnit, Historian, HistorianError, Rollout, Router
from barograph_cli.demo.config import SERVICE
from barograph_core.clock import Clock, SystemClock
from barograph_core.settings.server import DEFAULT_URL
from barograph_producer import BarographMiddleware, Producer

MAX_OPEN_PREDICTIONS: Final = 20_000
# Key under which a handler leaves the version in the scope, where the middleware finds it.
_VERSION: Final = "demo.model_version"


class PredictRequest(BaseModel):
    """Asks for the flow of one hour."""

    meter_id: str = Field(min_length=1, max_length=32)
    hour: int = Field(ge=0)


class Feedback(BaseModel):
    """The true flow of a forecast hour."""

    prediction_id: int
    flow_l_s: float = Field(ge=0, le=1e6)


class RolloutBody(BaseModel):
    """Sets the new version of the model; see ``Rollout``."""

    version: str = Field(default=STABLE_VERSION, pattern=r"^[A-Za-z0-9._-]{1,32}$")
    ratio: float = Field(default=0.0, ge=0, le=1)
    slow_ratio: float = Field(default=0.0, ge=0, le=1)
    slow_ms: float = Field(default=0.0, ge=0, le=10_000)
    failure_ratio: float = Field(default=0.0, ge=0, le=1)
    meter_unit: FlowUnit = "l/s"


@dataclass(frozen=True, slots=True)
class Forecast:
    """A flow that a version of the model predicted."""

    flow_l_s: float
    version: str


class OpenPredictions:
    """Forecasts that wait for the truth; the oldest are forgotten past a bound."""

    def __init__(self) -> None:
        self._forecasts: OrderedDict[int, Forecast] = OrderedDict()
        self._ids = itertools.count(1)

    def add(self, forecast: Forecast) -> int:
        """Keep a forecast and return its id."""
        prediction_id = next(self._ids)
        self._forecasts[prediction_id] = forecast
        if len(self._forecasts) > MAX_OPEN_PREDICTIONS:
            self._forecasts.popitem(last=False)
        return prediction_id

    def take(self, prediction_id: int) -> Forecast | None:
        """Return a forecast and forget it; ``None`` when there is none of this id."""
        return self._forecasts.pop(prediction_id, None)


def version_label(scope: Mapping[str, Any]) -> dict[str, str]:
    """Return the label of a request that a version of the model served: it names the culprit of an incident."""
    version = scope.get(_VERSION)
    return {"version": version} if isinstance(version, str) else {}


def add_rollout_routes(app: FastAPI, router: Router) -> None:
    """Let the demo read and set the rollout."""

    @app.get("/rollout")
    async def read_rollout() -> dict[str, object]:
        return asdict(router.rollout)

    @app.put("/rollout")
    async def set_rollout(body: RolloutBody) -> dict[str, object]:
        router.rollout = Rollout(**body.model_dump())
        return asdict(router.rollout)

    # Only FastAPI calls these functions.
    del read_rollout, set_rollout


def build_app(producer: Producer, readings: tuple[Reading, ...], clock: Clock) -> FastAPI:
    """Return the API. Training the model takes a fraction of a second."""
    model, historian, predictions = FlowModel(readings), Historian(readings, seed=7), OpenPredictions()
    router = Router(seed=11)
    hours = live_hours(readings)

    app = FastAPI(title="Water flow forecasts")
    # Starts the producer with the application, and flushes it at the end.
    app.add_middleware(BarographMiddleware, producer=producer, labels=version_label)

    @app.exception_handler(HistorianError)
    async def historian_failed(_: Request, error: HistorianError) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, status_code=503)

    @app.post("/predict")
    async def predict(body: PredictRequest, request: Request) -> dict[str, object]:
        if body.hour not in hours:
            raise HTTPException(422, f"hour must be {hours.start} to {hours.stop - 1}")
        chosen = router.choose()
        request.scope[_VERSION] = chosen.version
        features = await historian.features(body.hour, chosen)
        started_ms = clock.monotonic_ms()
        flow_l_s = model.predict(features)
        producer.model(
            model=MODEL_NAME,
            version=chosen.version,
            latency_ms=clock.monotonic_ms() - started_ms,
            prediction=flow_l_s,
        )
        prediction_id = predictions.add(Forecast(flow_l_s, chosen.version))
        return {"prediction_id": prediction_id, "meter_id": body.meter_id, "flow_l_s": flow_l_s}

    @app.post("/feedback")
    async def feedback(body: Feedback, request: Request) -> dict[str, float]:
        forecast = predictions.take(body.prediction_id)
        if forecast is None:
            raise HTTPException(404, "no such forecast waits for its truth")
        request.scope[_VERSION] = forecast.version
        absolute_error = abs(forecast.flow_l_s - body.flow_l_s)
        producer.model(model=MODEL_NAME, version=forecast.version, absolute_error=absolute_error)
        return {"absolute_error": absolute_error}

    @app.get("/meters/{meter_id}")
    async def read_meter(meter_id: str) -> dict[str, object]:
        reading = await historian.latest(hours.start + sum(meter_id.encode()) % len(hours))
        return {"meter_id": meter_id, "at": reading.at, "flow_l_s": reading.flow_l_s}

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    add_rollout_routes(app, router)
    # Only FastAPI calls these functions.
    del historian_failed, predict, feedback, read_meter, health
    return app


def main(argv: list[str]) -> int:
    """Serve the API until stopped by a signal."""
    parser = argparse.ArgumentParser(prog="barograph_cli.demo.api.service")
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
