"""The alert states of one shard: loaded, and written with all that a judgement changes, or not at all."""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

from barograph_alerter.states.memory import StateMemory
from barograph_alerter.states.writer import TransitionWriter
from barograph_core.alerts.change import Change, Cursors, LostHints, Stale, Written
from barograph_core.alerts.state import ServiceState
from barograph_core.log_limit import ONCE, LogLimit
from barograph_core.server.replies import EntryId
from barograph_core.workers.counters import WorkerCounters

log = logging.getLogger(__name__)

# Limit of one call, because the server is blocked for as long as it runs.
MAX_CHANGES: Final = 200


@dataclass(frozen=True, slots=True)
class Judgement:
    """The result of judging some panes of a service.

    Attributes:
        changes: Of its alerts, which its state has already.
        closed_to_ms: End of the newest closed pane that was judged; ``None``: there was none.
        provisional_ms: End of the newest open pane that was judged; ``None``: there was none.
        is_complete: Whether every closed pane was judged; if not, more calls follow.
    """

    changes: Sequence[Change]
    closed_to_ms: int | None
    provisional_ms: int | None
    is_complete: bool


class AlertStates:
    """Loads and writes the alert states of services."""

    def __init__(self, memory: StateMemory, writer: TransitionWriter, counters: WorkerCounters) -> None:
        self._memory = memory
        self._writer = writer
        self._counters = counters
        self._log_limit = LogLimit(ONCE)

    def load(self, service: str) -> ServiceState:
        """Return the alert state of ``service`` as it is on the server."""
        state = self._memory.load(service)
        for alert in state.unreadable:
            if self._log_limit.allows(alert):
                log.warning("alert.unreadable", extra={"service": service, "alert_id": alert})
        return state

    def write(
        self, service: str, state: ServiceState, judgement: Judgement, ids: Collection[EntryId]
    ) -> Stale | LostHints | None:
        """Write a judgement; the cursors and the acknowledgement are written with its last part.

        Args:
            service: The service.
            state: As it is after the judgement. Its version and cursor become those of the server.
            judgement: What to write.
            ids: Hints to acknowledge.

        Returns:
            Why it was not written to its end; ``None``: it was.
        """
        if judgement.changes or ids or judgement.closed_to_ms is not None:
            failure = self._write_parts(service, state, judgement, sorted(ids))
            if failure is not None:
                return failure
        self._memory.keep(service, state)
        return None

    def _write_parts(
        self, service: str, state: ServiceState, judgement: Judgement, ids: Sequence[EntryId]
    ) -> Stale | LostHints | None:
        announced: list[Change] = []
        parts = _parts_of(judgement.changes) or [[]]
        for index, part in enumerate(parts):
            is_last = index == len(parts) - 1
            cursors = _cursors(state, judgement) if is_last else Cursors(version=state.version)
            result = self._writer.write(service, cursors, part, ids if is_last else ())
            if not isinstance(result, Written):
                return result
            state.version = result.version
            announced += self._applied(state, part, result)
        if judgement.closed_to_ms is not None:
            state.closed_at_ms = judgement.closed_to_ms
        self._note_announced(service, state, announced)
        return None

    def _applied(self, state: ServiceState, part: Sequence[Change], written: Written) -> list[Change]:
        """Count what was written, apply the reminders that were due, and return what was announced."""
        self._counters.add("transitions", sum(flag in ("0", "1") for flag in written.flags))
        announced: list[Change] = []
        for change, flag in zip(part, written.flags, strict=True):
            if change.cooldown == "recall" and flag != "x":
                state.apply(change)
            if flag == "1" and change.cooldown in ("announce", "override", "recall"):
                announced.append(change)
        return announced

    def _note_announced(self, service: str, state: ServiceState, announced: Sequence[Change]) -> None:
        """Note in the state which firings were announced; only the server's reply contains that.

        If the record said so before the reply, a firing that the cooldown held back would count as announced
        and get no reminder. A crash just before this costs one reminder too many, never one too few.

        Args:
            service: Whose state.
            state: As it was written, with the changes after a firing in the same call.
            announced: The firings.
        """
        # The number alone could also be that of a firing of a later episode, which the cooldown may have held back.
        wanted = [
            (record.alert_id, record.episode_ms, record.number) for change in announced if (record := change.record)
        ]
        while wanted:
            part = [_as_announced(state, *one) for one in wanted[:MAX_CHANGES]]
            changes = [change for change in part if change is not None]
            result = self._writer.write(service, Cursors(version=state.version), changes, ()) if changes else None
            if isinstance(result, Stale | LostHints):
                now = self._memory.load(service)
                state.version, state.closed_at_ms = now.version, now.closed_at_ms
                state.records, state.flaps = now.records, now.flaps
                continue
            if result is not None:
                state.version = result.version
                for change in changes:
                    state.apply(change)
            wanted = wanted[MAX_CHANGES:]


def _as_announced(state: ServiceState, alert: str, episode_ms: int, number: int) -> Change | None:
    """Return the change that notes that a firing was announced; ``None`` when it is over or says so already."""
    record = state.records.get(alert)
    if record is None or record.is_announced or (record.episode_ms, record.number) != (episode_ms, number):
        return None
    return Change(alert_id=alert, record=replace(record, is_announced=True))


def _cursors(state: ServiceState, judgement: Judgement) -> Cursors:
    return Cursors(
        version=state.version,
        closed_from_ms=state.closed_at_ms if judgement.closed_to_ms is not None else None,
        closed_to_ms=judgement.closed_to_ms,
        provisional_ms=judgement.provisional_ms,
    )


def _parts_of(changes: Sequence[Change]) -> list[Sequence[Change]]:
    return [changes[first : first + MAX_CHANGES] for first in range(0, len(changes), MAX_CHANGES)]
