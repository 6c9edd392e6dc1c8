"""The rule that ships for services whose producers went away without a goodbye."""

from collections.abc import Callable

from barograph_alerter.rules.pipeline_rules import PIPELINE_RULES
from tests.virtual_pipeline import VirtualPipeline, request


def test_a_killed_service_alerts_and_one_that_is_quiet_or_stopped_does_not(
    virtual: Callable[..., VirtualPipeline],
) -> None:
    """It ends when a producer reports again."""
    world = virtual(tick_ms=1_000, self_panes=True)
    world.alerter(PIPELINE_RULES)
    killed, quiet, stopped = (world.producer(name) for name in ("killed", "quiet", "stopped"))
    for producer in (killed, quiet, stopped):
        world.each_second(range(3), lambda _, at, api=producer: api.send("request", [request(at)]))  # type: ignore[misc]
    world.at(4, killed.kill)
    world.at(5, stopped.say_goodbye)
    world.at(150, lambda: world.producer("killed"))
    world.run_until(140)
    fired = [one for one in world.transitions if one.rule == "producer-silent"]
    assert [(one.after.value, one.labels["producers_of"]) for one in fired] == [
        ("pending", "killed"),
        ("firing", "killed"),
    ]
    assert fired[1].summary == "no producer of killed reports any more, and none said goodbye: killed, or cut off"
    world.run_until(180)
    states = [one.after.value for one in world.transitions if one.rule == "producer-silent"]
    assert states == ["pending", "firing", "resolved"]
    assert {one.rule for one in world.transitions} == {"producer-silent"}
