"""Packs events into batches that every worker decodes. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from math import nan
from typing import Final

from barograph_console.store.ingest.event_log import Event
from barograph_core.events.encode import EncodedBatch, LabelSet, encode_batch
from barograph_core.events.kinds import MAX_EVENTS_PER_BATCH, MAX_WEIGHTED_EVENTS

# Text of label sets in one batch: the rest of MAX_BATCH_BYTES is for the columns of a thousand events.
_MOST_LABEL_BYTES: Final = 700_000
# What a label and a label set take beyond their text.
_LABEL_BYTES: Final = 5


def pack_events(events: Iterable[Event]) -> Iterator[tuple[str, EncodedBatch]]:
    """Yield service and batch, each of one service and kind, in the order of their first events."""
    groups: dict[tuple[str, str], list[Event]] = {}
    for event in events:
        groups.setdefault((event.service, event.kind.name), []).append(event)
    for (service, _), group in groups.items():
        for part in _parts(group):
            yield service, _encode(part)


def _parts(events: Sequence[Event]) -> Iterator[list[Event]]:
    """Split events of one service and kind so that each part is within the bounds of a batch."""
    part: list[Event] = []
    seen: set[LabelSet] = set()
    label_bytes = weight = 0
    for event in events:
        more = 0 if event.labels in seen else sum(_LABEL_BYTES + len(str(one).encode()) for one in event.labels)
        is_full = len(part) == MAX_EVENTS_PER_BATCH or weight + event.weight > MAX_WEIGHTED_EVENTS
        if part and (is_full or label_bytes + more > _MOST_LABEL_BYTES):
            yield part
            part, seen, label_bytes, weight = [], set[LabelSet](), 0, 0
            more = sum(_LABEL_BYTES + len(str(one).encode()) for one in event.labels)
        part.append(event)
        seen.add(event.labels)
        label_bytes += more
        weight += event.weight
    if part:
        yield part


def _encode(events: Sequence[Event]) -> EncodedBatch:
    kind = events[0].kind
    places: dict[LabelSet, int] = {}
    series = [places.setdefault(event.labels, len(places)) for event in events]
    columns = [_column([event.values[at] for event in events]) for at in range(len(kind.measures))]
    weights = [event.weight for event in events]
    return encode_batch(kind, list(places), series, [event.at_ms for event in events], columns, weights)


def _column(values: Sequence[float | None]) -> list[float] | None:
    if all(value is None for value in values):
        return None
    return [nan if value is None else value for value in values]
