"""What was judged without its events fires when they come."""

from collections.abc import Callable

import pytest

from tests.virtual_pipeline import VirtualPipeline, request

RULE = """
[[rule]]
name = "r"
on = "request"
window = "5s"
when = "errors >= 20"
late = "{late}"
"""


@pytest.mark.parametrize(("late", "expected"), [("fire", ["firing", "resolved"]), ("ignore", [])])
def test_a_burst_that_was_shipped_late_fires_late(
    virtual: Callable[..., VirtualPipeline], late: str, expected: list[str]
) -> None:
    """The producer was cut off for 20 s and hands in what it saw; once, and it recovers by itself."""
    world = virtual(tick_ms=500)
    world.alerter(RULE.format(late=late))
    api = world.producer()
    world.each_second(range(10), lambda _, at: api.send("request", [request(at)] * 6))

    def return_with(events: list[int]) -> None:
        api.is_alive = True
        for at_ms in events:
            api.send("request", [request(at_ms, 500)] * 6)

    cut_off_ms = world.clock.now_ms() + 12_000
    world.at(10, lambda: setattr(api, "is_alive", False))
    world.at(30, lambda: return_with([cut_off_ms + 1_000 * second for second in range(8)]))
    world.each_second(range(31, 60), lambda _, at: api.send("request", [request(at)] * 6))
    world.run_until(60)
    assert world.states == expected


def test_a_host_far_behind_is_not_unseen(virtual: Callable[..., VirtualPipeline]) -> None:
    """Its events always come after their panes were judged: the alert fires once, and stays until they end."""
    world = virtual(tick_ms=500)
    world.alerter(RULE.format(late="fire"))
    api = world.producer(ahead_ms=-12_000)
    world.each_second(
        range(50), lambda s, at: api.send("request", [request(at - 12_000, 500 if 15 <= s < 30 else 200)] * 6)
    )
    world.run_until(50)
    assert world.states == ["firing", "resolved"]
    assert world.told[0][0] < 22
    assert 30 <= world.told[1][0] < 50
