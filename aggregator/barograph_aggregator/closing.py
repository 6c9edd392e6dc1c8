"""Closes panes when the watermark has passed them: in order, without holes, by compare-and-set."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from barograph_aggregator.closed_entry import closed_fields
from barograph_aggregator.settings import AggregatorSettings
from barograph_core.errors import CommandRefusedError, MalformedEventError
from barograph_core.keys import ShardKeys
from barograph_core.pane import Pane
from barograph_core.self_metrics import Counters
from barograph_core.store import Step
from barograph_core.stream import Connection, Value, as_bytes, as_hash, as_int, as_list, as_text

log = logging.getLogger(__name__)

# A worker that comes back after hours must not spend one tick on a whole outage: between ticks it reads, claims and
# looks whether it is to stop. A pane takes 1 to 4 ms.
_PANES_A_TICK = 200
_EMPTY_PANES_A_TICK = 600
_EMPTY_PANES_A_SERVICE = 60
# Even when that is used up, each service gains on the clock.
_EMPTY_PANES_AT_LEAST = 2
_ROLL_UPS_LOOKED_AT = 2_000
_REMEMBERED_COMPLAINTS = 1_000


@dataclass(frozen=True, slots=True, order=True)
class OpenPane:
    """A pane or roll-up that waits for the watermark. Sorts by end, children before their parents."""

    end_ms: int
    step_ms: int
    service: str

    @property
    def start_ms(self) -> int:
        return self.end_ms - self.step_ms


@dataclass(frozen=True, slots=True)
class _Source:
    """What a pane is made from: its token says whether that is still all."""

    key: str
    token: int
    revision: int
    pane: Pane


class Closer:
    """Closes what the watermark has passed. Any number may work at once; one wins each pane."""

    def __init__(
        self, connection: Connection, keys: ShardKeys, settings: AggregatorSettings, counters: Counters
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._settings = settings
        self._counters = counters
        self._steps = settings.steps
        self._by_length = {step.step_ms: step for step in self._steps}
        self._base = self._steps[0]
        self._ticked_through_ms = 0
        self._empty_left = 0
        self._complaints: set[tuple[str, int]] = set()

    def advance(self, watermark_ms: int) -> None:
        """Close every pane that ends at or before ``watermark_ms``, move quiet services on, then roll up."""
        self._empty_left = _EMPTY_PANES_A_TICK
        self._close_in_order(self._due(self._keys.open, watermark_ms, _PANES_A_TICK))
        through_ms = watermark_ms - watermark_ms % self._base.step_ms
        if through_ms > self._ticked_through_ms:
            # Before the roll-ups: they wait until their service is closed through their end.
            self._move_quiet_services(through_ms)
            self._ticked_through_ms = through_ms
        # Closing a child makes its parent due, up to the coarsest step.
        for _ in self._steps[1:]:
            if not self._roll_up(watermark_ms):
                break

    def _roll_up(self, watermark_ms: int) -> bool:
        due = self._due(self._keys.rollups, watermark_ms, _ROLL_UPS_LOOKED_AT)
        if not due:
            return False
        closed = as_hash(self._connection.command("HGETALL", self._keys.closed))
        ready = [opened for opened in due if int(closed.get(opened.service, b"0")) >= opened.end_ms]
        self._close_in_order(ready[:_PANES_A_TICK])
        return bool(ready)

    def _due(self, key: str, watermark_ms: int, most: int) -> list[OpenPane]:
        reply = self._connection.command("ZRANGEBYSCORE", key, "-inf", watermark_ms, "LIMIT", 0, most)
        due: list[OpenPane] = []
        for member in as_list(reply):
            service, step, start = as_text(member).rsplit(":", 2)
            opened = OpenPane(int(start) + int(step), int(step), service)
            if opened.step_ms in self._by_length:
                due.append(opened)
            else:
                # Left over from other settings, or those of another worker are right and ours are not.
                self._complain(opened, "no step of these settings is that long")
        return sorted(due)

    def _close_in_order(self, due: Sequence[OpenPane]) -> None:
        held_back: set[str] = set()
        for opened in due:
            if opened.service not in held_back and not self._close(opened):
                held_back.add(opened.service)

    def _close(self, opened: OpenPane) -> bool:
        try:
            source = self._read_source(opened)
            return self._write(opened.service, self._by_length[opened.step_ms], opened.start_ms, source)
        except (MalformedEventError, CommandRefusedError) as error:
            # Foreign data under our keys, or a newer worker's: this service waits, the others go on.
            self._counters.add("loop_errors")
            self._complain(opened, str(error))
            return False

    def _complain(self, opened: OpenPane, reason: str) -> None:
        about = (opened.service, opened.step_ms)
        if about in self._complaints:
            return
        if len(self._complaints) >= _REMEMBERED_COMPLAINTS:
            self._complaints.clear()
        self._complaints.add(about)
        facts = {"service": opened.service, "step_ms": opened.step_ms, "start_ms": opened.start_ms}
        log.error("pane.cannot_close", extra={**facts, "reason": reason})

    def _read_source(self, opened: OpenPane) -> _Source:
        if opened.step_ms != self._base.step_ms:
            return self._read_children(opened)
        key = self._keys.parts(opened.service, opened.start_ms)
        block = self._block_key(opened.service, self._base, opened.start_ms)
        start = opened.start_ms
        # The stored pane first: other clients come between the two. A closing before this revision is in it, one
        # after it makes ours fail. In the other order the parts would count twice when the list has as many again.
        held, parts = self._connection.pipeline([["HMGET", block, f"r{start}", start], ["LRANGE", key, 0, -1]])
        blobs = [as_bytes(part) for part in as_list(parts)]
        token, (revision, stored) = len(blobs), as_list(held)
        if stored is not None:
            blobs.append(as_bytes(stored))
        pane = Pane.merge([Pane.unpack(blob) for blob in blobs])
        return _Source(key, token, -1 if revision is None else as_int(revision), pane)

    def _read_children(self, opened: OpenPane) -> _Source:
        key = self._keys.panes(opened.service, self._finer(opened.step_ms).step_ms, opened.start_ms)
        block = self._block_key(opened.service, self._by_length[opened.step_ms], opened.start_ms)
        revision, children = self._connection.pipeline([["HGET", block, f"r{opened.start_ms}"], ["HGETALL", key]])
        fields = as_hash(children)
        pane = Pane.merge([Pane.unpack(blob) for name, blob in fields.items() if name.isdigit()])
        return _Source(key, int(fields.get("v", b"0")), -1 if revision is None else as_int(revision), pane)

    def _finer(self, step_ms: int) -> Step:
        return next(step for step in self._steps if step.span_ms == step_ms)

    def _write(self, service: str, step: Step, start_ms: int, source: _Source) -> bool:
        is_base = step is self._base
        parent_ms = 0 if step is self._steps[-1] else step.span_ms
        reply = self._connection.call(
            "baro_close_1",
            [
                source.key,
                self._block_key(service, step, start_ms),
                self._keys.open,
                self._keys.rollups,
                self._keys.closed,
                self._keys.producers(service),
                self._keys.metrics,
            ],
            [
                service,
                step.step_ms,
                start_ms,
                self._base.step_ms,
                source.token,
                source.revision,
                source.pane.pack(),
                step.keep_ms,
                0 if is_base else self._finer(step.step_ms).keep_ms,
                self._settings.no_data_ms,
                self._settings.keep_metrics_ms,
                parent_ms,
                *(closed_fields(source.pane, step.step_ms) if is_base else ()),
            ],
        )
        status, *rest = as_list(reply)
        if as_text(status) == "hole":
            is_filled = self._close_empty(service, as_int(rest[0]), start_ms)
            return is_filled and self._write(service, step, start_ms, source)
        if as_text(status) != "ok":
            self._counters.add("close_conflicts")
            return False
        self._counters.add("panes_closed" if as_int(rest[0]) == 0 else "panes_revised")
        return True

    def _block_key(self, service: str, step: Step, start_ms: int) -> str:
        return self._keys.panes(service, step.step_ms, start_ms - start_ms % step.span_ms)

    def _move_quiet_services(self, through_ms: int) -> None:
        closed = as_hash(self._connection.command("HGETALL", self._keys.closed))
        behind = sorted(service for service, cursor in closed.items() if int(cursor) < through_ms)
        if not behind:
            return
        keys = [self._keys.closed, self._keys.open, self._keys.metrics]
        keys += [self._keys.producers(service) for service in behind]
        args: list[Value] = [self._base.step_ms, through_ms, self._settings.no_data_ms, self._settings.keep_metrics_ms]
        args += behind
        for held in as_list(self._connection.call("baro_tick_1", keys, args)):
            self._close_empty(as_text(held), int(closed[as_text(held)]), through_ms)

    def _close_empty(self, service: str, from_ms: int, through_ms: int) -> bool:
        """Close empty panes one by one: each records how many instances are missing.

        Returns:
            Whether all of them are closed; a long hole is filled over several ticks.
        """
        step_ms = self._base.step_ms
        starts = range(from_ms - from_ms % step_ms, through_ms, step_ms)
        most = min(_EMPTY_PANES_A_SERVICE, max(_EMPTY_PANES_AT_LEAST, self._empty_left))
        self._empty_left -= min(most, len(starts))
        for start in starts[:most]:
            source = _Source(self._keys.parts(service, start), 0, -1, Pane.empty())
            if not self._write(service, self._base, start, source):
                return False
        return len(starts) <= most
