"""Event batches for tests of the codec and the panes: as entries, as a server gives them back, and decoded."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from barograph_core.decode.batch import EventBatch, decode_batch
from barograph_core.events.encode import EncodedBatch, LabelSet, encode_batch, entry_fields
from barograph_core.events.kinds import KINDS
from barograph_core.panes.pane import Pane

Entry = dict[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Event:
    """One event of any kind; a measure it lacks is ``None``. It stands for ``weight`` of them."""

    labels: LabelSet
    time_ms: int
    values: tuple[float | None, ...]
    weight: int = 1


def encoded(kind: str, events: Sequence[Event]) -> EncodedBatch:
    """Return ``events`` packed as a producer would."""
    label_sets = list(dict.fromkeys(event.labels for event in events))
    columns = [
        None if all(value is None for value in column) else [math.nan if v is None else v for v in column]
        for column in zip(*(event.values for event in events), strict=True)
    ]
    series = [label_sets.index(event.labels) for event in events]
    times, weights = [event.time_ms for event in events], [event.weight for event in events]
    return encode_batch(KINDS[kind], label_sets, series, times, columns, weights)


def entry(kind: str, events: Sequence[Event], *, seq: int = 1, through_ms: int = 0) -> Entry:
    """Return the stream entry of ``events``, as a client reads it back: bytes only."""
    fields = entry_fields(
        encoded(kind, events), service="ranker", instance="host:1:00000000000000ab", seq=seq, through_ms=through_ms
    )
    return {name.encode(): value if isinstance(value, bytes) else str(value).encode() for name, value in fields.items()}


def with_fields(fields: Mapping[bytes, bytes], **changes: bytes | None) -> Entry:
    """Return ``fields`` with some changed, or absent where the change is ``None``."""
    changed = {**fields, **{name.encode(): value for name, value in changes.items()}}
    return {name: value for name, value in changed.items() if value is not None}


def decoded(kind: str, events: Sequence[Event]) -> EventBatch:
    """Return ``events`` after their way through a stream."""
    return decode_batch(entry(kind, events))


def panes_by_start(batches: Sequence[EventBatch], step_ms: int) -> dict[int, Pane]:
    """Return start -> pane of batches that are all of one service."""
    panes = Pane.of_blocks([batch.block for batch in batches], step_ms)
    return {start_ms: pane for (_, start_ms), pane in panes.items()}


def request(
    time_ms: int = 1_000,
    duration_ms: float | None = 12.5,
    route: str = "/predict",
    status: int = 200,
    *,
    weight: int = 1,
    **labels: str,
) -> Event:
    free = (text for pair in sorted(labels.items()) for text in pair)
    return Event((route, "GET", status, *free), time_ms, (duration_ms,), weight)


def custom(value: float | None, time_ms: int = 1_000, name: str = "queue", **labels: str) -> Event:
    free = (text for pair in sorted(labels.items()) for text in pair)
    return Event((name, *free), time_ms, (value,))


def model(
    prediction: float | None,
    error: float | None = None,
    time_ms: int = 1_000,
    version: str = "7",
    failed: float | None = None,
) -> Event:
    return Event(("ctr", version), time_ms, (None, None, prediction, error, failed))


def values(events: Sequence[Event], measure: int = 0) -> list[float]:
    """Return the values of one measure that are there."""
    return [value for event in events if (value := event.values[measure]) is not None]
