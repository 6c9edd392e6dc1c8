"""Silence as a condition: what should be there and is not."""

from collections.abc import Callable

from tests.virtual_pipeline import T0, VirtualPipeline, custom, request

MISSED = """
[[rule]]
name = "instance-silent"
on = "custom"
where = { name = "up" }
by = ["instance"]
window = "5s"
when = "value.avg < 1"
no_data = "alert"
no_data_for = "5s"
expect = "seen"
"""


def test_a_healthy_instance_that_dies_is_missed(virtual: Callable[..., VirtualPipeline]) -> None:
    """And only that one; the other goes on."""
    world = virtual(tick_ms=500)
    world.alerter(MISSED)
    first, second = world.producer(), world.producer()
    world.each_second(range(35), lambda _, at: first.send("custom", [custom("up", at, 1.0, instance="a")]))
    world.each_second(range(10), lambda _, at: second.send("custom", [custom("up", at, 1.0, instance="b")]))
    world.at(10.5, second.kill)
    world.run_until(35)
    assert world.states == ["pending", "firing"]
    assert world.transitions[-1].labels == {"name": "up", "instance": "b"}
    assert 19 <= world.told[-1][0] <= 23


def test_a_dead_service_is_no_all_clear_for_a_count(virtual: Callable[..., VirtualPipeline]) -> None:
    """It fires until producers are there again and send no errors."""
    world = virtual(tick_ms=1_000, no_data_ms=10_000)
    world.alerter('[[rule]]\nname = "r"\non = "request"\nwindow = "5s"\nwhen = "errors >= 20"\n')
    api = world.producer()
    world.each_second(range(10), lambda s, at: api.send("request", [request(at, 500 if s >= 4 else 200)] * 10))
    world.at(10, api.kill)
    world.run_until(45)
    assert world.states == ["firing"]
    again = world.producer()
    world.each_second(range(46, 56), lambda _, at: again.send("request", [request(at)] * 10))
    world.run_until(56)
    assert world.states == ["firing", "resolved"]


LISTED = """
[[rule]]
name = "instance-silent"
on = "custom"
where = { name = "up" }
by = ["instance"]
services = ["ranker"]
window = "5s"
when = "value.avg < 1"
no_data = "alert"
no_data_for = "5s"
expect = [{ instance = "a" }, { instance = "b" }, { instance = "c" }]
"""


def test_an_instance_that_never_came_is_missed(virtual: Callable[..., VirtualPipeline]) -> None:
    """It is listed; one that is not listed may go."""
    world = virtual(tick_ms=500)
    world.alerter(LISTED)
    api = world.producer()
    for instance, until in (("a", 30), ("b", 30), ("d", 5)):
        world.each_second(
            range(until),
            lambda _, at, instance=instance: api.send("custom", [custom("up", at, 1.0, instance=instance)]),  # type: ignore[misc]  # bound now
        )
    world.run_until(30)
    assert {one.labels["instance"] for one in world.transitions} == {"c"}
    assert world.states == ["pending", "firing"]


def test_a_series_that_has_just_begun_alerts_after_its_delay(virtual: Callable[..., VirtualPipeline]) -> None:
    """A canary that warms up with errors is left alone for 10 s; the others are judged as ever."""
    world = virtual(tick_ms=500)
    world.alerter(
        '[[rule]]\nname = "r"\non = "request"\nby = ["route"]\nwindow = "5s"\nwhen = "errors >= 3"\n'
        'new_series_delay = "10s"\n'
    )
    api = world.producer()
    world.each_second(range(40), lambda s, at: api.send("request", [request(at, 500 if s >= 30 else 200, route="/a")]))
    world.each_second(range(15, 40), lambda _, at: api.send("request", [request(at, 500, route="/b")]))
    world.run_until(40)
    first = {one.labels["route"]: (one.at_ms - T0) / 1_000 for one in reversed(world.transitions)}
    assert 32 <= first["/a"] <= 34
    assert 25 <= first["/b"] <= 28
