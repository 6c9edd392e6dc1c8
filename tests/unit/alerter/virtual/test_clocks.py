"""Hosts whose clocks differ: nothing is blocked, nothing is unseen."""

from collections.abc import Callable

import pytest

from tests.virtual_pipeline import VirtualPipeline, request

RULE = """
[[rule]]
name = "r"
on = "request"
window = "5s"
when = "error_rate > 0.05 and count >= 20"
resolve_when = "error_rate < 0.03"
keep_firing_for = "2s"
"""


@pytest.mark.parametrize("ahead_ms", [(0, -400), (0, -5_000), (-1_000, -1_000), (0, 3_000)])
def test_a_clock_that_is_off_blocks_no_resolution(
    virtual: Callable[..., VirtualPipeline], ahead_ms: tuple[int, int]
) -> None:
    """One host behind or ahead, or the server ahead of all: the incident resolves as soon as it is over."""
    world = virtual(tick_ms=500)
    world.alerter(RULE)
    for host_ms in ahead_ms:
        api = world.producer(ahead_ms=host_ms)
        world.each_second(
            range(40),
            lambda s, at, api=api, host_ms=host_ms: api.send(  # type: ignore[misc]  # bound now
                "request", [request(at + host_ms, 500 if 5 <= s < 10 else 200)] * 10
            ),
        )
    world.run_until(40)
    assert world.states[:2] == ["firing", "resolved"]
    assert world.told[1][0] < 30


def test_the_death_of_a_host_whose_clock_is_ahead_is_seen(virtual: Callable[..., VirtualPipeline]) -> None:
    """It counts as missing at once, so nothing resolves for lack of its errors."""
    world = virtual(tick_ms=500)
    world.alerter(RULE)
    good, bad = world.producer(), world.producer(ahead_ms=60_000)
    world.each_second(range(40), lambda _, at: good.send("request", [request(at)] * 10))
    world.each_second(range(10), lambda _, at: bad.send("request", [request(at, 500)] * 10))
    world.at(10.2, bad.kill)
    world.run_until(40)
    assert world.states == ["firing"]
