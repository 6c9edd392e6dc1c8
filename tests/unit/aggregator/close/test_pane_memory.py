"""What a worker has packed itself it does not read back, within a bound."""

import pytest

from barograph_aggregator.close.pane_memory import PaneMemory
from barograph_core.errors import MalformedEventError
from barograph_core.panes.pane import Pane
from tests.batches import decoded, panes_by_start, request


def pane_of(route: str) -> Pane:
    (pane,) = panes_by_start([decoded("request", [request(route=route)])], 1_000).values()
    return pane


def test_what_was_put_in_comes_back_as_it_was() -> None:
    """The very object: nothing is unpacked."""
    memory, pane = PaneMemory(), pane_of("/a")
    memory.put(pane.pack(), pane)
    assert memory.unpack(pane.pack()) is pane


def test_what_was_not_put_in_is_read() -> None:
    """Another worker packed it."""
    assert PaneMemory().unpack(pane_of("/a").pack()).labels("request") == [("/a", "GET")]


def test_foreign_bytes_are_refused_as_ever() -> None:
    """The memory is no way around the checks."""
    with pytest.raises(MalformedEventError):
        PaneMemory().unpack(b"foreign")


def test_the_oldest_are_forgotten_beyond_the_bound() -> None:
    """Room for two of three."""
    memory, panes = PaneMemory(max_bytes=20_000), [pane_of(route) for route in ("/a", "/b", "/c")]
    for pane in panes:
        memory.put(pane.pack(), pane)
    assert [memory.unpack(pane.pack()) is pane for pane in panes] == [False, True, True]
