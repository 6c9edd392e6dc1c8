from dataclasses import replace

from barograph_console.store.pane_memory import PaneMemory
from barograph_core.store.pane_store import PackedPane
from tests.batches import decoded, panes_by_start, request


def packed(start_ms: int, duration_ms: float = 5.0) -> PackedPane:
    (pane,) = panes_by_start([decoded("request", [request(start_ms, duration_ms)])], 1_000).values()
    return PackedPane(start_ms, 0, 0, pane.pack())


def test_a_pane_is_unpacked_once() -> None:
    memory, one = PaneMemory(), packed(1_000)
    first = memory.unpack("ranker", 1_000, one)
    again = memory.unpack("ranker", 1_000, replace(one, revision=1, missing=2))
    assert again.pane is first.pane
    assert (again.revision, again.missing) == (1, 2)


def test_a_revised_pane_and_another_service_are_unpacked_anew() -> None:
    """By their bytes: a service that was deleted and came again may have the same start and revision."""
    memory = PaneMemory()
    first = memory.unpack("ranker", 1_000, packed(1_000))
    revised = memory.unpack("ranker", 1_000, packed(1_000, 9.0))
    assert revised.pane.pack() != first.pane.pack()
    assert memory.unpack("search", 1_000, packed(1_000)).pane is not first.pane


def test_the_panes_that_were_used_last_are_held() -> None:
    """Within a bound of bytes."""
    one, two = packed(1_000), packed(2_000)
    memory = PaneMemory(bound_bytes=len(one.content))
    first = memory.unpack("ranker", 1_000, one)
    memory.unpack("ranker", 1_000, two)
    assert memory.unpack("ranker", 1_000, one).pane is not first.pane
