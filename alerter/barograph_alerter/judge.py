"""Judges one service: its state and panes in, one call with all changes out, again until nobody was faster."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from barograph_alerter.evaluation import Moment, Tally, change_of, evaluate
from barograph_alerter.pane_cache import PaneCache, ServicePanes
from barograph_alerter.rules import Rule
from barograph_alerter.service_state import ServiceState, condensed
from barograph_alerter.state_machine import remind
from barograph_alerter.transition_writer import TransitionWriter
from barograph_core.alert_changes import Change, Cursors, Lost, Stale, Written
from barograph_core.clock import Clock
from barograph_core.errors import BarographError
from barograph_core.keys import ShardKeys
from barograph_core.self_metrics import Counters
from barograph_core.stream import Connection, EntryId, as_hash

log = logging.getLogger(__name__)

_MAX_ATTEMPTS: Final = 50
# A call blocks the server for as long as it runs.
_MAX_CHANGES: Final = 200
_MAX_PANES: Final = 60


class ContendedStateError(BarographError):
    """Other alerters kept changing a service's state. The hints stay pending and are read again."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What the loop needs to know about a service after it was judged.

    Attributes:
        closed_at_ms: End of the newest closed pane judged by anyone, ``None`` before the first.
        has_alerts: Whether any alert is not inactive, so that time alone may change something.
        has_pending: Whether an alert waits for its hold.
        is_idle: Whether it has neither alerts nor events, and no rule speaks of that.
    """

    closed_at_ms: int | None
    has_alerts: bool = False
    has_pending: bool = False
    is_idle: bool = False


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What one look at the panes came to.

    Attributes:
        is_complete: Whether every closed pane there is was judged; else more calls follow.
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
        rules: Sequence[Rule],
        *,
        cache: PaneCache,
        writer: TransitionWriter,
        base_step_ms: int,
        catch_up_ms: int,
        clock: Clock,
        counters: Counters,
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._rules = tuple(rules)
        self._cache = cache
        self._writer = writer
        self._step_ms = base_step_ms
        self._catch_up_ms = min(catch_up_ms, cache.reach_ms)
        self._clock = clock
        self._counters = counters
        self._complained_of: set[str] = set()

    def is_provisional(self, service: str) -> bool:
        """Say whether open panes of ``service`` can make anything fire."""
        return any(rule.is_provisional and rule.applies_to(service) for rule in self._rules)

    def judge(self, service: str, ids: Sequence[EntryId] = ()) -> Judged:
        """Judge every closed pane not judged yet, in order, then the open ones, and acknowledge ``ids``.

        A service seen for the first time begins with its newest closed pane: what happened before
        anyone looked is history, as far as the windows of today do not hold it.

        Raises:
            ContendedStateError: Others kept winning; nothing of the last attempt was applied.
        """
        rules = tuple(rule for rule in self._rules if rule.applies_to(service))
        pending = frozenset(ids)
        for _ in range(_MAX_ATTEMPTS):
            result = self._attempt(service, rules, pending)
            if isinstance(result, Judged):
                return result
            if isinstance(result, Lost):
                self._counters.add("fence_rejections", len(result.ids))
                pending -= result.ids
            else:
                self._counters.add("stale_states")
        raise ContendedStateError(f"alert state of {service!r} changed {_MAX_ATTEMPTS} times while being judged")

    def _attempt(self, service: str, rules: Sequence[Rule], ids: frozenset[EntryId]) -> Judged | Stale | Lost:
        while True:
            state = self.load(service)
            panes = self._cache.refresh(service, state.closed_at_ms, self._catch_up_ms)
            if panes is None:
                self._writer.acknowledge(sorted(ids))
                return Judged(state.closed_at_ms)
            verdict = self._look(service, rules, state, panes)
            failure = self._write(service, state, verdict, ids if verdict.is_complete else frozenset())
            if failure is not None:
                return failure
            if verdict.is_complete:
                closed_at = state.closed_at_ms if verdict.closed_to_ms is None else verdict.closed_to_ms
                is_idle = panes.is_empty and not state.records and not any(r.speaks_of_silence for r in rules)
                return Judged(closed_at, bool(state.records), state.has_pending, is_idle)

    def load(self, service: str) -> ServiceState:
        """Return the alert state of ``service`` as it is on the server."""
        state = ServiceState.from_hash(as_hash(self._connection.command("HGETALL", self._keys.state(service))))
        for alert in state.unreadable:
            if alert not in self._complained_of:
                self._complained_of.add(alert)
                log.warning("alert.unreadable", extra={"service": service, "alert_id": alert})
        return state

    def _closed_ends(self, state: ServiceState, through_ms: int) -> range:
        """Return the ends of the closed panes to judge."""
        begin = through_ms - self._step_ms if state.closed_at_ms is None else state.closed_at_ms
        oldest = through_ms - self._catch_up_ms + self._catch_up_ms % self._step_ms
        # A cursor from before the step was changed may lie within a pane.
        first = max(begin - begin % self._step_ms, oldest) + self._step_ms
        return range(first, through_ms + self._step_ms, self._step_ms)

    def _look(self, service: str, rules: Sequence[Rule], state: ServiceState, panes: ServicePanes) -> _Verdict:
        """Judge up to a bounded number of panes. Brings ``state`` up to date with the changes."""
        tally = Tally()
        changes: list[Change] = []
        closed_to: int | None = None
        ends = self._closed_ends(state, panes.closed_through_ms)
        for end in ends[:_MAX_PANES]:
            moment = Moment(end, end, is_closed=True, missing=panes.missing(end - self._step_ms))
            judged = self._judge_moment(service, rules, state, panes, moment, tally)
            changes += judged
            closed_to = end
            # What is told ends the call: written in parts and broken off between two, it is judged anew, and
            # only a single moment judged twice tells nothing twice.
            if len(changes) >= _MAX_CHANGES or any(change.transition for change in judged):
                break
        is_complete = not ends or closed_to == ends[-1]
        provisional: int | None = None
        if is_complete:
            if any(rule.is_provisional for rule in rules):
                for start in sorted(panes.opened):
                    provisional = start + self._step_ms
                    at_ms = min(max(self._clock.now_ms(), start), provisional)
                    moment = Moment(provisional, at_ms, is_closed=False)
                    changes += self._judge_moment(service, rules, state, panes, moment, tally)
            changes += self._reminders(state, changes)
        self._counters.add("evaluation_errors", tally.evaluation_errors)
        self._counters.add("template_errors", tally.summary_errors)
        return _Verdict(condensed(changes), closed_to, provisional, is_complete)

    def _judge_moment(
        self,
        service: str,
        rules: Sequence[Rule],
        state: ServiceState,
        panes: ServicePanes,
        moment: Moment,
        tally: Tally,
    ) -> list[Change]:
        self._counters.add("evaluations", len(rules))
        windows = panes.windows_ending_at(moment.end_ms)
        return evaluate(service, rules, state, windows, moment, now_ms=self._clock.now_ms(), tally=tally)

    def _reminders(self, state: ServiceState, changes: Sequence[Change]) -> list[Change]:
        """Return a reminder for each firing nobody was told of; the server drops those that are not due."""
        fresh = {change.alert_id for change in changes if change.transition is not None}
        now_ms = self._clock.now_ms()
        return [
            change_of(remind(record, now_ms), now_ms) for record in state.unannounced if record.alert_id not in fresh
        ]

    def _write(
        self, service: str, state: ServiceState, verdict: _Verdict, ids: frozenset[EntryId]
    ) -> Stale | Lost | None:
        """Write a verdict; the cursors and the acknowledgement move with the last part of it."""
        if not verdict.changes and not ids and verdict.closed_to_ms is None:
            return None
        changes = verdict.changes
        parts = [changes[i : i + _MAX_CHANGES] for i in range(0, len(changes), _MAX_CHANGES)] or [[]]
        version = state.version
        announced: list[Change] = []
        for index, part in enumerate(parts):
            cursors = Cursors(version=version)
            is_last = index == len(parts) - 1
            if is_last:
                cursors = Cursors(
                    version=version,
                    closed_from_ms=state.closed_at_ms if verdict.closed_to_ms is not None else None,
                    closed_to_ms=verdict.closed_to_ms,
                    provisional_ms=verdict.provisional_ms,
                )
            result = self._writer.write(service, cursors, part, sorted(ids) if is_last else ())
            if isinstance(result, Stale | Lost):
                return result
            version = result.version
            told = [change for change, flag in zip(part, result.flags, strict=True) if flag in ("0", "1")]
            self._counters.add("transitions", len(told))
            announced += [
                change
                for change, flag in zip(part, result.flags, strict=True)
                if flag == "1" and change.cooldown in ("claim", "break")
            ]
        self._note_announced(service, version, state, announced)
        return None

    def _note_announced(self, service: str, version: str, state: ServiceState, announced: Sequence[Change]) -> None:
        """Note in the state which firings were let through, which only the server's reply tells.

        Written before the reply they would say so of firings that were not, and nobody would be
        reminded. A crash just before this costs one reminder too many, never one too few.

        Args:
            service: Whose state.
            version: Of the state that was just written.
            state: As it was written; what came after a firing in the same call is in it.
            announced: The firings.
        """
        # A number alone would also fit the firing of a later episode, which the cooldown may have held back.
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
