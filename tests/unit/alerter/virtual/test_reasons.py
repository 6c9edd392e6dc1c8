"""Why an alert fires, goes on or ends stands in a field, on the entry and in its record."""

from collections.abc import Callable

import pytest

from tests.virtual_pipeline import VirtualPipeline, request

ERRORS = """
[[rule]]
name = "errors"
on = "request"
window = "5s"
when = "errors >= 20"
no_data_for = "5s"
"""


def test_late_events_are_the_reason(virtual: Callable[..., VirtualPipeline]) -> None:
    """The producer was cut off for 20 s and hands in what it saw."""
    world = virtual(tick_ms=500)
    world.alerter(ERRORS)
    api = world.producer()
    world.each_second(range(10), lambda _, at: api.send("request", [request(at)] * 6))
    cut_off_ms = world.clock.now_ms() + 12_000
    world.at(10, lambda: setattr(api, "is_alive", False))
    world.at(30, lambda: api.send("request", [request(cut_off_ms + 100 * n, 500) for n in range(40)]))
    world.run_until(32)
    assert [(state, reason) for _, state, reason in world.told] == [("firing", "late")]
    assert [record.reason for record in world.records()] == ["late"]


def test_a_count_that_nobody_can_count_down_says_so(virtual: Callable[..., VirtualPipeline]) -> None:
    """It fired by its condition; it goes on because the service is dead."""
    world = virtual(tick_ms=1_000, no_data_ms=10_000)
    world.alerter(ERRORS.replace('no_data_for = "5s"', ""))
    api = world.producer()
    world.each_second(range(10), lambda s, at: api.send("request", [request(at, 500 if s >= 4 else 200)] * 10))
    world.at(10, api.kill)
    world.run_until(9)
    assert [record.reason for record in world.records()] == [""]
    world.run_until(45)
    assert [record.reason for record in world.records()] == ["no_events"]
    assert [(state, reason) for _, state, reason in world.told] == [("firing", "")]


@pytest.mark.parametrize(("no_data_ms", "reason"), [(300_000, "recovered_partly"), (6_000, "")])
def test_a_partial_recovery_names_the_missing_instances(
    virtual: Callable[..., VirtualPipeline], no_data_ms: int, reason: str
) -> None:
    """At most ten of them. Where the dead ones count as gone, there is nothing partial."""
    world = virtual(tick_ms=500, no_data_ms=no_data_ms)
    world.alerter(ERRORS)
    good, *bad = [world.producer() for _ in range(13)]
    world.each_second(range(30), lambda _, at: good.send("request", [request(at)] * 3))
    for one in bad:
        world.each_second(range(5), lambda _, at, one=one: one.send("request", [request(at, 500)] * 3))  # type: ignore[misc]  # bound now
        world.at(5.2, one.kill)
    world.run_until(30)
    ended = world.transitions[-1]
    assert (ended.after.value, ended.reason) == ("resolved", reason)
    assert ended.missing == (tuple(sorted(one.name for one in bad)[:10]) if reason else ())


INSTANCES = """
[[rule]]
name = "instance-silent"
on = "request"
by = ["route"]
window = "5s"
when = "duration_ms.p95 > 5000"
no_data = "alert"
no_data_for = "5s"
expect = "seen"
"""


@pytest.mark.parametrize(
    ("is_killed", "no_data_ms", "reason"),
    [(False, 300_000, "no_traffic"), (True, 300_000, "lagging"), (True, 8_000, "producers_dead")],
)
def test_why_there_is_no_data(
    virtual: Callable[..., VirtualPipeline], is_killed: bool, no_data_ms: int, reason: str
) -> None:
    """Its producers live and have nothing to say, are missing, or are gone."""
    world = virtual(tick_ms=500, no_data_ms=no_data_ms)
    world.alerter(INSTANCES)
    api = world.producer()
    world.each_second(range(10), lambda _, at: api.send("request", [request(at)]))
    if is_killed:
        world.at(10.2, api.kill)
    world.run_until(40)
    assert world.told[-1][1:] == ("firing", reason)
    assert [record.reason for record in world.records()] == [reason]
