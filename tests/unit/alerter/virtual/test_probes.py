"""A probe that the notifier sends is answered once its pane has been judged, whatever panes are kept."""

from collections.abc import Callable

import pytest

from barograph_core.keyspace.layout import Layout
from barograph_core.pipeline.probing.probe import ProbeSender, find_answer
from barograph_core.server.replies import as_entries
from tests.virtual_pipeline import VirtualPipeline

RULE = '[[rule]]\nname = "r"\non = "request"\nwindow = "1m"\nwhen = "errors > 3"\n'


@pytest.mark.parametrize("keep", ["1s:15m,10s:2h,1m:2d,1h:90d", "10s:2h,1m:2d,1h:30d", "1m:2d,1h:90d"])
def test_a_probe_is_answered_once_its_pane_is_judged(virtual: Callable[..., VirtualPipeline], keep: str) -> None:
    """By one of several alerters, once; by none while no aggregator counts it, and again when one does."""
    world = virtual(keep=keep, tick_ms=1_000)
    for _ in range(2):
        world.alerter(RULE)
    sender = ProbeSender(world.connection, world.keys, "barograph", "notifier:1")
    marks: list[int] = []
    for second in (5, 145, 300):
        world.at(second, lambda: marks.append(sender.send(Layout("baro").epoch)))
    world.at(140, lambda: setattr(world, "is_aggregating", False))
    world.at(280, lambda: setattr(world, "is_aggregating", True))

    def answered() -> list[int]:
        entries = as_entries(world.connection.command("XRANGE", world.keys.alerts, "-", "+"))
        assert all(entry.fields[b"kind"] == b"probe" for entry in entries)
        return [int(entry.fields[b"mark"]) for entry in entries]

    world.run_until(138)
    assert answered() == marks[:1]
    world.run_until(279)
    assert answered() == marks[:1]
    world.run_until(430)
    assert answered()[-1] == marks[2]
    assert len(set(answered())) == len(answered())
    assert find_answer(world.connection, world.keys, marks[2]) is not None
