"""Closes panes when the watermark has passed them: in order, without holes, by compare-and-set."""

from collections.abc import Sequence
from dataclasses import dataclass

from barograph_aggregator.closed_entry import closed_fields
from barograph_aggregator.settings import AggregatorSettings
from barograph_core.keys import ShardKeys
from barograph_core.pane import Pane
from barograph_core.self_metrics import Counters
from barograph_core.store import Step
from barograph_core.stream import Connection, Value, as_bytes, as_hash, as_int, as_list, as_text

# A worker that comes back after hours must not spend one tick on a whole outage.
_EMPTY_PANES_A_TICK = 60
_PANES_A_TICK = 2_000


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
        self._base = self._steps[0]
        self._ticked_through_ms = 0

    def advance(self, watermark_ms: int) -> None:
        """Close every pane that ends at or before ``watermark_ms``, move quiet services on, then roll up."""
        self._close_in_order(self._due(watermark_ms))
        through_ms = watermark_ms - watermark_ms % self._base.step_ms
        if through_ms > self._ticked_through_ms:
            # Before the roll-ups: they wait until their service is closed through their end.
            self._move_quiet_services(through_ms)
            self._ticked_through_ms = through_ms
        # Closing a child makes its parent due, up to the coarsest step.
        for _ in self._steps[1:]:
            due = self._due(watermark_ms)
            if not due:
                break
            self._close_in_order(due)

    def _due(self, watermark_ms: int) -> list[OpenPane]:
        reply = self._connection.command(
            "ZRANGEBYSCORE", self._keys.open, "-inf", watermark_ms, "LIMIT", 0, _PANES_A_TICK
        )
        due: list[OpenPane] = []
        for member in as_list(reply):
            service, step, start = as_text(member).rsplit(":", 2)
            due.append(OpenPane(int(start) + int(step), int(step), service))
        return sorted(due)

    def _close_in_order(self, due: Sequence[OpenPane]) -> None:
        held_back: set[str] = set()
        for opened in due:
            if opened.service not in held_back and not self._close(opened):
                held_back.add(opened.service)

    def _close(self, opened: OpenPane) -> bool:
        step, source = self._step(opened), self._read_source(opened)
        return self._write(opened.service, step, opened.start_ms, source)

    def _step(self, opened: OpenPane) -> Step:
        return next(step for step in self._steps if step.step_ms == opened.step_ms)

    def _read_source(self, opened: OpenPane) -> _Source:
        if opened.step_ms != self._base.step_ms:
            return self._read_children(opened)
        key = self._keys.parts(opened.service, opened.start_ms)
        block = self._block_key(opened.service, self._base, opened.start_ms)
        start = opened.start_ms
        parts, held = self._connection.pipeline([["LRANGE", key, 0, -1], ["HMGET", block, f"r{start}", start]])
        blobs = [as_bytes(part) for part in as_list(parts)]
        token, (revision, stored) = len(blobs), as_list(held)
        if stored is not None:
            blobs.append(as_bytes(stored))
        pane = Pane.merge([Pane.unpack(blob) for blob in blobs])
        return _Source(key, token, -1 if revision is None else as_int(revision), pane)

    def _read_children(self, opened: OpenPane) -> _Source:
        finer = next(step for step in self._steps if step.span_ms == opened.step_ms)
        key = self._keys.panes(opened.service, finer.step_ms, opened.start_ms)
        block = self._block_key(opened.service, self._step(opened), opened.start_ms)
        children, revision = self._connection.pipeline([["HGETALL", key], ["HGET", block, f"r{opened.start_ms}"]])
        fields = as_hash(children)
        pane = Pane.merge([Pane.unpack(blob) for name, blob in fields.items() if name.isdigit()])
        return _Source(key, int(fields.get("v", b"0")), -1 if revision is None else as_int(revision), pane)

    def _write(self, service: str, step: Step, start_ms: int, source: _Source) -> bool:
        is_base = step is self._base
        parent_ms = 0 if step is self._steps[-1] else step.span_ms
        reply = self._connection.call(
            "baro_close_1",
            [
                source.key,
                self._block_key(service, step, start_ms),
                self._keys.open,
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
                self._settings.no_data_ms,
                self._settings.keep_metrics_ms,
                parent_ms,
                *(closed_fields(source.pane, step.step_ms) if is_base else ()),
            ],
        )
        status, *rest = as_list(reply)
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

    def _close_empty(self, service: str, from_ms: int, through_ms: int) -> None:
        """Close empty panes one by one: each records how many instances are missing."""
        step_ms = self._base.step_ms
        for start in list(range(from_ms, through_ms, step_ms))[:_EMPTY_PANES_A_TICK]:
            source = _Source(self._keys.parts(service, start), 0, -1, Pane.empty())
            if not self._write(service, self._base, start, source):
                return
