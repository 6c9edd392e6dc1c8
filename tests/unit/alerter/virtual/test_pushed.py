"""Pushed alerts under alerters at work: ended in time and once, acknowledged, and beside rules of our own."""

from collections.abc import Callable
from dataclasses import replace

from barograph_core.alerts.acknowledgement import Acknowledgement
from barograph_core.alerts.actions import apply_by_hand
from barograph_core.alerts.by_hand import acknowledge
from barograph_core.keyspace.layout import read_layout
from barograph_core.pushed.pushed_alert import PushedAlert
from barograph_core.pushed.pushing import PushedAlerts
from tests.virtual_pipeline import T0, VirtualPipeline, request

RULES = '[[rule]]\nname = "r"\non = "request"\nwindow = "5s"\nwhen = "errors >= 5"\n'
SILENCE = '[[rule]]\nname = "quiet"\non = "request"\nwindow = "5s"\nwhen = "count < 1"\nno_data = "alert"\n'
ONE = PushedAlert(service="node", alertname="Down", labels={"instance": "a"}, starts_ms=T0, ends_ms=T0 + 20_000)


def push(world: VirtualPipeline, alert: PushedAlert = ONE) -> None:
    layout = read_layout(world.connection, world.keys.prefix)
    assert PushedAlerts(world.connection, layout, 1_000).push([alert], world.clock.now_ms()) == []


def test_what_is_not_pushed_again_ends_at_its_time(virtual: Callable[..., VirtualPipeline]) -> None:
    """Nobody sends events of this service."""
    world = virtual(tick_ms=500)
    world.alerter(RULES)
    world.at(5, lambda: push(world))
    world.run_until(40)
    assert world.states == ["firing", "resolved"]
    assert world.told[1][2] == "not_pushed_again"
    assert 20 <= world.told[1][0] <= 22
    assert world.records("node") == []


def test_of_several_alerters_one_ends_it_though_another_died(virtual: Callable[..., VirtualPipeline]) -> None:
    world = virtual(tick_ms=500)
    first = world.alerter(RULES)
    world.alerter(RULES)
    world.alerter(RULES)
    world.at(5, lambda: push(world))
    world.at(15, lambda: world.alerters.remove(first))
    world.run_until(40)
    assert world.states == ["firing", "resolved"]


def test_an_alerter_that_starts_later_ends_what_lapsed_meanwhile(virtual: Callable[..., VirtualPipeline]) -> None:
    world = virtual(tick_ms=500)
    first = world.alerter(RULES)
    world.at(5, lambda: push(world))
    world.at(10, lambda: world.alerters.remove(first))
    world.run_until(30)
    assert world.states == ["firing"]
    world.alerter(RULES)
    world.run_until(35)
    assert world.states == ["firing", "resolved"]


def test_it_ends_while_no_aggregator_is_at_work(virtual: Callable[..., VirtualPipeline]) -> None:
    """There are no hints then, and the alerter had seen the service without alerts."""
    world = virtual(tick_ms=500)
    world.alerter(RULES)
    world.at(2, lambda: push(world, replace(ONE, ends_ms=T0 + 4_000)))
    world.run_until(12)
    assert world.states == ["firing", "resolved"]
    world.is_aggregating = False
    world.run_until(20)
    push(world, replace(ONE, starts_ms=T0 + 20_000, ends_ms=T0 + 32_000))
    world.run_until(45)
    assert world.states == ["firing", "resolved"] * 2


def test_a_refreshed_one_goes_on(virtual: Callable[..., VirtualPipeline]) -> None:
    world = virtual(tick_ms=500)
    world.alerter(RULES)
    for second in (5, 15, 25):
        until = T0 + second * 1_000 + 15_000
        world.at(second, lambda until=until: push(world, replace(ONE, ends_ms=until)))  # type: ignore[misc]  # bound now
    world.run_until(39)
    assert world.states == ["firing"]
    world.run_until(44)
    assert world.states == ["firing", "resolved"]


def test_an_acknowledgement_of_it_ends_in_time(virtual: Callable[..., VirtualPipeline]) -> None:
    world = virtual(tick_ms=500)
    world.alerter(RULES)
    world.at(1, lambda: push(world, replace(ONE, ends_ms=T0 + 60_000)))
    world.run_until(3)
    ack = Acknowledgement(actor="mira", at_ms=T0 + 3_000, note="", until_ms=T0 + 10_000)
    layout = read_layout(world.connection, world.keys.prefix)
    apply_by_hand(world.connection, layout, ONE.alert_id, lambda record: acknowledge(record, ack))
    assert [one.flag for one in world.transitions] == ["", "acknowledged"]
    world.run_until(15)
    assert [one.flag for one in world.transitions] == ["", "acknowledged", "unacknowledged"]


def test_a_rule_on_silence_does_not_speak_of_a_service_that_only_has_pushed_alerts(
    virtual: Callable[..., VirtualPipeline],
) -> None:
    world = virtual(tick_ms=500)
    world.alerter(SILENCE.replace('no_data = "alert"', 'no_data = "alert"\nno_data_for = "3s"'))
    world.at(1, lambda: push(world, replace(ONE, ends_ms=T0 + 60_000)))
    world.run_until(30)
    assert {one.rule for one in world.transitions} == {"ext/Down"}


def test_rules_of_our_own_judge_the_same_service(virtual: Callable[..., VirtualPipeline]) -> None:
    """It has events too, which began before and go on after the pushed alert."""
    world = virtual(tick_ms=500)
    world.alerter(RULES)
    api = world.producer("node")
    world.each_second(range(30), lambda s, at: api.send("request", [request(at, 500 if 10 <= s < 20 else 200)] * 3))
    world.at(5, lambda: push(world, replace(ONE, ends_ms=T0 + 12_000)))
    world.run_until(40)
    assert {(one.rule, one.after.value) for one in world.transitions} >= {
        ("ext/Down", "firing"),
        ("ext/Down", "resolved"),
        ("r", "firing"),
        ("r", "resolved"),
    }
    assert len([one for one in world.transitions if one.rule == "ext/Down"]) == 2


def test_events_of_a_service_that_was_listed_by_a_push_are_counted(virtual: Callable[..., VirtualPipeline]) -> None:
    world = virtual(tick_ms=500)
    world.alerter(RULES)
    world.at(1, lambda: push(world))
    api = world.producer("node")
    world.each_second(range(5, 12), lambda _, at: api.send("request", [request(at, 500)] * 3))
    world.run_until(30)
    assert [one.after.value for one in world.transitions if one.rule == "r"] == ["firing", "resolved"]
