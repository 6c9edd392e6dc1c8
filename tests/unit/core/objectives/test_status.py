"""How objectives stand, read from panes of several steps and compared with a count of the events themselves."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

import pytest

from barograph_core.alerts.published_rules import PublishedRule, PublishedSlo, PublishedWindows
from barograph_core.alerts.record import Severity
from barograph_core.objectives.ledger import StoreNow, kept_span_ms, reach_of
from barograph_core.objectives.status import ServiceObjectives, SloStatus
from barograph_core.panes.pane import Pane
from barograph_core.steps import parse_keep
from barograph_core.store.pane_store import StoredPane
from tests.unit.alerter.build import requests

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
STEPS = parse_keep("1s:15m,10s:2h,1m:2d,1h:90d")
# A multiple of an hour and 7 minutes and 13 seconds more: no window begins on a whole pane.
END_MS = 1_700_006_400_000 + 433_000


def slo(good: str = "errors == 0", period_ms: int = DAY_MS, **facts: object) -> PublishedRule:
    windows = (
        PublishedWindows(Severity.CRITICAL, 14.4, HOUR_MS, 300_000),
        PublishedWindows(Severity.WARNING, 1.0, 6 * HOUR_MS, 1_800_000),
    )
    return PublishedRule(
        name="o",
        on="request",
        severity=Severity.WARNING,
        window_ms=300_000,
        when="x",
        slo=PublishedSlo(good, 0.99, period_ms, 20, windows),
        **facts,  # type: ignore[arg-type]  # by name
    )


class Store:
    """Panes of every step, as aggregators make them of ``events``: time in ms -> the events of that second."""

    def __init__(self, events: Mapping[int, Pane], end_ms: int = END_MS, revision: int = 0) -> None:
        self.end_ms = end_ms
        self.asked: list[tuple[int, int]] = []
        self.panes: dict[int, dict[int, StoredPane]] = {}
        for step in STEPS:
            parts: dict[int, list[Pane]] = {}
            for at_ms, pane in events.items():
                start_ms = at_ms - at_ms % step.step_ms
                if start_ms + step.step_ms <= end_ms and start_ms + step.step_ms > end_ms - step.keep_ms:
                    parts.setdefault(start_ms, []).append(pane)
            self.panes[step.step_ms] = {
                start_ms: StoredPane(start_ms, revision, 0, Pane.merge(own)) for start_ms, own in parts.items()
            }

    def read_changed(
        self, service: str, step_ms: int, from_ms: int, to_ms: int, known: Mapping[int, int]
    ) -> Sequence[StoredPane]:
        assert service == "shop"
        found = [
            one
            for start_ms, one in sorted(self.panes[step_ms].items())
            if from_ms <= start_ms < to_ms and known.get(start_ms) != one.revision
        ]
        self.asked += [(step_ms, one.start_ms) for one in found]
        return found

    @property
    def now(self) -> StoreNow:
        return StoreNow(STEPS, self.end_ms, self.end_ms)


def read(store: Store, *rules: PublishedRule) -> list[SloStatus]:
    return ServiceObjectives("shop", rules).read(store, store.now)


def traffic(seed: int, seconds: int, every: int = 97) -> dict[int, Pane]:
    """Return some events every few seconds until the end, of two routes, a tenth of them bad by either test."""
    rolled = random.Random(seed)
    found: dict[int, Pane] = {}
    for at_ms in range(END_MS - seconds * 1_000, END_MS, every * 1_000):
        route, bad = rolled.choice(["/a", "/b"]), rolled.random() < 0.1
        found[at_ms] = three_of(route, bad=bad)
    return found


@lru_cache
def three_of(route: str, *, bad: bool) -> Pane:
    return requests(ok=0 if bad else 3, errors=3 if bad else 0, route=route, duration_ms=900 if bad else 9)


def counted(events: Mapping[int, Pane], span_ms: int, step_ms: int, route: str = "") -> tuple[int, int]:
    """Count the events of a window whose beginning is rounded down to a whole pane: all of them, and bad ones."""
    from_ms = END_MS - span_ms
    from_ms -= from_ms % step_ms
    total = bad = 0
    for at_ms, pane in events.items():
        for series in pane.series("request"):
            if at_ms >= from_ms and route in ("", series.labels[0]):
                total, bad = total + series.count, bad + series.errors
    return total, bad


@pytest.mark.parametrize("good", ["errors == 0", "status < 500", "duration_ms < 300"])
@pytest.mark.parametrize("seed", range(2))
def test_budget_and_burn_rates_are_those_of_the_events(good: str, seed: int) -> None:
    """Each window at the steps that the answer states, its beginning rounded down to one of their panes."""
    events = traffic(seed, 30 * 3_600)
    (status,) = read(Store(events), slo(good))
    total, bad = counted(events, DAY_MS, status.step_ms)
    assert (status.spent.total, status.spent.total - status.spent.passed, status.spent.in_doubt) == (total, bad, 0)
    assert status.left == pytest.approx(1 - bad / total / 0.01)
    assert status.step_ms == 60_000
    for burn, steps in zip(status.windows, [(60_000, 1_000), (60_000, 10_000)], strict=True):
        assert (burn.long_step_ms, burn.short_step_ms) == steps
        for span_ms, step_ms, rate in (
            (burn.pair.long_ms, burn.long_step_ms, burn.long_rate),
            (burn.pair.short_ms, burn.short_step_ms, burn.short_rate),
        ):
            total, bad = counted(events, span_ms, step_ms)
            assert rate == pytest.approx(bad / total / 0.01)
        assert burn.short_events == counted(events, burn.pair.short_ms, burn.short_step_ms)[0]


def test_each_label_set_has_a_budget_of_its_own() -> None:
    """With ``by``, and only of what ``where`` means."""
    events = traffic(3, 7_200)
    found = read(Store(events), slo(by=("route",)))
    assert [status.labels for status in found] == [{"route": "/a"}, {"route": "/b"}]
    for status in found:
        total, bad = counted(events, DAY_MS, 60_000, status.labels["route"])
        assert (status.spent.total, status.spent.total - status.spent.passed) == (total, bad)
    (only,) = read(Store(events), slo(where={"route": "/b"}))
    assert only.spent == found[1].spent


def test_a_pane_is_read_once_and_again_when_it_is_revised() -> None:
    """A month of panes must not cost a month at every look."""
    events = traffic(1, 3 * 3_600)
    objectives = ServiceObjectives("shop", [slo()])
    store = Store(events)
    first = objectives.read(store, store.now)
    assert len(store.asked) > 60
    store.asked.clear()
    assert objectives.read(store, store.now) == first
    assert store.asked == []
    (revised_ms, held), *_ = store.panes[60_000].items()
    more = Pane.merge([held.pane, requests(errors=50)])
    store.panes[60_000][revised_ms] = StoredPane(revised_ms, held.revision + 1, 0, more)
    (status,) = objectives.read(store, store.now)
    assert store.asked == [(60_000, revised_ms)]
    assert status.spent.total == first[0].spent.total + 50


def test_what_has_left_the_window_is_forgotten() -> None:
    """An hour later the counts are those of an hour later."""
    events = {END_MS - 3_000_000: requests(errors=30), END_MS - 10_000: requests(ok=30)}
    objectives = ServiceObjectives("shop", [slo()])
    store = Store(events)
    (before,) = objectives.read(store, store.now)
    later = Store(events, END_MS + HOUR_MS)
    (after,) = objectives.read(later, later.now)
    assert before.windows[0].long_rate == pytest.approx(50.0)
    assert after.windows[0].long_rate == 0.0
    assert (before.spent.total, after.spent.total) == (60, 60)


def test_without_events_nothing_is_spent_and_nothing_is_known_to_burn() -> None:
    """The whole service always has a row; a label set only with events."""
    (status,) = read(Store({}), slo())
    assert (status.left, status.burn_rate, status.exhausted_in_ms, status.covered_from_ms) == (1.0, None, None, None)
    assert status.covered_ms == 0
    assert not status.windows[0].is_burning
    assert read(Store({}), slo(by=("route",))) == []


def test_a_young_service_says_how_much_of_the_period_it_has() -> None:
    """The budget is that of the events there are."""
    (status,) = read(Store(traffic(2, 6 * 3_600)), slo(period_ms=30 * DAY_MS))
    assert status.covered_from_ms is not None
    assert 5.9 * HOUR_MS <= status.covered_ms <= 7 * HOUR_MS
    assert status.step_ms == HOUR_MS


def test_a_pair_burns_when_both_windows_do_and_the_short_one_has_enough_events() -> None:
    """As the alerter judges."""
    burning = {END_MS - 60_000: requests(ok=10, errors=10)}
    assert [one.is_burning for one in read(Store(burning), slo())[0].windows] == [True, True]
    few = {END_MS - 60_000: requests(ok=9, errors=10)}
    assert [one.is_burning for one in read(Store(few), slo())[0].windows] == [False, False]
    over = {END_MS - 2_000_000: requests(errors=20), END_MS - 60_000: requests(ok=20)}
    assert [one.is_burning for one in read(Store(over), slo())[0].windows] == [False, False]


def test_the_line_of_a_budget_ends_at_what_is_left() -> None:
    """It begins whole with the first event, and falls with each bad one."""
    hours = range(23, 0, -1)
    events = {END_MS - hour * HOUR_MS: requests(ok=999, errors=1 if hour == 12 else 0) for hour in hours}
    (status,) = read(Store(events), slo())
    line = [None if one is None else round(one, 6) for one in status.burn_down]
    assert len(line) == 60
    assert line[0] is None
    known = [one for one in line if one is not None]
    assert known[0] == 1.0
    assert known[-1] == round(status.left, 6) == round(1 - 1 / (23 * 999 + 1) / 0.01, 6)
    assert sorted(known, reverse=True) == known


def test_a_window_that_is_kept_in_part_is_read_in_part() -> None:
    """No step is kept for 200 days: the budget is that of the ninety that are."""
    assert kept_span_ms(200 * DAY_MS, STEPS) == 90 * DAY_MS - HOUR_MS
    reach = reach_of(StoreNow(STEPS, END_MS, END_MS), 200 * DAY_MS)
    assert reach.step_ms == HOUR_MS
    assert END_MS - 90 * DAY_MS <= reach.from_ms <= END_MS - 90 * DAY_MS + HOUR_MS
    assert [run.step_ms for run in reach.runs] == [HOUR_MS, 60_000, 10_000, 1_000]
    assert reach_of(StoreNow(STEPS, 0, END_MS), DAY_MS).runs == ()


def test_an_objective_of_a_newer_version_is_left_out() -> None:
    """A console that does not know a test shows the others."""
    newer = replace(slo("loudness < 3"), name="newer")
    assert [status.rule.name for status in read(Store({}), newer, slo())] == ["o"]
