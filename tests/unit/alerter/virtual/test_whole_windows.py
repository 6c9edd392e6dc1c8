"""No verdict on a window of which roll-ups are still to be made, or panes are gone."""

import random
from collections.abc import Callable

import pytest

from tests.virtual_pipeline import VirtualPipeline, request

LONG = '[[rule]]\nname = "r"\non = "request"\nwindow = "{window}"\nwhen = "{when}"\n'


def judge_in_between(world: VirtualPipeline, rng: random.Random) -> None:
    """Let alerters judge before any call of the aggregator: also when base panes are closed and roll-ups are not."""

    def judge() -> None:
        for alerter in world.alerters:
            if rng.random() < 0.7:
                alerter.work()

    world.aggregator_connection.before = judge


@pytest.mark.parametrize(("window", "down_s", "seed"), [("10m", 60, 1), ("1h", 80, 2)])
def test_an_outage_of_the_aggregator_is_no_all_clear(
    virtual: Callable[..., VirtualPipeline], window: str, down_s: int, seed: int
) -> None:
    """150 errors within the window fire until they leave it, whenever the aggregator is away."""
    rng = random.Random(seed)
    world = virtual(tick_ms=1_000)
    judge_in_between(world, rng)
    world.alerter(LONG.format(window=window, when="errors >= 120"))
    api = world.producer()
    world.each_second(range(170), lambda s, at: api.send("request", [request(at, 500 if 30 <= s < 45 else 200)] * 10))
    down_at = 43 + rng.randint(0, 12)
    world.at(down_at, lambda: setattr(world, "is_aggregating", False))
    world.at(down_at + down_s, lambda: setattr(world, "is_aggregating", True))
    world.run_until(170)
    assert world.states == ["firing"]


def test_an_outage_of_the_aggregator_is_no_lack_of_traffic(
    virtual: Callable[..., VirtualPipeline],
) -> None:
    """The reverse: a rule for too few events does not fire because roll-ups are late."""
    world = virtual(tick_ms=1_000)
    judge_in_between(world, random.Random(3))
    api = world.producer()
    world.each_second(range(200), lambda s, at: api.send("request", [request(at)] * (100 if 95 <= s < 105 else 1)))
    world.run_until(106)
    world.alerter(LONG.format(window="10m", when="count < 900"))
    world.at(108, lambda: setattr(world, "is_aggregating", False))
    world.at(165, lambda: setattr(world, "is_aggregating", True))
    world.run_until(200)
    assert world.states == []
