"""The demo's data, model and rollout: real ones, on the right sides of the rule's threshold."""

import asyncio

from barograph_cli.demo.api.flows import live_hours, read_flows
from barograph_cli.demo.api.model import FlowModel
from barograph_cli.demo.api.rollout import STABLE, Historian, Rollout, Router, faulty_rollout

READINGS = read_flows()
MODEL = FlowModel(READINGS)


def _mean_absolute_error(reader: Rollout) -> float:
    historian = Historian(READINGS, seed=1)

    async def errors() -> list[float]:
        async def error(hour: int) -> float:
            return abs(MODEL.predict(await historian.features(hour, reader)) - READINGS[hour].flow_l_s)

        return list(await asyncio.gather(*(error(hour) for hour in live_hours(READINGS))))

    found = asyncio.run(errors())
    return sum(found) / len(found)


def test_the_stable_version_is_far_below_the_threshold() -> None:
    assert _mean_absolute_error(Rollout()) < 5


def test_a_version_that_reads_another_unit_is_far_above_it() -> None:
    assert _mean_absolute_error(Rollout("2", ratio=0.5, meter_unit="m3/h")) > 50


def test_a_rollout_gets_its_part_of_the_predictions() -> None:
    """The stable version makes the others."""
    router = Router(seed=3)
    router.rollout = faulty_rollout("2")
    chosen = [router.choose() for _ in range(2_000)]
    assert 1_300 < sum(rollout.version == "2" for rollout in chosen) < 1_500
    assert {rollout for rollout in chosen if rollout.version != "2"} == {STABLE}
