"""The series cap as one worker sees it: what it remembers, and when it asks again."""

import pytest

from barograph_aggregator.commit import series_cap
from barograph_aggregator.commit.series_cap import SeriesCap
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.workers.counters import WorkerCounters
from tests.batches import custom, decoded, panes_by_start, request
from tests.support import FakeClock, fake_connection

HOUR_MS = 3_600_000


class Desk:
    def __init__(self, cap: int) -> None:
        self.clock, self.counters, self.keys = FakeClock(), WorkerCounters(), ShardKeys()
        self.connection = fake_connection()
        self.series_cap = SeriesCap(self.connection, self.keys, cap, self.clock, self.counters)

    def admit(self, *routes: str) -> list[str]:
        """Return the routes that are left of one pane with these."""
        (pane,) = panes_by_start([decoded("request", [request(route=route) for route in routes])], 1_000).values()
        (admitted,) = self.series_cap.admit("ranker", [pane])
        return [route for route, _ in admitted.labels("request")]


def test_a_flood_of_series_does_not_forget_those_of_the_same_pane(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the memory is full it is emptied: what is needed now is asked for anew."""
    monkeypatch.setattr(series_cap, "_MAX_CACHED", 3)
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
    desk.series_cap.follow(1)
    assert desk.admit("/a", "/b", "/c") == ["/a", "/b", "__other__"]
    desk.series_cap.follow(1)
    assert desk.connection.command("ZCARD", desk.keys.series("ranker")) == 2


def test_a_series_that_is_refused_again_counts_once() -> None:
    """The counter is of series, not of questions."""
    desk = Desk(cap=1)
    desk.admit("/a", "/b")
    desk.clock.advance(HOUR_MS)
    desk.admit("/a", "/b")
    assert desk.counters["series_refused"] == 1


def test_what_is_folded_keeps_its_fixed_labels() -> None:
    """A rule on the queue's name still sees the tenants over the cap, as one."""
    desk = Desk(cap=10)
    events = [custom(float(number), tenant=f"t{number:02}") for number in range(15)]
    (pane,) = panes_by_start([decoded("custom", events)], 1_000).values()
    (admitted,) = desk.series_cap.admit("ranker", [pane])
    found = {row.labels: row.measures["value"].maximum for row in admitted.series("custom")}
    assert len(found) == 11
    assert found["queue", "tenant", "__other__"] == 14.0
    assert desk.counters["series_refused"] == 5


def test_the_series_that_others_are_folded_into_are_bounded_too() -> None:
    """A tenth of the cap more; a flood of names ends in the catch-all series, and nothing is lost."""
    desk = Desk(cap=10)
    events = [custom(1.0, name=f"n{number:02}", tenant="a") for number in range(30)]
    (pane,) = panes_by_start([decoded("custom", events)], 1_000).values()
    desk.series_cap.admit("ranker", [pane])
    (admitted,) = desk.series_cap.admit("ranker", [pane])
    counts = {row.labels: row.count for row in admitted.series("custom")}
    assert (len(counts), counts[("__other__",)], sum(counts.values())) == (12, 19, 30)
    assert desk.connection.command("ZCARD", desk.keys.series("ranker")) == 10
    assert desk.connection.command("ZCARD", desk.keys.folded("ranker")) == 1


def test_what_a_producer_has_folded_takes_no_place_of_the_cap() -> None:
    """Nor does what comes back from an export, in whatever order."""
    desk = Desk(cap=2)
    for tenants in (("__other__",), ("a", "b"), ("c",)):
        events = [custom(1.0, tenant=tenant) for tenant in tenants]
        (pane,) = panes_by_start([decoded("custom", events)], 1_000).values()
        (admitted,) = desk.series_cap.admit("ranker", [pane])
        if tenants == ("a", "b"):
            assert admitted.labels("custom") == pane.labels("custom")
    assert admitted.labels("custom") == [("queue", "tenant", "__other__")]
