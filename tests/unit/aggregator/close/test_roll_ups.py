"""Whatever the order of commits and closings, the coarsest step holds every event, to the byte."""

import random

import pytest

from barograph_aggregator.close.closer import Closer
from tests.batches import decoded, panes_by_start, request
from tests.unit.aggregator.test_aggregator import Pipeline, minutes_ago

MINUTE = 60_000
MINUTES = 3


@pytest.mark.parametrize("seed", range(12))
def test_waves_of_late_events_between_two_closers(seed: int) -> None:
    """Some of them come for panes that have expired by then, and the closers take turns at random."""
    chance = random.Random(seed)
    pipeline = Pipeline(keep="1s:20s,10s:1m,1m:2h", allowed_lateness_ms=60 * MINUTE)
    start = minutes_ago(pipeline, 30)
    closers = [
        Closer(pipeline.connection, pipeline.keys, pipeline.settings, pipeline.steps, pipeline.counters)
        for _ in range(2)
    ]
    events: list[tuple[int, str, int, float]] = []
    watermark = start
    for _ in range(25):
        wave = [
            (start + chance.randrange(MINUTES * MINUTE), f"/{chance.randrange(3)}", 200, chance.lognormvariate(3, 2))
            for _ in range(chance.randrange(1, 6))
        ]
        events += wave
        pipeline.send(*wave)
        pipeline.handler.handle(pipeline.read(), is_redelivered=False)
        watermark += chance.randrange(20_000)
        chance.choice(closers).advance(watermark)
    closers[0].advance(start + 10 * MINUTE)
    found = pipeline.store.read("ranker", MINUTE, start, start + MINUTES * MINUTE)
    drawn = [request(at, duration, route) for at, route, _, duration in events]
    wanted = panes_by_start([decoded("request", drawn)], MINUTE)
    assert {pane.start_ms: pane.pane.pack() for pane in found} == {at: pane.pack() for at, pane in wanted.items()}
    assert pipeline.connection.command("EXISTS", pipeline.keys.open) == 0


def test_parts_of_a_roll_up_are_gone_when_it_closes() -> None:
    """Nothing is held twice for longer than the roll-up is open."""
    pipeline = Pipeline()
    start = minutes_ago(pipeline, 2)
    pipeline.send((start, "/a", 200, 5.0), (start + 15_000, "/a", 200, 5.0))
    pipeline.run()
    steps = (10_000, MINUTE)
    held = [pipeline.keys.rollup_parts("ranker", step, at) for step in steps for at in (start, start + 10_000)]
    assert pipeline.connection.command("EXISTS", *held) == 0
    (minute,) = pipeline.store.read("ranker", MINUTE, start, start + MINUTE)
    assert minute.pane.requests == 2
