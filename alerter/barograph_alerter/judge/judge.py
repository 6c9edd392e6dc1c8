"""Judges one service: reads its state and panes, writes all changes in one call, and retries if another was first."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from barograph_alerter.conditions.row import Look
from barograph_alerter.judge.evaluation import EvaluationErrors, change_of, end_unknown, evaluate
from barograph_alerter.judge.late import judge_late
from barograph_alerter.judge.state_machine import remind
from barograph_alerter.judge.verdict import EvaluationTime
from barograph_alerter.judge.writer import TransitionWriter
from barograph_alerter.rules.rule import Rule
from barograph_alerter.rules.rule_set import RuleSet
from barograph_alerter.windows.pane_cache import PaneCache, ServicePanes
from barograph_alerter.windows.window import Window
from barograph_core.alerts.change import Change, Cursors, LostHints, Stale, Written
from barograph_core.alerts.reason import RECOVERED_PARTLY
from barograph_core.alerts.record import AlertRecord
from barograph_core.alerts.state import ServiceState, condensed
from barograph_core.alerts.transition import MAX_MISSING
from barograph_core.clock import Clock
from barograph_core.errors import BarographError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.log_limit import ONCE, LogLimit
from barograph_core.server.connection import Connection
from barograph_core.server.replies import EntryId, as_hash
from barograph_core.workers.counters import WorkerCounters

log = logging.getLogger(__name__)

_MAX_ATTEMPTS: Final = 50
# Limit of one call, because the server is blocked for as long as it runs.
_MAX_CHANGES: Final = 200
_MAX_PANES: Final = 60
# Records of alerts that are remembered as they were read: some ten MB.
_REMEMBERED: Final = 16_384


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
class _Judgement:
    """The result of judging the panes once.

    Attributes:
        is_complete: Whether every closed pane was judged; if not, more calls follow.
    """

    changes: list[Change]
    closed_to_ms: int | None
    provisional_ms: int | None
    is_complete: bool


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
        self._connection = connection
        self._keys = keys
        self._rules = rules
        self._cache = cache
        self._writer = writer
        self._step_ms = base_step_ms
        self._catch_up_ms = min(catch_up_ms, cache.reach_ms)
        self._clock = clock
        self._counters = counters
        self._flap_wait_ms = flap_wait_ms
        self._log_limit = LogLimit(ONCE)
        # Most alerts are as they were at the last look.
        self._read_record = lru_cache(_REMEMBERED)(AlertRecord.from_json)
        self._blind_limit = LogLimit()

    def is_provisional(self, service: str) -> bool:
        """Say whether open panes of ``service`` can make anything fire."""
        return self._rules.is_provisional(service)

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
        rules = self._rules.watching(service)
        pending = frozenset(ids)
        for _ in range(_MAX_ATTEMPTS):
            result = self._attempt(service, rules, pending, revised)
            if isinstance(result, Judged):
                return result
            if isinstance(result, LostHints):
                self._counters.add("fence_rejections", len(result.ids))
                pending -= result.ids
            else:
                self._counters.add("stale_states")
        raise ContendedStateError(f"alert state of {service!r} changed {_MAX_ATTEMPTS} times while being judged")

    def _attempt(
        self, service: str, rules: Sequence[Rule], ids: frozenset[EntryId], revised: Sequence[int]
    ) -> Judged | Stale | LostHints:
        while True:
            state = self.load(service)
            panes = self._cache.refresh(service, state.closed_at_ms, self._catch_up_ms, min(revised, default=None))
            if panes is None:
                self._writer.acknowledge(sorted(ids))
                return Judged(state.closed_at_ms)
            judgement = self._look(service, rules, state, panes, revised)
            failure = self._write(service, state, judgement, ids if judgement.is_complete else frozenset())
            if failure is not None:
                return failure
            if judgement.is_complete:
                closed_at = state.closed_at_ms if judgement.closed_to_ms is None else judgement.closed_to_ms
                is_idle = panes.is_empty and not state.records and not any(r.fires_on_silence for r in rules)
                return Judged(closed_at, bool(state.records), state.has_pending, is_idle)

    def judge_beside(
        self, service: str, rules: Sequence[Rule], windows: Callable[[Look], Window], moment: EvaluationTime
    ) -> bool:
        """Judge ``rules`` on windows that are not in the store, and say whether any alert of the service is left.

        Raises:
            ContendedStateError: As ``judge``.
        """
        for _ in range(_MAX_ATTEMPTS):
            state = self.load(service)
            errors = EvaluationErrors()
            self._counters.add("evaluations", len(rules))
            changes = evaluate(service, rules, state, windows, moment, now_ms=self._clock.now_ms(), errors=errors)
            changes += self._due_by_time(state, changes)
            self._counters.add("evaluation_errors", errors.evaluations)
            self._counters.add("template_errors", errors.summaries)
            judgement = _Judgement(condensed(changes), None, None, is_complete=True)
            if self._write(service, state, judgement, frozenset()) is None:
                return bool(state.records)
            self._counters.add("stale_states")
        raise ContendedStateError(f"alert state of {service!r} changed {_MAX_ATTEMPTS} times while being judged")

    def load(self, service: str) -> ServiceState:
        """Return the alert state of ``service`` as it is on the server."""
        fields = as_hash(self._connection.command("HGETALL", self._keys.state(service)))
        state = ServiceState.from_hash(fields, self._read_record)
        for alert in state.unreadable:
            if self._log_limit.allows(alert):
                log.warning("alert.unreadable", extra={"service": service, "alert_id": alert})
        return state

    def _closed_ends(self, state: ServiceState, through_ms: int) -> range:
        """Return the ends of the closed panes to judge."""
        begin = through_ms - self._step_ms if state.closed_at_ms is None else state.closed_at_ms
        oldest = through_ms - self._catch_up_ms + self._catch_up_ms % self._step_ms
        # A cursor from before the step was changed may lie within a pane.
        first = max(begin - begin % self._step_ms, oldest) + self._step_ms
        return range(first, through_ms + self._step_ms, self._step_ms)

    def _look(
        self,
        service: str,
        rules: Sequence[Rule],
        state: ServiceState,
        panes: ServicePanes,
        revised: Sequence[int],
    ) -> _Judgement:
        """Judge up to a bounded number of panes, and apply the changes to ``state``."""
        errors = EvaluationErrors()
        changes: list[Change] = []
        closed_to: int | None = None
        ends = self._closed_ends(state, panes.closed_through_ms)
        deserted_after_ms = self._deserted_after_ms(service, rules, state)
        if state.closed_at_ms is not None and state.closed_at_ms > panes.closed_through_ms:
            # State and cursor lie on one shard, and the state was read first: it is ahead only where the cursor was set
            # back (frontier.lua).
            closed_to = panes.closed_through_ms
            changes += state.set_back(closed_to)
        for end in ends[:_MAX_PANES]:
            moment = EvaluationTime(
                end,
                end,
                is_closed=True,
                missing=panes.missing(end - self._step_ms),
                step_ms=self._step_ms,
                is_deserted=end > deserted_after_ms,
            )
            judged = self._judge_moment(service, rules, state, panes, moment, errors)
            changes += self._with_missing(service, end, judged)
            closed_to = end
            # Stop after the first moment with a transition. If the write fails halfway we judge again, and judging
            # one moment twice does not notify twice.
            if len(changes) >= _MAX_CHANGES or any(change.transition for change in judged):
                break
        is_complete = not ends or closed_to == ends[-1]
        if is_complete and revised:
            changes += self._judge_late(service, rules, state, panes, revised, errors)
        provisional: int | None = None
        if is_complete:
            if panes.opened and any(rule.is_provisional for rule in rules):
                arrived_ms = self._cache.arrived_ms(service, panes.closed_through_ms)
                recent = panes.recent(arrived_ms)
                for start in sorted(panes.opened):
                    provisional = start + self._step_ms
                    at_ms = min(max(self._clock.now_ms(), start), provisional)
                    moment = EvaluationTime(
                        provisional,
                        at_ms,
                        is_closed=False,
                        step_ms=self._step_ms,
                        open_ms=provisional - panes.closed_through_ms,
                        arrived_ms=arrived_ms,
                        recent=recent,
                    )
                    changes += self._judge_moment(service, rules, state, panes, moment, errors)
            changes += self._due_by_time(state, changes)
        self._counters.add("evaluation_errors", errors.evaluations)
        self._counters.add("template_errors", errors.summaries)
        self._counters.add("provisional_overturned", errors.overturned)
        self._log_blind(service, errors)
        return _Judgement(condensed(changes), closed_to, provisional, is_complete)

    def _judge_late(
        self,
        service: str,
        rules: Sequence[Rule],
        state: ServiceState,
        panes: ServicePanes,
        revised: Sequence[int],
        errors: EvaluationErrors,
    ) -> list[Change]:
        oldest_ms = panes.closed_through_ms - self._catch_up_ms
        return judge_late(
            service,
            rules,
            state,
            panes.windows_at,
            [start for start in revised if start >= oldest_ms],
            step_ms=self._step_ms,
            closed_at_ms=panes.closed_through_ms,
            now_ms=self._clock.now_ms(),
            errors=errors,
        )

    def _deserted_after_ms(self, service: str, rules: Sequence[Rule], state: ServiceState) -> float:
        """Return from when on no producer of ``service`` lives; asked for only where that may change a verdict."""
        if state.records or any(rule.no_data == "alert" for rule in rules):
            return self._cache.heard_until_ms(service)
        return float("inf")

    def _log_blind(self, service: str, errors: EvaluationErrors) -> None:
        """Log once a minute which rules are not judged, because their windows are not whole."""
        for rule, reason in errors.blind.items():
            if self._blind_limit.allows((service, rule), self._clock.monotonic_ms()):
                log.warning("rule.blind", extra={"rule": rule, "service": service, "reason": reason})

    def _judge_moment(
        self,
        service: str,
        rules: Sequence[Rule],
        state: ServiceState,
        panes: ServicePanes,
        moment: EvaluationTime,
        errors: EvaluationErrors,
    ) -> list[Change]:
        self._counters.add("evaluations", len(rules))
        windows = panes.windows_at(moment.end_ms)
        now_ms = self._clock.now_ms()
        changes = evaluate(service, rules, state, windows, moment, now_ms=now_ms, errors=errors)
        if moment.is_closed and self._rules.is_newest:
            changes += end_unknown(rules, state, now_ms)
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
        """Return the ends of acknowledgements, and a reminder for each firing that a channel was not told of.

        The server drops the reminders that are not due.
        """
        now_ms = self._clock.now_ms()
        ended = state.end_acknowledgements(now_ms)
        fresh = {change.alert_id for change in (*changes, *ended) if change.transition is not None}
        return ended + [
            replace(
                change_of(remind(record, now_ms), now_ms),
                is_flap_over=now_ms - (record.fired_at_ms or 0) >= self._flap_wait_ms,
            )
            for record in state.unannounced
            if record.alert_id not in fresh
        ]

    def _write(
        self, service: str, state: ServiceState, judgement: _Judgement, ids: frozenset[EntryId]
    ) -> Stale | LostHints | None:
        """Write a judgement; the cursors and the acknowledgement are written with its last part."""
        if not judgement.changes and not ids and judgement.closed_to_ms is None:
            return None
        changes = judgement.changes
        parts = [changes[i : i + _MAX_CHANGES] for i in range(0, len(changes), _MAX_CHANGES)] or [[]]
        version = state.version
        announced: list[Change] = []
        for index, part in enumerate(parts):
            cursors = Cursors(version=version)
            is_last = index == len(parts) - 1
            if is_last:
                cursors = Cursors(
                    version=version,
                    closed_from_ms=state.closed_at_ms if judgement.closed_to_ms is not None else None,
                    closed_to_ms=judgement.closed_to_ms,
                    provisional_ms=judgement.provisional_ms,
                )
            result = self._writer.write(service, cursors, part, sorted(ids) if is_last else ())
            if isinstance(result, Stale | LostHints):
                return result
            version = result.version
            self._counters.add("transitions", sum(flag in ("0", "1") for flag in result.flags))
            for change, flag in zip(part, result.flags, strict=True):
                if change.cooldown == "recall" and flag != "x":
                    state.apply(change)
            announced += [
                change
                for change, flag in zip(part, result.flags, strict=True)
                if flag == "1" and change.cooldown in ("announce", "override", "recall")
            ]
        self._note_announced(service, version, state, announced)
        return None

    def _note_announced(self, service: str, version: str, state: ServiceState, announced: Sequence[Change]) -> None:
        """Note in the state which firings were announced; only the server's reply contains that.

        If the record said so before the reply, a firing that the cooldown held back would count as announced
        and get no reminder. A crash just before this costs one reminder too many, never one too few.

        Args:
            service: Whose state.
            version: Of the state that was just written.
            state: As it was written, with the changes after a firing in the same call.
            announced: The firings.
        """
        # The number alone could also be that of a firing of a later episode, which the cooldown may have held back.
        wanted = {
            (record.alert_id, record.episode_ms, record.number) for change in announced if (record := change.record)
        }
        while wanted:
            changes = [
                Change(alert_id=record.alert_id, record=replace(record, is_announced=True))
                for record in state.records.values()
                if (record.alert_id, record.episode_ms, record.number) in wanted and not record.is_announced
            ]
            parts = [changes[i : i + _MAX_CHANGES] for i in range(0, len(changes), _MAX_CHANGES)]
            if not parts:
                return
            result = self._writer.write(service, Cursors(version=version), parts[0], ())
            if isinstance(result, Written):
                for change in parts[0]:
                    state.apply(change)
                version = result.version
            else:
                state = self.load(service)
                version = state.version
