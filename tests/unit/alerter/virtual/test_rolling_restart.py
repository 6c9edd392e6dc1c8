"""Alerters with different rules side by side: nothing ends, and nothing begins, that the newest set does not want."""

import random
from collections.abc import Callable

import pytest

from tests.virtual_pipeline import VirtualPipeline, request


def rule(name: str, when: str) -> str:
    return f'[[rule]]\nname = "{name}"\non = "request"\nwindow = "2s"\nwhen = "{when}"\ncooldown = "0s"\n'


KEPT = rule("kept", "errors >= 5")
ADDED = rule("added", "errors >= 4")
RENAMED = rule("renamed", "errors >= 5")
CHANGED = rule("kept", "errors >= 6")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (KEPT, KEPT + ADDED, {"kept": ["firing"], "added": ["firing"]}),
        (KEPT + ADDED, KEPT, {"kept": ["firing"], "added": ["firing", "resolved"]}),
        (KEPT, RENAMED, {"kept": ["firing", "resolved"], "renamed": ["firing"]}),
        (KEPT, CHANGED, {"kept": ["firing"]}),
    ],
    ids=["added", "removed", "renamed", "changed"],
)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_rolling_restart_gives_no_false_resolution(
    virtual: Callable[..., VirtualPipeline], old: str, new: str, expected: dict[str, list[str]], seed: int
) -> None:
    """Errors all the time; only a rule that is no longer there ends, once, and comes back for nobody."""
    rng = random.Random(seed)
    world = virtual(tick_ms=500)
    first = [world.alerter(old), world.alerter(old)]
    api = world.producer()
    world.each_second(range(2, 22), lambda _, at: api.send("request", [request(at, 500)] * 8))
    for second in range(1, 22):
        world.at(second + rng.random(), lambda: rng.shuffle(world.alerters))
    world.at(8, lambda: world.alerter(new))
    world.at(12, lambda: world.alerters.remove(first[0]))
    world.at(13, lambda: world.alerter(new))
    world.at(17, lambda: world.alerters.remove(first[1]))
    world.run_until(22)
    told: dict[str, list[str]] = {}
    for one in world.transitions:
        told.setdefault(one.rule, []).append(one.after.value)
    assert told == expected
