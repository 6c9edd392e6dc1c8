"""Panes of single events: those of a file, or of the series of a test. As an aggregator makes them of a log."""

from collections.abc import Sequence
from typing import Final

from barograph_alerter.trial.recording import Recorded
from barograph_core.decode.batch import decode_batch
from barograph_core.decode.block import EventBlock
from barograph_core.events.encode import LabelSet, encode_batch, entry_fields
from barograph_core.events.kinds import MAX_EVENTS_PER_BATCH, MAX_WEIGHTED_EVENTS, Kind
from barograph_core.panes.pane import Pane

_NAN: Final = float("nan")
# Decoded batches that are folded together.
_BLOCKS_AT_ONCE: Final = 64


class _Batch:
    """Events of one kind and service that wait to be encoded."""

    def __init__(self, service: str, kind: Kind) -> None:
        self._service = service
        self._kind = kind
        self._label_sets: dict[LabelSet, int] = {}
        self._series: list[int] = []
        self._times_ms: list[int] = []
        self._values: list[tuple[float | None, ...]] = []
        self._weights: list[int] = []
        self._events = 0

    def takes(self, weight: int) -> bool:
        return len(self._series) < MAX_EVENTS_PER_BATCH and self._events + weight <= MAX_WEIGHTED_EVENTS

    def add(self, labels: LabelSet, time_ms: int, values: tuple[float | None, ...], weight: int) -> None:
        self._series.append(self._label_sets.setdefault(labels, len(self._label_sets)))
        self._times_ms.append(time_ms)
        self._values.append(values)
        self._weights.append(weight)
        self._events += weight

    def block(self) -> EventBlock:
        columns = [[_NAN if value is None else value for value in column] for column in zip(*self._values, strict=True)]
        batch = encode_batch(
            self._kind, list(self._label_sets), self._series, self._times_ms, columns, weights=self._weights
        )
        # Encoded and decoded, so that these events are treated like those of any producer.
        fields = entry_fields(batch, service=self._service, instance="trial", seq=1, through_ms=0)
        raw = {
            name.encode(): value if isinstance(value, bytes) else str(value).encode() for name, value in fields.items()
        }
        return decode_batch(raw).block


class EventFold:
    """Takes events in any order and returns their panes of one second."""

    STEP_MS: Final = 1_000

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str], _Batch] = {}
        self._blocks: list[EventBlock] = []
        self._panes: dict[str, dict[int, list[Pane]]] = {}

    def add(
        self, service: str, kind: Kind, labels: LabelSet, time_ms: int, values: tuple[float | None, ...], weight: int
    ) -> None:
        """Add an event.

        Args:
            service: Its service.
            kind: Its kind.
            labels: As in ``encode_batch``: with the status of a request.
            time_ms: When it happened.
            values: One for each measure of the kind, ``None`` where it has none.
            weight: Number of events that it stands for, up to ``MAX_WEIGHT``.
        """
        batch = self._waiting.get((service, kind.name))
        if batch is None or not batch.takes(weight):
            if batch is not None:
                self._take(batch.block())
            batch = self._waiting[service, kind.name] = _Batch(service, kind)
        batch.add(labels, time_ms, values, weight)

    def _take(self, block: EventBlock) -> None:
        self._blocks.append(block)
        if len(self._blocks) >= _BLOCKS_AT_ONCE:
            self._fold()

    def _fold(self) -> None:
        for (service, start_ms), pane in Pane.of_blocks(self._blocks, self.STEP_MS).items():
            self._panes.setdefault(service, {}).setdefault(start_ms, []).append(pane)
        self._blocks.clear()

    def panes(self) -> dict[str, Sequence[Recorded]]:
        """Return service -> its panes, ascending. Nothing can be added after it."""
        for batch in self._waiting.values():
            self._take(batch.block())
        self._waiting.clear()
        self._fold()
        return {
            service: [Recorded(start_ms, self.STEP_MS, Pane.merge(parts)) for start_ms, parts in sorted(found.items())]
            for service, found in sorted(self._panes.items())
        }
