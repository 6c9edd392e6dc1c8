"""Which services' panes are held, and what is read for those that are not."""

from collections.abc import Mapping, Sequence

from barograph_alerter.conditions.row import Look
from barograph_alerter.windows.pane_cache import PaneCache
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.steps import parse_keep
from barograph_core.store.pane_store import LiveView, PaneStore, StoredPane
from tests.support import FakeClock, fake_connection
from tests.unit.alerter.build import NOW, requests

STEPS = parse_keep("1s:15m,10s:2h")
BEGIN = NOW - NOW % 10_000
WINDOW = Look(30_000)


class Stored(PaneStore):
    """A pane each second of every service, and how many were read."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(fake_connection(), ShardKeys(), STEPS)
        self._clock = clock
        self.read_panes = 0
        self.pane = requests(ok=1)

    def server_ms(self) -> int:
        return self._clock.now_ms()

    def closed_through_ms(self, service: str) -> int | None:
        del service
        return self._clock.now_ms()

    def read(self, service: str, step_ms: int, from_ms: int, to_ms: int) -> list[StoredPane]:
        del service
        found = [StoredPane(start, 0, 0, self.pane) for start in range(from_ms, to_ms, step_ms)]
        self.read_panes += len(found)
        return found

    def read_live(self, service: str, from_ms: int, known: Mapping[int, int]) -> LiveView | None:
        del service
        through_ms = self._clock.now_ms()
        starts = [start for start in range(from_ms, through_ms, 1_000) if start not in known]
        self.read_panes += len(starts)
        return LiveView(through_ms, tuple(StoredPane(start, 0, 0, self.pane) for start in starts), {})


class Desk:
    """A cache that is asked for the newest window of services, second by second."""

    def __init__(self, max_panes: int) -> None:
        self.clock = FakeClock(BEGIN)
        self.store = Stored(self.clock)
        self.cache = PaneCache(self.store, STEPS, [WINDOW], max_panes=max_panes, clock=self.clock)

    def judge(self, services: Sequence[str], seconds: int) -> int:
        """Look at each service once a second, and return how many panes were read for that."""
        before = self.store.read_panes
        for _ in range(seconds):
            self.clock.advance(1_000)
            for service in services:
                panes = self.cache.refresh(service, self.clock.now_ms() - 1_000, 600_000)
                assert panes is not None
                window = panes.windows_at(panes.closed_through_ms)(WINDOW)
                assert window.rows("request", ())[()].series.count == 30
        return self.store.read_panes - before


def names(count: int) -> list[str]:
    return [f"s{number}" for number in range(count)]


def test_each_pane_of_a_service_that_is_held_is_read_once() -> None:
    """However many there are."""
    desk = Desk(10_000)
    desk.judge(names(20), 40)
    assert desk.judge(names(20), 30) == 20 * 30


def test_with_too_many_services_most_of_those_that_fit_stay() -> None:
    """To forget the one judged longest ago would be to read all panes of every service at every look."""
    desk = Desk(1_000)
    desk.judge(names(40), 40)
    everything = 40 * 30 * 30
    assert desk.judge(names(40), 30) < everything * 0.75
    assert desk.judge(names(10), 40) < 10 * 40 + everything // 40


def test_a_service_that_is_judged_no_more_makes_room() -> None:
    """For those that are."""
    desk = Desk(700)
    desk.judge(names(10), 40)
    others = [f"other{number}" for number in range(10)]
    desk.judge(others, 40)
    assert desk.judge(others, 30) == 10 * 30


def test_one_service_is_held_whatever_it_takes() -> None:
    """There is nothing to make room for."""
    desk = Desk(1)
    desk.judge(["s"], 40)
    assert desk.judge(["s"], 30) == 30
