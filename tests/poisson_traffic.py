"""Poisson traffic on several instances, as an alerter sees it pane by pane: open, then closed, in virtual time.

What is judged is judged by the alerter's own code. Simulated are the producers, which ship each 250 ms and soon after
an error or a slow request, and aggregators that close a pane once every instance has shipped beyond its end. So the
looks at an open pane are not random ones: they follow errors.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from statistics import NormalDist
from typing import Final

import numpy as np

from barograph_alerter.conditions.row import Look
from barograph_alerter.judge.evaluation import EvaluationErrors, evaluate
from barograph_alerter.judge.plan import RulePlan
from barograph_alerter.judge.verdict import EvaluationTime, WindowOf
from barograph_alerter.rules.rule import Rule
from barograph_alerter.windows.held_panes import RECENT_PANES
from barograph_alerter.windows.ring import PaneRing
from barograph_alerter.windows.window import Window
from barograph_core.alerts.record import AlertState
from barograph_core.alerts.state import ServiceState
from barograph_core.decode.block import EventBlock
from barograph_core.numerics.arrays import BoolArray, FloatArray, IntArray
from barograph_core.panes.pane import Pane
from tests.batches import decoded, request
from tests.unit.alerter.build import rules_of

SERVICE: Final = "ranker"
THRESHOLD: Final = 0.05
SLOW_MS: Final = 500.0
# Each is close to its threshold: the share of errors, and of requests slower than ``SLOW_MS``, is set by the traffic.
RULES: Final = f"""
[[rule]]
name = "errors"
on = "request"
window = "10s"
when = "error_rate > {THRESHOLD} and count >= 20"
[[rule]]
name = "p95"
on = "request"
window = "10s"
when = "duration_ms.p95 > {SLOW_MS:g} and count >= 20"
"""
STEP_MS: Final = 1_000
_T0: Final = 1_700_006_400_000
_SHIP_EVERY_MS: Final = 250
_TICK_MS: Final = 25
# Of a producer: it ships at once for an error or a request of a second, at most ten times a second once it has used
# up its burst.
_WAKE_EVERY_MS: Final = 100
_WAKE_SLOW_MS: Final = 1_000.0


@dataclass(frozen=True, slots=True)
class Traffic:
    """What comes.

    Attributes:
        per_s: Requests a second of all instances together, on average outside bursts.
        bad_share: True share of requests that fail, and, independently, of those slower than ``SLOW_MS``.
        instances: Number of producers.
        burst: How many times as many requests come during a burst; 1: there are none.
        burst_every_s: How often a burst of 5 s begins, on average.
        behind_ms: How far the clock of one instance, by which its events are dated, is behind.
    """

    per_s: float
    bad_share: float
    instances: int = 4
    burst: float = 1.0
    burst_every_s: float = 60.0
    behind_ms: int = 0


@dataclass(slots=True)
class Truth:
    """What one alerter made of the traffic.

    Attributes:
        claimed: Rule and end of each window that was in breach for certain while its newest pane was open.
        contradicted: Those of them that are not in breach once it is closed.
        episodes: Rule, beginning and end of each episode that is over, in ms.
    """

    claimed: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]])
    contradicted: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]])
    episodes: set[tuple[str, int, int]] = field(default_factory=set[tuple[str, int, int]])

    @property
    def contradicted_share(self) -> float:
        return len(self.contradicted) / max(1, len(self.claimed))


@dataclass(frozen=True, slots=True)
class _Requests:
    """The requests of one instance within a second."""

    times_ms: FloatArray
    failed: BoolArray
    durations_ms: FloatArray

    @property
    def wakes_at(self) -> FloatArray:
        return self.times_ms[self.failed | (self.durations_ms >= _WAKE_SLOW_MS)]


class _Instance:
    """One producer: what it holds back, and when it ships."""

    def __init__(self, phase_ms: int, behind_ms: int = 0) -> None:
        self._phase_ms = phase_ms
        self._behind_ms = behind_ms
        self._held: list[_Requests] = []
        self._woken_ms = 0.0
        self.through_ms = 0.0

    def record(self, requests: _Requests) -> None:
        self._held.append(requests)

    @property
    def heard_ms(self) -> float:
        """Return until when it has shipped, by the server's clock. ``through_ms`` is so by its own."""
        return self.through_ms + self._behind_ms

    def ships_at(self, server_ms: int) -> bool:
        now_ms = server_ms - self._behind_ms
        is_due = (now_ms - self._phase_ms) % _SHIP_EVERY_MS == 0
        if not is_due and now_ms - self._woken_ms >= _WAKE_EVERY_MS:
            is_due = any(((held.wakes_at >= self.through_ms) & (held.wakes_at < now_ms)).any() for held in self._held)
            self._woken_ms = now_ms if is_due else self._woken_ms
        return is_due

    def ship(self, server_ms: int) -> list[_Requests]:
        """Return what was recorded since the last time."""
        now_ms = server_ms - self._behind_ms
        shipped: list[_Requests] = []
        for held in self._held:
            first, end = np.searchsorted(held.times_ms, (self.through_ms, now_ms))
            if end > first:
                shipped.append(
                    _Requests(held.times_ms[first:end], held.failed[first:end], held.durations_ms[first:end])
                )
        self._held = [held for held in self._held if len(held.times_ms) and held.times_ms[-1] >= now_ms]
        self.through_ms = now_ms
        return shipped


class _Panes:
    """The closed and open panes of the service."""

    def __init__(self) -> None:
        self._ring = PaneRing(STEP_MS)
        self.opened: dict[int, Pane] = {}
        self.closed_ms = _T0
        self._recent: list[Window] = []
        # Numbers of the label sets of a request that succeeds and one that fails.
        sample = decoded("request", [request(_T0), request(_T0, status=500)]).block
        self._sample = sample
        self._ok, self._failed = sample.label_sets.tolist()

    def add(self, requests: Sequence[_Requests]) -> None:
        times = np.concatenate([one.times_ms for one in requests]).astype(np.int64)
        failed = np.concatenate([one.failed for one in requests])
        block: EventBlock = replace(
            self._sample,
            times_ms=times,
            label_sets=np.where(failed, self._failed, self._ok),
            columns=(np.concatenate([one.durations_ms for one in requests]),),
            entry_of=np.zeros(len(times), np.int64),
        )
        for (_, start_ms), pane in Pane.of_blocks([block], STEP_MS).items():
            self.opened[start_ms] = Pane.merge([self.opened.get(start_ms, Pane.EMPTY), pane])

    def close_next(self) -> int:
        """Close the oldest open pane and return its end."""
        self._ring.put(self.closed_ms, 0, 0, self.opened.pop(self.closed_ms, Pane.EMPTY))
        self.closed_ms += STEP_MS
        self._ring.forget_before(self.closed_ms - 60 * STEP_MS)
        spans = (RECENT_PANES * STEP_MS, STEP_MS)
        self._recent = [Window(self._ring.merged(self.closed_ms - span, self.closed_ms), span) for span in spans]
        return self.closed_ms

    def recent(self, arrived_ms: float) -> list[Window]:
        if not self._recent:
            return []
        so_far_ms = max(_SHIP_EVERY_MS, int(arrived_ms) - self.closed_ms)
        return [*self._recent, Window(Pane.merge(list(self.opened.values())), so_far_ms)]

    def windows_at(self, end_ms: int) -> WindowOf:
        windows: dict[Look, Window] = {}

        def window_of(look: Look) -> Window:
            if look not in windows:
                closed = self._ring.merged(end_ms - look.span_ms, min(end_ms, self.closed_ms))
                later = [pane for start_ms, pane in self.opened.items() if start_ms < end_ms]
                windows[look] = Window(Pane.merge([closed, *later]), look.span_ms)
            return windows[look]

        return window_of


@dataclass(frozen=True, slots=True)
class _Times:
    """By when all has arrived, by the producers' clocks and by the server's, the present time, the open pane's end."""

    shipped_ms: float
    heard_ms: float
    now_ms: int
    end_ms: int


# How an alerter sees until when all has arrived.
Arrived = Callable[[_Times], float]


def for_the_rest_of_the_pane(times: _Times) -> float:
    """Let come what has not arrived until the end of the pane: as the alerter does."""
    return times.shipped_ms


def for_the_rest_by_the_servers_clock(times: _Times) -> float:
    """Let come no more because a clock is behind: a control, because events of a time then come later."""
    return times.heard_ms


def for_the_lag_alone(times: _Times) -> float:
    """Let come only what has happened already: the control, because much of the pane is still to happen."""
    return times.end_ms - (times.now_ms - times.shipped_ms)


class _Alerter:
    """Judges the same panes as others, in its own way."""

    def __init__(self, rules: Sequence[Rule], arrived: Arrived | None) -> None:
        self.truth = Truth()
        self._plan = RulePlan(rules if arrived else [replace(rule, fire_on="closed") for rule in rules])
        # Rules that never fire: what they make of a moment shows whether its window is in breach.
        self._probes = RulePlan([replace(rule, for_ms=86_400_000) for rule in rules])
        self._arrived = arrived
        self._state = ServiceState()
        self._begun_ms: dict[str, int] = {}

    def look(
        self, panes: _Panes, windows: dict[int, WindowOf], moment: EvaluationTime, now_ms: int, heard_ms: float
    ) -> None:
        """Judge an open or a closed pane."""
        if not moment.is_closed:
            if self._arrived is None:
                return
            times = _Times(moment.arrived_ms, heard_ms, now_ms, moment.end_ms)
            moment = replace(moment, arrived_ms=self._arrived(times))
        window_of = windows.setdefault(moment.end_ms, panes.windows_at(moment.end_ms))
        self._note_verdicts(window_of, moment)
        changes = evaluate(
            SERVICE, self._plan, self._state, window_of, moment, now_ms=now_ms, errors=EvaluationErrors()
        )
        for change in changes:
            told = change.transition
            if told is not None and told.after is AlertState.FIRING:
                self._begun_ms[told.rule] = told.episode_ms
            elif told is not None:
                self.truth.episodes.add((told.rule, self._begun_ms.pop(told.rule), moment.end_ms))

    def _note_verdicts(self, window_of: WindowOf, moment: EvaluationTime) -> None:
        found = evaluate(SERVICE, self._probes, ServiceState(), window_of, moment, now_ms=0, errors=EvaluationErrors())
        in_breach = {(change.record.rule, moment.end_ms) for change in found if change.record is not None}
        if moment.is_closed:
            self.truth.contradicted |= {one for one in self.truth.claimed if one[1] == moment.end_ms} - in_breach
        else:
            self.truth.claimed |= in_breach


def simulate(traffic: Traffic, seconds: int, seed: int) -> dict[str, Truth]:
    """Return what alerters made of so many seconds of ``traffic``.

    Returns:
        ``alerter``: the product's; ``closed``: one that looks at closed panes only; ``lag alone``: the control, and
        ``server's clock`` where a clock is behind.
    """
    rng = np.random.default_rng(seed)
    rules = rules_of(RULES)
    alerters = {
        "alerter": _Alerter(rules, for_the_rest_of_the_pane),
        "lag alone": _Alerter(rules, for_the_lag_alone),
        "closed": _Alerter(rules, None),
    }
    if traffic.behind_ms:
        alerters["server's clock"] = _Alerter(rules, for_the_rest_by_the_servers_clock)
    instances = [
        _Instance(int(rng.integers(10)) * _TICK_MS, 0 if number else traffic.behind_ms)
        for number in range(traffic.instances)
    ]
    panes = _Panes()
    for now_ms in _ticks(traffic, seconds, rng, instances):
        due = [one for one in instances if one.ships_at(now_ms)]
        shipped = [requests for one in due for requests in one.ship(now_ms)]
        if shipped:
            panes.add(shipped)
        arrived_ms = min(one.through_ms for one in instances)
        heard_ms = min(one.heard_ms for one in instances)
        windows: dict[int, WindowOf] = {}
        while panes.closed_ms + STEP_MS <= arrived_ms:
            end_ms = panes.close_next()
            for alerter in alerters.values():
                alerter.look(panes, windows, EvaluationTime(end_ms, end_ms, is_closed=True), now_ms, heard_ms)
        if not due:
            continue
        recent = panes.recent(arrived_ms)
        for start_ms in sorted(panes.opened):
            end_ms = start_ms + STEP_MS
            at_ms = min(now_ms, end_ms)
            moment = EvaluationTime(end_ms, at_ms, is_closed=False, arrived_ms=arrived_ms, recent=recent)
            for alerter in alerters.values():
                alerter.look(panes, windows, moment, now_ms, heard_ms)
    return {name: alerter.truth for name, alerter in alerters.items()}


def _ticks(traffic: Traffic, seconds: int, rng: np.random.Generator, instances: Sequence[_Instance]) -> Iterator[int]:
    """Let requests happen a second at a time, and yield the times at which instances may ship."""
    slow = NormalDist().inv_cdf(1 - traffic.bad_share)
    burst_until_ms = 0
    for begin_ms in range(_T0, _T0 + seconds * STEP_MS, STEP_MS):
        if traffic.burst > 1 and rng.random() < 1 / traffic.burst_every_s:
            burst_until_ms = begin_ms + 5 * STEP_MS
        rate = traffic.per_s * (traffic.burst if begin_ms < burst_until_ms else 1)
        count = int(rng.poisson(rate))
        of: IntArray = rng.integers(len(instances), size=count)
        times = np.sort(rng.uniform(begin_ms, begin_ms + STEP_MS, count))
        failed = rng.random(count) < traffic.bad_share
        durations = SLOW_MS * np.exp(rng.normal(size=count) - slow)
        for number, instance in enumerate(instances):
            mine = of == number
            instance.record(_Requests(times[mine], failed[mine], durations[mine]))
        yield from range(begin_ms + _TICK_MS, begin_ms + STEP_MS + _TICK_MS, _TICK_MS)
