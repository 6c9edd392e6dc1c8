"""The two round trips of closing: read the stored parts of many panes, then close the panes service by service."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from barograph_aggregator.close.closed_entry import closed_fields
from barograph_aggregator.close.pane_memory import PaneMemory
from barograph_aggregator.close.pane_queue import OpenPane
from barograph_aggregator.close.request import CloseRequest, PaneRequest
from barograph_aggregator.settings import AggregatorSettings
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.panes.many.merge_each import merge_each
from barograph_core.panes.pane import Pane
from barograph_core.server.connection import Connection
from barograph_core.server.link import Reply, Value
from barograph_core.server.replies import as_bytes, as_int, as_list
from barograph_core.steps import Step
from barograph_core.store.blocks import Block, PaneFields
from barograph_core.store.figure_records import figure_fields
from barograph_core.store.parts import mark_of, unmarked

_NONE: Final = -1
# Limits of one round trip. More would use memory and block the server for longer, and save little time.
_PANES_AT_ONCE: Final = 50
_BYTES_AT_ONCE: Final = 4 * 1_048_576


@dataclass(frozen=True, slots=True)
class StoredParts:
    """The parts of a pane and its stored revision, as read from the server.

    Attributes:
        parts: Number of parts.
        token: The mark of the last part, empty without parts. If it still is the last one, no part was added.
        revision: Of the stored pane, -1 when there is none.
        news: The parts that the roll-up still lacks, packed; empty when that is the whole pane.
        pane: The parts and the stored pane, merged.
        whole: ``pane`` with the series of each kind merged into one.
    """

    parts: int
    token: bytes
    revision: int
    news: bytes
    pane: Pane
    whole: Pane


class ClosingCall:
    """Reads stored parts and calls ``baro_close_1``. The caller decides the order and handles refusals."""

    def __init__(
        self,
        connection: Connection,
        keys: ShardKeys,
        settings: AggregatorSettings,
        steps: Sequence[Step],
        memory: PaneMemory,
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._settings = settings
        self._steps = tuple(steps)
        self._by_length = {step.step_ms: step for step in self._steps}
        self._memory = memory
        self._longest_keep_ms = max(step.keep_ms for step in self._steps)
        self._written: set[Block] = set()
        self._mean_bytes = 0

    @property
    def panes_at_once(self) -> int:
        """Return how many panes one round trip should carry: fewer when the last ones were large."""
        return max(1, min(_PANES_AT_ONCE, _BYTES_AT_ONCE // (self._mean_bytes + 1)))

    def read(self, panes: Sequence[OpenPane]) -> list[StoredParts]:
        """Return the stored parts of each pane, all in one round trip.

        Raises:
            MalformedEventError: A part or a stored pane cannot be read.
            CommandRefusedError: A key has another type.
        """
        commands: list[list[Value]] = []
        for opened in panes:
            # Another client may close the pane between these two commands. Ours then fails, because the revision or the
            # mark has changed.
            names = PaneFields.of(opened.start_ms)
            commands.append(["HMGET", self._block(opened), names.revision, names.pane])
            commands.append(["LRANGE", self.parts_key(opened), 0, -1])
        replies = self._connection.pipeline(commands)
        revisions = [as_list(reply) for reply in replies[::2]]
        blobs = [[as_bytes(part) for part in as_list(reply)] for reply in replies[1::2]]
        self._mean_bytes = sum(len(blob) for found in blobs for blob in found) // max(1, len(panes))
        parts = [[self._memory.unpack(unmarked(blob)) for blob in found] for found in blobs]
        stored = [[] if pane is None else [self._memory.unpack(as_bytes(pane))] for _, pane in revisions]
        merged = merge_each([[*old, *new] for old, new in zip(stored, parts, strict=True)])
        return [
            StoredParts(
                parts=len(found),
                token=mark_of(found[-1]) if found else b"",
                revision=as_int(revision) if old and revision is not None else _NONE,
                news=Pane.merge(new).pack() if old else b"",
                pane=one.pane,
                whole=one.whole,
            )
            for (revision, _), old, found, new, one in zip(revisions, stored, blobs, parts, merged, strict=True)
        ]

    def close(
        self, by_service: Mapping[str, Sequence[tuple[OpenPane, StoredParts]]], watermark_ms: int, deletions: int
    ) -> dict[str, list[list[Reply]]]:
        """Close each service's panes in order, up to the first that is refused, all in one round trip.

        Args:
            by_service: Panes of one service are all of the base step, ascending, or all roll-ups.
            watermark_ms: Decides which panes' retention has ended.
            deletions: Number of services ever deleted, read before the stored parts were.

        Returns:
            The replies of each service, one for each pane that was tried.
        """
        requests = [
            CloseRequest(
                service=service,
                base_step_ms=self._steps[0].step_ms,
                no_data_ms=self._settings.no_data_ms,
                keep_metrics_ms=self._settings.keep_metrics_ms,
                longest_keep_ms=self._longest_keep_ms,
                deletions=deletions,
                panes=[self._request(opened, stored, watermark_ms) for opened, stored in panes],
            )
            for service, panes in by_service.items()
        ]
        replies = self._connection.pipeline([request.to_command(self._keys) for request in requests])
        results = {
            service: [as_list(one) for one in as_list(reply)]
            for service, reply in zip(by_service, replies, strict=True)
        }
        for service, panes in by_service.items():
            self._note(
                opened for (opened, _), (status, *_) in zip(panes, results[service], strict=False) if status == b"ok"
            )
        return results

    def take_written(self) -> set[Block]:
        """Return the blocks that were written to since the last call."""
        written, self._written = self._written, set()
        return written

    def _note(self, closed: Iterable[OpenPane]) -> None:
        for opened in closed:
            span_ms = self._by_length[opened.step_ms].span_ms
            self._written.add(Block(opened.step_ms, opened.start_ms - opened.start_ms % span_ms, opened.service))

    def _request(self, opened: OpenPane, stored: StoredParts, watermark_ms: int) -> PaneRequest:
        step = self._by_length[opened.step_ms]
        above = 0 if step is self._steps[-1] else step.span_ms
        covering = self._covering_ms(opened, watermark_ms)
        blob = stored.pane.pack()
        if above and not stored.news:
            self._memory.put(blob, stored.pane)
        return PaneRequest(
            parts_key=self.parts_key(opened),
            block_key=self._block(opened),
            above_key=self._roll_up(opened, above or step.step_ms),
            covering_key=self._roll_up(opened, covering or step.step_ms),
            step_ms=step.step_ms,
            start_ms=opened.start_ms,
            block_start_ms=opened.start_ms - opened.start_ms % step.span_ms,
            token=stored.token,
            revision=stored.revision,
            keep_ms=step.keep_ms,
            above_step_ms=above,
            covering_step_ms=covering,
            blob=blob,
            news=stored.news,
            fields=self._fields(stored, step, opened.start_ms),
        )

    def _fields(self, stored: StoredParts, step: Step, start_ms: int) -> Sequence[Value]:
        """Return the fields written with a pane: those of its closed entry, or of a roll-up its figures for charts."""
        if step is self._steps[0]:
            return closed_fields(stored.whole, step.step_ms)
        return figure_fields(stored.pane.tables, start_ms % step.span_ms // step.step_ms)

    def _covering_ms(self, opened: OpenPane, watermark_ms: int) -> int:
        """Return the finest step whose retention still covers a pane of the base step, 0 if its own still does."""
        base, *coarser = self._steps
        age_ms = watermark_ms - opened.end_ms
        if opened.step_ms != base.step_ms or age_ms <= base.keep_ms or not coarser:
            return 0
        return next((step.step_ms for step in coarser if age_ms <= step.keep_ms), coarser[-1].step_ms)

    def parts_key(self, opened: OpenPane) -> str:
        """Return the key of the list of a pane's or roll-up's parts."""
        if opened.step_ms == self._steps[0].step_ms:
            return self._keys.parts(opened.service, opened.start_ms)
        return self._keys.rollup_parts(opened.service, opened.step_ms, opened.start_ms)

    def _roll_up(self, opened: OpenPane, step_ms: int) -> str:
        return self._keys.rollup_parts(opened.service, step_ms, opened.start_ms - opened.start_ms % step_ms)

    def _block(self, opened: OpenPane) -> str:
        span_ms = self._by_length[opened.step_ms].span_ms
        return self._keys.panes(opened.service, opened.step_ms, opened.start_ms - opened.start_ms % span_ms)


def no_parts() -> StoredParts:
    """Return the stored parts of a pane that received nothing."""
    return StoredParts(parts=0, token=b"", revision=_NONE, news=b"", pane=Pane.EMPTY, whole=Pane.EMPTY)
