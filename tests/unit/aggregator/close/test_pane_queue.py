"""A queue of panes as a closer sees it: oldest first, whatever lies before them, and never all of its time."""

from barograph_aggregator.close.pane_queue import OpenPane, PaneQueue
from barograph_core.server.connection import Connection
from tests.support import fake_connection

KEY = "queue"


def filled(connection: Connection, *panes: OpenPane) -> PaneQueue:
    for at in range(0, len(panes), 1_000):
        pairs = [item for pane in panes[at : at + 1_000] for item in (pane.end_ms, pane.member)]
        connection.command("ZADD", KEY, *pairs)
    queue = PaneQueue(connection, KEY)
    queue.begin_tick()
    return queue


def test_a_pane_is_named_as_it_is_read() -> None:
    pane = OpenPane(70_000, 10_000, "a.b-c_d")
    assert (pane.member, OpenPane.parse(pane.member)) == ("a.b-c_d:10000:60000", pane)


def test_each_pane_is_found_once_over_many_pages() -> None:
    """Also where more of them end at the same time than a page holds."""
    panes = [OpenPane(end, 1_000, f"service{number}") for end in (1_000, 2_000, 3_000) for number in range(1_300)]
    queue = filled(fake_connection(), *panes)
    assert queue.take(3_000, 10_000, lambda _: True) == sorted(panes)
    assert queue.take(2_000, 10_000, lambda _: True) == sorted(panes)[:2_600]


def test_the_oldest_that_may_be_closed_are_taken() -> None:
    panes = [OpenPane(end * 1_000, 1_000, "ranker") for end in range(1, 3_001)]
    queue = filled(fake_connection(), *panes)
    assert queue.take(3_000_000, 2, lambda pane: pane.end_ms > 2_500_000) == panes[2_500:2_502]


def test_of_a_held_service_one_pane_is_tried_when_it_is_time() -> None:
    panes = [OpenPane(end, 1_000, service) for end in (1_000, 2_000) for service in ("a", "b")]
    queue = filled(fake_connection(), *panes)
    queue.hold("a", ticks=2)
    found: list[list[str]] = []
    for _ in range(3):
        found.append([f"{pane.service}{pane.end_ms}" for pane in queue.take(2_000, 10, lambda _: True)])
        queue.begin_tick()
    assert found == [["b1000", "b2000"], ["b1000", "b2000"], ["a1000", "b1000", "b2000"]]
    queue.release("a")
    assert queue.take(2_000, 10, lambda _: True) == panes


def test_after_a_long_look_the_next_is_later() -> None:
    """A week's panes that cannot close cost the others time, not all of it."""
    panes = [OpenPane(end * 1_000, 1_000, "stuck") for end in range(1, 12_001)]
    queue = filled(fake_connection(), *panes, OpenPane(13_000_000, 1_000, "ranker"))
    queue.hold("stuck", ticks=100)
    found: list[int] = []
    for _ in range(5):
        found.append(len(queue.take(13_000_000, 10, lambda _: True)))
        queue.begin_tick()
    assert found == [1, 0, 1, 0, 1]
