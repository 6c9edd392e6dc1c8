"""Judges one service: reads its state and panes, writes all changes in one call, and retries if another was first."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from barograph_alerter.conditions.row import Look
from barograph_alerter.judge.evaluation import EvaluationErrors, change_of, end_unknown, evaluate
from barograph_alerter.judge.flapping.ending import end_flaps
from barograph_alerter.judge.late import judge_late
from barograph_alerter.judge.plan import RulePlan
from barograph_alerter.judge.state_machine import remind
from barograph_alerter.judge.verdict import EvaluationTime
from barograph_alerter.rules.rule import Rule
from barograph_alerter.rules.rule_set import RuleSet
from barograph_alerter.states.alert_states import MAX_CHANGES, AlertStates, Judgement
from barograph_alerter.states.memory import StateMemory
from barograph_alerter.states.writer import TransitionWriter
from barograph_alerter.windows.pane_cache import PaneCache, ServicePanes
from barograph_alerter.windows.probes import ProbeAnswers
from barograph_alerter.windows.window import Window
from barograph_core.alerts.change import Change, LostHints, Stale
from barograph_core.alerts.reason import RECOVERED_PARTLY
from barograph_core.alerts.state import ServiceState, condensed
from barograph_core.alerts.transition import MAX_MISSING
from barograph_core.clock import Clock
from barograph_core.errors import BarographError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.log_limit import LogLimit
from barograph_core.pushed.life import end_lapsed
from barograph_core.server.connection import Connection
from barograph_core.server.replies import EntryId
from barograph_core.workers.counters import WorkerCounters

log = logging.getLogger(__name__)

_MAX_ATTEMPTS: Final = 50
# Limit of the closed panes that are judged before what they changed is written.
_MAX_PANES: Final = 60
# Different sets of rules that services have.
_MAX_PLANS: Final = 256


class ContendedStateError(BarographError):
    """Other alerters kept changing a service's state. Its hints stay pending and are read again."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A service after it was judged, as far as the worker's loop needs to know.

    Attributes:
        closed_at_ms: End of the newest closed pane that any alerter has judged, ``None`` before the first.
        has_alerts: Whether any alert is not inactive, so that time alone may change something.
        has_pending: Whether an alert is pending, so that its ``for`` may end at any time.
        is_idle: Whether it has neither alerts nor events, and no rule can fire because of that.
    """

    closed_at_ms: int | None
    has_alerts: bool = False
    has_pending: bool = False
    is_idle: bool = False


@dataclass(frozen=True, slots=True)
class _Case:
    """What is judged at once.

    Attributes:
        state: Every change is applied to it.
        revised: Starts of the panes that were revised.
        errors: Is counted up.
    """

    service: str
    plan: RulePlan
    state: ServiceState
    panes: ServicePanes
    revised: Sequence[int]
    errors: EvaluationErrors


class Judge:
    """Judges the services of one shard."""

    def __init__(
        self,
        connection: Connection,
        keys: ShardKeys,
        rules: RuleSet,
        *,
        cache: PaneCache,
        writer: TransitionWriter,
        base_step_ms: int,
        catch_up_ms: int,
        clock: Clock,
        counters: WorkerCounters,
        flap_wait_ms: int = 30_000,
    ) -> None:
        self._states = AlertStates(StateMemory(connection, keys, clock), writer, counters)
        self._probes = ProbeAnswers(connection, keys, base_step_ms)
        self._rules = rules
        self._plans: dict[int, RulePlan] = {}
        self._cache = cache
        self._writer = writer
        self._step_ms = base_step_ms
        self._catch_up_ms = min(catch_up_ms, cache.reach_ms)
        self._clock = clock
        self._counters = counters
        self._flap_wait_ms = flap_wait_ms
        self._blind_limit = LogLimit()

    def is_provisional(self, service: str) -> bool:
        """Say whether open panes of ``service`` can make anything fire."""
        return self._plan_of(self._rules.about(service)).is_provisional

    def load(self, service: str) -> ServiceState:
        """Return the alert state of ``service`` as it is on the server."""
        return self._states.load(service)

    def judge(self, service: str, ids: Sequence[EntryId] = (), revised: Sequence[int] = ()) -> Judged:
        """Judge every closed pane not judged yet, in order, then the open ones, and acknowledge ``ids``.

        A service without alert state begins with its newest closed pane; older panes count only as parts of its
        windows.

        Args:
            service: The service.
            ids: Hints to acknowledge.
            revised: Starts of panes that these hints say were revised: what was judged without may fire late.

        Raises:
            ContendedStateError: Other alerters were first every time; nothing of the last attempt was applied.
        """
        plan = self._plan_of(self._rules.watching(service))
        pending = frozenset(ids)
        for _ in range(_MAX_ATTEMPTS):
            result = self._attempt(service, plan, pending, revised)
            if isinstance(result, Judged):
                return result
            if isinstance(result, LostHints):
                self._counters.add("fence_rejections", len(result.ids))
                pending -= result.ids
            else:
                self._counters.add("stale_states")
        raise ContendedStateError(f"alert state of {service!r} changed {_MAX_ATTEMPTS} times while being judged")

    def judge_beside(
        self, service: str, rules: Sequence[Rule], windows: Callable[[Look], Window], moment: EvaluationTime
    ) -> bool:
        """Judge ``rules`` on windows that are not in the store, and say whether any alert of the service is left.

        Raises:
            ContendedStateError: As ``judge``.
        """
        plan = RulePlan(rules)
        for _ in range(_MAX_ATTEMPTS):
            state = self.load(service)
            errors = EvaluationErrors()
            self._counters.add("evaluations", len(rules))
            changes = evaluate(service, plan, state, windows, moment, now_ms=self._clock.now_ms(), errors=errors)
            if moment.is_closed:
                changes += end_flaps(plan.rules, state, moment.end_ms, self._clock.now_ms(), knows_all=False)
            changes += self._due_by_time(state, changes)
            self._count(service, errors)
            judgement = Judgement(condensed(changes), None, None, is_complete=True)
            if self._states.write(service, state, judgement, ()) is None:
                return not state.is_empty
            self._counters.add("stale_states")
        raise ContendedStateError(f"alert state of {service!r} changed {_MAX_ATTEMPTS} times while being judged")

    def _plan_of(self, rules: tuple[Rule, ...]) -> RulePlan:
        plan = self._plans.get(id(rules))
        # The plan holds its rules, so while it is remembered no others can have their place in memory.
        if plan is None:
            if len(self._plans) >= _MAX_PLANS:
                self._plans.clear()
            plan = self._plans[id(rules)] = RulePlan(rules)
        return plan

    def _attempt(
        self, service: str, plan: RulePlan, ids: frozenset[EntryId], revised: Sequence[int]
    ) -> Judged | Stale | LostHints:
        while True:
            state = self.load(service)
            panes = self._cache.refresh(service, state.closed_at_ms, self._catch_up_ms, min(revised, default=None))
            if panes is None:
                self._writer.acknowledge(sorted(ids))
                return Judged(state.closed_at_ms)
            applying = self._applying(service, plan, state, panes)
            case = _Case(service, applying, state, panes, revised, EvaluationErrors())
            judgement = self._look(case)
            self._count(service, case.errors)
            failure = self._states.write(service, state, judgement, ids if judgement.is_complete else frozenset())
            if failure is not None:
                return failure
            if judgement.closed_to_ms is not None:
                # Of several alerters the one that has written the judgement answers.
                self._probes.note_judged(service, panes.windows_at(judgement.closed_to_ms))
            if judgement.is_complete:
                is_idle = panes.is_empty and state.is_empty and not plan.fires_on_silence
                return Judged(state.closed_at_ms, not state.is_empty, state.has_pending, is_idle)

    def _applying(self, service: str, plan: RulePlan, state: ServiceState, panes: ServicePanes) -> RulePlan:
        """Return ``plan``; where only pushed alerts are known of the service, without what alerts on silence."""
        if not plan.asks_who_lives or not panes.is_empty or state.flaps or self._cache.has_stored(service):
            return plan
        firing = (plan.by_name.get(record.rule) for record in state.records.values())
        is_asked = any(rule is not None and rule.no_data == "alert" for rule in firing)
        return plan if is_asked else plan.without_silence

    def _look(self, case: _Case) -> Judgement:
        """Judge up to a bounded number of panes, and apply the changes to the state."""
        changes, closed_to_ms, is_complete = self._judge_closed(case)
        provisional_ms: int | None = None
        if is_complete:
            changes += self._judge_late(case)
            provisional_ms = self._judge_open(case, changes)
            changes += self._due_by_time(case.state, changes)
        return Judgement(condensed(changes), closed_to_ms, provisional_ms, is_complete)

    def _closed_ends(self, state: ServiceState, through_ms: int) -> range:
        """Return the ends of the closed panes to judge."""
        begin = through_ms - self._step_ms if state.closed_at_ms is None else state.closed_at_ms
        oldest = through_ms - self._catch_up_ms + self._catch_up_ms % self._step_ms
        # A cursor from before the step was changed may lie within a pane.
        first = max(begin - begin % self._step_ms, oldest) + self._step_ms
        return range(first, through_ms + self._step_ms, self._step_ms)

    def _judge_closed(self, case: _Case) -> tuple[list[Change], int | None, bool]:
        """Judge closed panes in order; return the changes, the end of the last one, and whether all were judged."""
        state, panes = case.state, case.panes
        changes: list[Change] = []
        closed_to_ms: int | None = None
        ends = self._closed_ends(state, panes.closed_through_ms)
        deserted_after_ms = self._deserted_after_ms(case)
        if state.closed_at_ms is not None and state.closed_at_ms > panes.closed_through_ms:
            # State and cursor lie on one shard, and the state was read first: it is ahead only where the cursor was set
            # back (frontier.lua).
            closed_to_ms = panes.closed_through_ms
            changes += state.set_back(closed_to_ms)
        for end in ends[:_MAX_PANES]:
            moment = EvaluationTime(
                end,
                end,
                is_closed=True,
                missing=panes.missing(end - self._step_ms),
                step_ms=self._step_ms,
                is_deserted=end > deserted_after_ms,
            )
            judged = self._judge_moment(case, moment)
            changes += self._with_missing(case.service, end, judged)
            closed_to_ms = end
            # Stop after the first moment with a transition. If the write fails halfway we judge again, and judging
            # one moment twice does not notify twice.
            if len(changes) >= MAX_CHANGES or any(change.transition for change in judged):
                break
        return changes, closed_to_ms, not ends or closed_to_ms == ends[-1]

    def _judge_open(self, case: _Case, changes: list[Change]) -> int | None:
        """Judge the open panes in order, append the changes, and return the end of the newest one, if there is any."""
        panes = case.panes
        if not panes.opened or not case.plan.is_provisional:
            return None
        arrived_ms = self._cache.arrived_ms(case.service, panes.closed_through_ms)
        recent = panes.recent(arrived_ms)
        for start in sorted(panes.opened):
            end_ms = start + self._step_ms
            moment = EvaluationTime(
                end_ms,
                min(max(self._clock.now_ms(), start), end_ms),
                is_closed=False,
                step_ms=self._step_ms,
                open_ms=end_ms - panes.closed_through_ms,
                arrived_ms=arrived_ms,
                recent=recent,
            )
            changes += self._judge_moment(case, moment)
        return max(panes.opened) + self._step_ms

    def _judge_late(self, case: _Case) -> list[Change]:
        oldest_ms = case.panes.closed_through_ms - self._catch_up_ms
        revised = [start for start in case.revised if start >= oldest_ms]
        if not revised:
            return []
        return judge_late(
            case.service,
            case.plan.rules,
            case.state,
            case.panes.windows_at,
            revised,
            step_ms=self._step_ms,
            closed_at_ms=case.panes.closed_through_ms,
            now_ms=self._clock.now_ms(),
            errors=case.errors,
        )

    def _deserted_after_ms(self, case: _Case) -> float:
        """Return from when on no producer of the service lives; asked for only where that may change a verdict."""
        if case.state.records or case.plan.asks_who_lives:
            return self._cache.heard_until_ms(case.service)
        return float("inf")

    def _judge_moment(self, case: _Case, moment: EvaluationTime) -> list[Change]:
        self._counters.add("evaluations", len(case.plan.rules))
        windows = case.panes.windows_at(moment.end_ms)
        now_ms = self._clock.now_ms()
        changes = evaluate(case.service, case.plan, case.state, windows, moment, now_ms=now_ms, errors=case.errors)
        if moment.is_closed:
            knows_all = self._rules.is_newest
            changes += end_unknown(case.plan, case.state, now_ms) if knows_all else []
            changes += end_flaps(case.plan.rules, case.state, moment.end_ms, now_ms, knows_all=knows_all)
        return changes

    def _with_missing(self, service: str, end_ms: int, changes: Sequence[Change]) -> list[Change]:
        """Name the missing instances where an alert ends though some are missing."""
        if not any(change.transition and change.transition.reason == RECOVERED_PARTLY for change in changes):
            return list(changes)
        names = self._cache.missing_instances(service, end_ms, MAX_MISSING)
        return [
            replace(change, transition=replace(change.transition, missing=names))
            if change.transition and change.transition.reason == RECOVERED_PARTLY
            else change
            for change in changes
        ]

    def _due_by_time(self, state: ServiceState, changes: Sequence[Change]) -> list[Change]:
        """Return the ends of acknowledgements and of pushed alerts, and reminders of what a channel was not told of.

        The server drops the reminders that are not due.
        """
        now_ms = self._clock.now_ms()
        ended = end_lapsed(state, now_ms) + state.end_acknowledgements(now_ms)
        fresh = {change.alert_id for change in (*changes, *ended) if change.transition is not None}
        return ended + [
            replace(
                change_of(remind(record, now_ms), now_ms),
                is_flap_over=now_ms - (record.fired_at_ms or 0) >= self._flap_wait_ms,
            )
            for record in state.unannounced
            if record.alert_id not in fresh
        ]

    def _count(self, service: str, errors: EvaluationErrors) -> None:
        """Count what went wrong, and log once a minute which rules are not judged: their windows are not whole."""
        self._counters.add("evaluation_errors", errors.evaluations)
        self._counters.add("template_errors", errors.summaries)
        self._counters.add("provisional_overturned", errors.overturned)
        for rule, reason in errors.blind.items():
            if self._blind_limit.allows((service, rule), self._clock.monotonic_ms()):
                log.warning("rule.blind", extra={"rule": rule, "service": service, "reason": reason})
