"""The demo's data, model and faults: real ones, on the right sides of the rule's threshold."""

import asyncio

from barograph_cli.demo.faults import INCIDENT, Historian
from barograph_cli.demo.flows import live_hours, read_flows
from barograph_cli.demo.model import FlowModel

READINGS = read_flows()
MODEL = FlowModel(READINGS)


def _mean_absolute_error(historian: Historian) -> float:
    async def errors() -> list[float]:
        async def error(hour: int) -> float:
            return abs(MODEL.predict(await historian.features(hour)) - READINGS[hour].flow_l_s)

        return list(await asyncio.gather(*(error(hour) for hour in live_hours(READINGS))))

    found = asyncio.run(errors())
    return sum(found) / len(found)


def test_the_healthy_model_is_far_below_the_threshold() -> None:
    assert _mean_absolute_error(Historian(READINGS, seed=1)) < 5


def test_a_meter_that_reports_another_unit_is_far_above_it() -> None:
    historian = Historian(READINGS, seed=1)
    historian.faults = type(INCIDENT)(meter_unit="m3/h")
    assert _mean_absolute_error(historian) > 50
