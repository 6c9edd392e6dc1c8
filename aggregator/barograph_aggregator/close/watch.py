"""Watches the closing itself: reports what has not closed for long, whatever the cause."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from barograph_aggregator.close.pane_queue import readable_panes
from barograph_core.errors import CommandRefusedError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.log_limit import LogLimit
from barograph_core.pipeline.closing import REPORT_LIFE_MS, STUCK_AFTER_MS, UNKNOWN_CAUSE, StuckClosing, pack_stuck
from barograph_core.server.connection import Connection
from barograph_core.server.link import Reply
from barograph_core.server.refusals import skip_if_full
from barograph_core.server.replies import as_list, as_text
from barograph_core.steps import Step
from barograph_core.store.closed import parse_closed
from barograph_core.store.parts import mark_of

log = logging.getLogger(__name__)

_LOOK_EVERY_MS: Final = 5_000
# Panes of each queue that are looked at, the oldest. A closer at work leaves none of them for long.
_MOST_PANES: Final = 1_000
_MOST_REPORTED: Final = 100
# A cursor is behind the watermark by a step and a tick even where all is well.
_BEHIND_MS: Final = 5_000
_MOST_REASONS: Final = 1_000

# A thing that should move, and where it stands: a cursor, the watermark, or a pane with the mark of its first part.
# A pane that closes and opens again for a late event has another first part.
_Thing = tuple[str, int, int]
_Place = bytes | int


class ClosingWatch:
    """Compares every few seconds what waits for the watermark with what waited before.

    It looks at the result and not at the closer's errors, so that it finds also what no code expects. The errors are
    kept as the cause that is reported.
    """

    def __init__(self, connection: Connection, keys: ShardKeys, steps: Sequence[Step]) -> None:
        self._connection = connection
        self._keys = keys
        self._lengths_ms = frozenset(step.step_ms for step in steps)
        self._next_ms = float("-inf")
        self._since: dict[_Thing, tuple[_Place, float]] = {}
        self._reasons: dict[tuple[str, int], str] = {}
        self._failure = ""
        self._stuck = 0
        self._log_limit = LogLimit()

    @property
    def stuck(self) -> int:
        """Return how many services, steps and cursors did not move when it looked last."""
        return self._stuck

    def note_reason(self, service: str, step_ms: int, reason: str) -> None:
        """Keep why a pane of this service and step did not close."""
        if len(self._reasons) < _MOST_REASONS or (service, step_ms) in self._reasons:
            self._reasons[service, step_ms] = reason

    def note_closed(self, service: str, step_ms: int) -> None:
        """Forget why panes of this service and step did not close: one has."""
        self._reasons.pop((service, step_ms), None)

    def note_failure(self, reason: str) -> None:
        """Keep why the whole closing failed; empty when it did not."""
        self._failure = reason

    def look(self, now_ms: float, watermark_ms: int) -> None:
        """Report what is stuck, if a look is due.

        Args:
            now_ms: Monotonic.
            watermark_ms: Everything that ends by then should be closed.

        Raises:
            BarographError: The server is unreachable, or refuses for another reason than lacking memory.
        """
        if now_ms < self._next_ms:
            return
        self._next_ms = now_ms + _LOOK_EVERY_MS
        waiting = self._waiting(watermark_ms)
        kept = self._since
        self._since = {
            thing: kept[thing] if kept.get(thing, (None, 0))[0] == place else (place, now_ms)
            for thing, place in waiting.items()
        }
        stood = {thing: now_ms - since for thing, (_, since) in self._since.items() if now_ms - since >= STUCK_AFTER_MS}
        stuck = list(self._describe(stood))[:_MOST_REPORTED]
        self._stuck = len(stuck)
        with skip_if_full():
            self._connection.command("SET", self._keys.closing, pack_stuck(stuck), "PX", REPORT_LIFE_MS)
        if stuck and self._log_limit.allows("closing.stuck", now_ms):
            first = stuck[0]
            facts = {"service": first.service, "step_ms": first.step_ms, "start_ms": first.start_ms}
            log.error("closing.stuck", extra={**facts, "reason": first.reason, "stuck": len(stuck)})

    def _waiting(self, watermark_ms: int) -> dict[_Thing, _Place]:
        """Return everything that should move on, with where it stands."""
        due = [("ZRANGEBYSCORE", key, "-inf", watermark_ms, "LIMIT", 0, _MOST_PANES) for key in self._queues]
        closed, *queues = self._connection.pipeline([("HGETALL", self._keys.closed), *due])
        cursors = parse_closed(closed)
        found: dict[_Thing, _Place] = {("", 0, 0): watermark_ms}
        behind = {name: end_ms for name, end_ms in cursors.items() if end_ms < watermark_ms - _BEHIND_MS}
        found |= {(service, 0, 0): end_ms for service, end_ms in behind.items()}
        opened, rollups = (list(readable_panes(as_text(member) for member in as_list(queue))) for queue in queues)
        # A roll-up waits until its service is closed through its end. One of a step that the settings have no more is
        # left behind for good.
        rollups = [
            one
            for one in rollups
            if one.end_ms <= cursors.get(one.service, one.end_ms) and one.step_ms in self._lengths_ms
        ]
        keys = [self._keys.parts(one.service, one.start_ms) for one in opened]
        keys += [self._keys.rollup_parts(one.service, one.step_ms, one.start_ms) for one in rollups]
        for one, mark in zip([*opened, *rollups], self._first_marks(keys), strict=True):
            found[one.service, one.step_ms, one.start_ms] = mark
        return found

    def _first_marks(self, keys: Sequence[str]) -> list[bytes]:
        try:
            replies = self._connection.pipeline([("LINDEX", key, 0) for key in keys])
        except CommandRefusedError:
            # One of them holds foreign data, which may be what stops the closing: ask for each alone.
            replies = [self._first_part(key) for key in keys]
        return [mark_of(reply) if isinstance(reply, bytes) else b"" for reply in replies]

    def _first_part(self, key: str) -> Reply:
        try:
            return self._connection.command("LINDEX", key, 0)
        except CommandRefusedError:
            return None

    @property
    def _queues(self) -> tuple[str, str]:
        return self._keys.open, self._keys.rollups

    def _describe(self, stood: Mapping[_Thing, float]) -> Iterable[StuckClosing]:
        """Yield one row for the watermark, and one for each service and step, the oldest pane standing for all."""
        rows: dict[tuple[str, int], list[tuple[int, float]]] = {}
        for (service, step_ms, start_ms), for_ms in stood.items():
            place = self._since[service, step_ms, start_ms][0]
            rows.setdefault((service, step_ms), []).append((place if isinstance(place, int) else start_ms, for_ms))
        for (service, step_ms), panes in sorted(rows.items()):
            oldest_ms = min(start_ms for start_ms, _ in panes)
            longest_ms = max(for_ms for _, for_ms in panes)
            reason = self._reason(service, step_ms)
            yield StuckClosing(service, step_ms, oldest_ms, round(longest_ms), len(panes) if step_ms else 0, reason)

    def _reason(self, service: str, step_ms: int) -> str:
        if not service:
            return self._failure or "the oldest entry of the events stream is not finished, or the clock was set back"
        known = [reason for (name, step), reason in self._reasons.items() if name == service and step_ms in (step, 0)]
        return known[0] if known else self._failure or UNKNOWN_CAUSE
