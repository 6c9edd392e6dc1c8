"""The series cap as one worker sees it: what it remembers, and when it asks again."""

import pytest

from barograph_aggregator import admission
from barograph_aggregator.admission import Admission
from barograph_core.keys import ShardKeys
from barograph_core.self_metrics import Counters
from tests.batches import decoded, panes_by_start, request
from tests.support import FakeClock, fake_connection

HOUR_MS = 3_600_000


class Desk:
    def __init__(self, cap: int) -> None:
        self.clock, self.counters, self.keys = FakeClock(), Counters(), ShardKeys()
        self.connection = fake_connection()
        self.admission = Admission(self.connection, self.keys, cap, self.clock, self.counters)

    def admit(self, *routes: str) -> list[str]:
        """Return the routes that are left of one pane with these."""
        (pane,) = panes_by_start([decoded("request", [request(route=route) for route in routes])], 1_000).values()
        (admitted,) = self.admission.admit("ranker", [pane])
        return [route for route, _ in admitted.labels("request")]


def test_a_flood_of_series_does_not_forget_those_of_the_same_pane(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the memory is full it is emptied: what is needed now is asked for anew."""
    monkeypatch.setattr(admission, "_REMEMBERED", 3)
    desk = Desk(cap=2)
    desk.admit("/a", "/b", "/c")
    assert desk.admit("/a", "/d") == ["/a", "__other__"]


def test_a_verdict_is_asked_for_again_after_an_hour() -> None:
    """Asking keeps the place of a series that lives, and gives a refused one a place that has come free."""
    desk = Desk(cap=1)
    desk.admit("/a", "/b")
    desk.connection.command("ZREM", desk.keys.series("ranker"), '["request","/a","GET"]')
    before = desk.admit("/b")
    desk.clock.advance(HOUR_MS)
    assert (before, desk.admit("/b")) == (["__other__"], ["/b"])


def test_what_was_told_before_a_list_was_dropped_is_asked_for_again() -> None:
    """A service was deleted or has retired: without asking, the places would be given away beside its series."""
    desk = Desk(cap=2)
    desk.admit("/a", "/b")
    desk.connection.command("DEL", desk.keys.series("ranker"))
    desk.admission.follow(1)
    assert desk.admit("/a", "/b", "/c") == ["/a", "/b", "__other__"]
    desk.admission.follow(1)
    assert desk.connection.command("ZCARD", desk.keys.series("ranker")) == 2


def test_a_series_that_is_refused_again_counts_once() -> None:
    """The counter is of series, not of questions."""
    desk = Desk(cap=1)
    desk.admit("/a", "/b")
    desk.clock.advance(HOUR_MS)
    desk.admit("/a", "/b")
    assert desk.counters["series_refused"] == 1
