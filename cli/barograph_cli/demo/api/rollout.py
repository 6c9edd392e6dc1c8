"""Which versions of the demo's model serve, and the dependency that a faulty version reads wrongly."""

import asyncio
import random
from dataclasses import dataclass
from typing import Final, Literal

from barograph_cli.demo.api.flows import Reading, features_of

FlowUnit = Literal["l/s", "m3/h"]
STABLE_VERSION: Final = "1"
# One litre per second is 3.6 cubic metres per hour.
M3_H_PER_L_S: Final = 3.6
_USUAL_MS: Final = (1.5, 6.0)
# Features of the newest readings, which come from the meter itself; older ones come from the historian's store.
_FRESH_FEATURES: Final = ("flow_1h_ago", "flow_2h_ago")


@dataclass(frozen=True, slots=True)
class Rollout:
    """A new version of the model next to the stable one. The default: the stable version serves alone.

    Attributes:
        version: Name of the new version.
        ratio: Part of the predictions that the new version makes, 0 to 1.
        slow_ratio: Part of the new version's reads that take ``slow_ms`` more.
        failure_ratio: Part of the new version's reads that fail.
        meter_unit: Unit in which the new version reads the meter; the model expects l/s.
    """

    version: str = STABLE_VERSION
    ratio: float = 0.0
    slow_ratio: float = 0.0
    slow_ms: float = 0.0
    failure_ratio: float = 0.0
    meter_unit: FlowUnit = "l/s"


# Even a healthy service fails now and then: an incident stands out from something.
STABLE: Final = Rollout(failure_ratio=0.003)


def faulty_rollout(version: str) -> Rollout:
    """Return the rollout that is the demo's incident: most predictions come late, wrong, or not at all."""
    return Rollout(version, ratio=0.7, slow_ratio=0.5, slow_ms=800.0, failure_ratio=0.6, meter_unit="m3/h")


class HistorianError(Exception):
    """The historian did not answer. The service turns it into 503."""


class Historian:
    """The store of meter readings, the service's dependency. It takes its time."""

    def __init__(self, readings: tuple[Reading, ...], seed: int) -> None:
        self._readings = readings
        self._random = random.Random(seed)  # noqa: S311  # waits and failures of a demo

    async def latest(self, hour: int) -> Reading:
        """Return the reading of ``hour``.

        Raises:
            HistorianError: The read failed.
        """
        await self._answer(STABLE)
        return self._readings[hour]

    async def features(self, hour: int, reader: Rollout) -> dict[str, float]:
        """Return the model's input for ``hour`` as ``reader`` reads it.

        Raises:
            HistorianError: The read failed.
        """
        await self._answer(reader)
        features = features_of(self._readings, hour)
        if reader.meter_unit == "m3/h":
            for name in _FRESH_FEATURES:
                features[name] *= M3_H_PER_L_S
        return features

    async def _answer(self, reader: Rollout) -> None:
        wait_ms = self._random.uniform(*_USUAL_MS)
        if self._random.random() < reader.slow_ratio:
            wait_ms += reader.slow_ms * self._random.uniform(0.8, 1.2)
        await asyncio.sleep(wait_ms / 1_000)
        if self._random.random() < reader.failure_ratio:
            raise HistorianError("the historian did not answer in time")


class Router:
    """Chooses the version that makes a prediction."""

    def __init__(self, seed: int) -> None:
        self.rollout = STABLE
        self._random = random.Random(seed)  # noqa: S311  # traffic of a demo

    def choose(self) -> Rollout:
        """Return the new version for its part of the predictions, else the stable one."""
        return self.rollout if self._random.random() < self.rollout.ratio else STABLE
