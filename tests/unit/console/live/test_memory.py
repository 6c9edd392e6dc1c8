"""A page that is left open for hours: nothing in the console grows with the time."""

import gc
import tracemalloc

from barograph_console.access.identity import ANONYMOUS
from barograph_console.live.figures import ServiceFigures
from barograph_console.live.hub import Client, Hub
from barograph_core.panes.pane import Pane
from tests.support import FakeClock
from tests.unit.console.fakes import panes_of, requests

START_MS = 1_700_000_040_000
_TICKS = 20_000
_EARLY = 200


class NoSource:
    """Nothing is worked out: the test publishes by itself."""

    def follow(self, topic: str) -> None:
        assert topic == "web"

    def leave(self, topic: str) -> None:
        assert topic == "web"

    def make_snapshot(self, topic: str) -> None:
        assert topic == "web"


def pane_of(number: int) -> Pane:
    at_ms = START_MS + number * 1_000
    return panes_of([requests((at_ms, f"/r{number % 5}", 200, 1.0 + number % 50))])[0].pane


def test_memory_is_flat_over_twenty_thousand_ticks() -> None:
    """After 20,000 ticks the hub, a client that reads nothing and the figures take what they took after 200."""
    clock = FakeClock()
    hub = Hub(NoSource(), clock)
    slow, quick = (Client("192.0.2.1", ANONYMOUS, wake=lambda: None) for _ in range(2))
    figures = ServiceFigures(1_000, (1_000, 10_000, 60_000, 3_600_000), 500)
    for client in (slow, quick):
        assert hub.join(client)
        hub.subscribe(client, "web", hub.epoch, 0)
    early = 0
    tracemalloc.start()
    try:
        for number in range(_TICKS):
            clock.advance(1_000)
            figures.add(START_MS + number * 1_000, pane_of(number) if number % 50 == 0 else Pane.EMPTY, missing=0)
            if number % 60 == 0:
                figures.figures()
            hub.publish("web", "tick", f'"body":"{"x" * 5_000}{number}"')
            assert hub.next_message(quick) is not None
            if number == _EARLY:
                gc.collect()
                early = tracemalloc.get_traced_memory()[0]
        gc.collect()
        late = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert late - early < 2 << 20
