"""What a trial says of the past agrees with what alerters did, and where it does not it says why."""

from collections.abc import Callable

from barograph_alerter.rules.rule import Rule
from barograph_alerter.trial.differences import Difference, differences
from barograph_alerter.trial.replay import replay
from barograph_alerter.trial.stored import read_recording
from barograph_core.store.pane_store import PaneStore
from tests.unit.alerter.build import rules_of
from tests.virtual_pipeline import SERVICE, T0, VirtualPipeline, request

RULE = """
[[rule]]
name = "r"
on = "request"
window = "5s"
when = "errors >= 20"
for = "2s"
keep_firing_for = "3s"
cooldown = "20s"
late = "fire"
"""


def tried(world: VirtualPipeline, rule: Rule) -> list[Difference]:
    store = PaneStore(world.connect(), world.keys, world.steps)
    recording = read_recording(store, world.steps, SERVICE, T0, world.clock.now_ms(), rule.looks)
    (course,) = replay([rule], recording)
    return differences(rule, recording, course.happened, world.transitions)


def test_a_trial_on_the_store_agrees_with_the_recorded_alerts(virtual: Callable[..., VirtualPipeline]) -> None:
    """Episode for episode, and transition for transition."""
    world = virtual(tick_ms=500)
    (rule,) = rules_of(RULE + 'fire_on = "closed"')
    world.alerter(RULE + 'fire_on = "closed"')
    api = world.producer()
    bad = {*range(10, 14), *range(25, 40)}
    world.each_second(
        range(70), lambda second, at: api.send("request", [request(at, 500 if second in bad else 200)] * 6)
    )
    world.run_until(70)
    store = PaneStore(world.connect(), world.keys, world.steps)
    recording = read_recording(store, world.steps, SERVICE, T0, world.clock.now_ms(), rule.looks)
    (course,) = replay([rule], recording)
    assert world.states == ["pending", "inactive", "pending", "firing", "resolved"]
    assert [(one.entry.after, one.entry.episode_ms) for one in course.happened] == [
        (entry.after, entry.episode_ms) for entry in world.transitions
    ]
    assert tried(world, rule) == []


def test_a_firing_that_came_too_late_for_the_alerter_is_explained(virtual: Callable[..., VirtualPipeline]) -> None:
    """The trial sees its events in their panes, where the alerter could not."""
    text = RULE.replace('for = "2s"', "").replace('late = "fire"', 'late = "ignore"')
    world = virtual(tick_ms=500)
    world.alerter(text)
    (rule,) = rules_of(text)
    api, slow = world.producer(), world.producer()
    world.each_second(range(90), lambda _, at: api.send("request", [request(at)] * 6))
    world.at(1, slow.say_goodbye)
    world.at(80, lambda: slow.send("request", [request(T0 + 8_000, 500)] * 30))
    world.run_until(90)
    (found,) = tried(world, rule)
    assert (found.only, found.began_ms) == ("trial", T0 + 9_000)
    assert found.reason == "revision: late events changed panes of its window after they were judged"
