"""What can go wrong in the demo's service, and the dependency in which it goes wrong."""

import asyncio
import random
from dataclasses import dataclass
from typing import Final, Literal

from barograph_cli.demo.flows import Reading, features_of

FlowUnit = Literal["l/s", "m3/h"]
# One litre per second is 3.6 cubic metres per hour.
M3_H_PER_L_S: Final = 3.6
_USUAL_MS: Final = (1.5, 6.0)
# Readings that the meter itself has just sent; older ones are in the historian's store and stay right.
_FRESH_FEATURES: Final = ("flow_1h_ago", "flow_2h_ago")


@dataclass(frozen=True, slots=True)
class Faults:
    """What is broken. The default is nothing.

    Attributes:
        slow_ratio: Part of the historian's reads that take ``slow_ms`` more.
        failure_ratio: Part of the reads that fail.
        meter_unit: The unit in which the meter reports since its last firmware. The service takes it for l/s.
    """

    slow_ratio: float = 0.0
    slow_ms: float = 0.0
    failure_ratio: float = 0.0
    meter_unit: FlowUnit = "l/s"


INCIDENT: Final = Faults(slow_ratio=0.35, slow_ms=800.0, failure_ratio=0.3, meter_unit="m3/h")


class HistorianError(Exception):
    """The historian did not answer. The service turns it into 503."""


class Historian:
    """The store of meter readings, the service's dependency: it takes its time, and it can be broken."""

    def __init__(self, readings: tuple[Reading, ...], seed: int) -> None:
        self.faults = Faults()
        self._readings = readings
        self._random = random.Random(seed)  # noqa: S311  # waits and failures of a demo

    async def latest(self, hour: int) -> Reading:
        """Return the reading of ``hour``.

        Raises:
            HistorianError: The read failed.
        """
        await self._answer()
        return self._readings[hour]

    async def features(self, hour: int) -> dict[str, float]:
        """Return the model's input for ``hour``; fresh readings come in the meter's present unit.

        Raises:
            HistorianError: The read failed.
        """
        await self._answer()
        features = features_of(self._readings, hour)
        if self.faults.meter_unit == "m3/h":
            for name in _FRESH_FEATURES:
                features[name] *= M3_H_PER_L_S
        return features

    async def _answer(self) -> None:
        faults = self.faults
        wait_ms = self._random.uniform(*_USUAL_MS)
        if self._random.random() < faults.slow_ratio:
            wait_ms += faults.slow_ms * self._random.uniform(0.8, 1.2)
        await asyncio.sleep(wait_ms / 1_000)
        if self._random.random() < faults.failure_ratio:
            raise HistorianError("the historian did not answer in time")
