"""What a producer packs comes back; what anybody else writes is refused, and nothing else happens."""

import dataclasses
import math

import msgpack  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph_core.decode import EventBatch, decode_batch, decode_batches
from barograph_core.errors import MalformedEventError
from barograph_core.events import KINDS, MAX_MAGNITUDE, Kind
from barograph_core.messagepack import pack
from tests.batches import Event, entry, with_fields

LABEL = st.text(st.characters(codec="utf-8"), max_size=12)
WEIGHT = st.just(1) | st.integers(1, 1_000)
TIME_MS = st.integers(0, 2**44) | st.integers(1_700_000_000_000, 1_700_000_001_000)
MAGNITUDE = st.floats(0, MAX_MAGNITUDE) | st.integers(0, 2**54).map(float) | st.floats(1e-3, 1e4)


def labels_of(kind: Kind) -> st.SearchStrategy[tuple[str | int, ...]]:
    fixed = st.tuples(*[LABEL] * len(kind.labels))
    status = st.tuples(st.integers(0, 999)) if kind.has_status else st.just(())
    free = st.dictionaries(LABEL.filter(bool), LABEL, max_size=4 if kind.has_free_labels else 0)
    return st.tuples(fixed, status, free).map(
        lambda parts: (*parts[0], *parts[1], *(text for pair in sorted(parts[2].items()) for text in pair))
    )


def events_of(kind: Kind) -> st.SearchStrategy[list[Event]]:
    columns = [
        st.none() | (st.tuples(st.sampled_from((-1, 1)), MAGNITUDE).map(math.prod) if measure.is_signed else MAGNITUDE)
        for measure in kind.measures
    ]
    return st.lists(labels_of(kind), min_size=1, max_size=4).flatmap(
        lambda series: st.lists(
            st.builds(Event, st.sampled_from(series), TIME_MS, st.tuples(*columns), WEIGHT), min_size=1, max_size=30
        )
    )


KIND_AND_EVENTS = st.sampled_from(list(KINDS.values())).flatmap(lambda kind: st.tuples(st.just(kind), events_of(kind)))
BASE = entry("request", [Event(("/a", "GET", 200), 1_000, (1.5,)), Event(("/b", "GET", 500), 1_007, (None,))])


@settings(max_examples=60, deadline=None)
@given(KIND_AND_EVENTS)
def test_decoding_undoes_encoding(given_events: tuple[Kind, list[Event]]) -> None:
    """Every event comes back with its labels, time and values, to the bit, as often as its weight says."""
    kind, records = given_events
    batch = decode_batch(entry(kind.name, records)).expanded()
    events = [record for record in records for _ in range(record.weight)]
    status = batch.status if batch.status is not None else [None] * len(batch.labels)
    fixed = len(kind.labels)
    labels = [
        (*label[:fixed], *(() if code is None else (int(code),)), *label[fixed:])
        for label, code in zip(batch.labels, status, strict=True)
    ]
    assert [labels[index] for index in batch.series] == [event.labels for event in events]
    assert batch.times_ms.tolist() == [event.time_ms for event in events]
    weights = [1] * len(events) if batch.weights is None else batch.weights.tolist()
    assert weights == [event.weight for event in events]
    for position, column in enumerate(batch.columns):
        wanted = [math.nan if e.values[position] is None else e.values[position] for e in events]
        np.testing.assert_array_equal(np.full(len(events), math.nan) if column is None else column, wanted)


def _pack_any(value: object) -> bytes:
    packed: bytes = msgpack.packb(value)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType, reportAssignmentType]
    return packed


def refuse(fields: dict[bytes, bytes]) -> None:
    """Decode ``fields``; any error but ours fails the test."""
    try:
        batch = decode_batch(fields)
    except MalformedEventError:
        return
    # What passes is within all bounds.
    assert len(batch.series) == len(batch.times_ms) == batch.n
    assert 0 <= batch.series.min() <= batch.series.max() < len(batch.labels)
    assert batch.first_ms == batch.times_ms.min()


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(BASE)), st.binary(max_size=40), max_size=3))
def test_any_bytes_in_any_field_are_refused_cleanly(changes: dict[bytes, bytes]) -> None:
    """Fuzzed fields raise MalformedEventError and nothing else."""
    refuse({**BASE, **changes})


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(BASE[b"data"]) - 1), st.integers(0, 255), st.integers(0, len(BASE[b"data"])))
def test_damaged_data_is_refused_cleanly(position: int, byte: int, end: int) -> None:
    """One byte changed, or the end cut off."""
    data = BASE[b"data"]
    refuse(with_fields(BASE, data=data[:position] + bytes([byte]) + data[position + 1 :]))
    refuse(with_fields(BASE, data=data[:end]))


LEAF = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.binary(max_size=20) | LABEL
ANYTHING = st.recursive(
    LEAF | st.builds(msgpack.ExtType, st.integers(0, 127), st.binary(max_size=4)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(LABEL, inner, max_size=2),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_structure_in_any_place_is_refused_cleanly(data: st.DataObject) -> None:
    """Well-formed MessagePack of the wrong shape: maps, ext types, booleans, numbers out of range."""
    parts: list[object] = [1_000, [["/a", "GET", 200], ["/b", "GET", 500]], ["B", b"\0\1"], ["B", b"\0\7"], [None]]
    parts += data.draw(st.sampled_from(([], [["B", b"\1\2"]])))
    for position in data.draw(st.sets(st.integers(0, len(parts) - 1), min_size=1, max_size=2)):
        parts[position] = data.draw(ANYTHING)
    refuse(with_fields(BASE, data=_pack_any(parts)))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["B", "H", "I", "Q", "d", "b", "f", "\0"]), st.binary(max_size=40), st.integers(0, 3))
def test_any_column_is_refused_cleanly(code: str, content: bytes, position: int) -> None:
    """Wrong codes, lengths and values in each of the columns."""
    columns: list[object] = [["B", b"\0\1"], ["B", b"\0\7"], ["B", b"\0\7"], ["B", b"\1\2"]]
    columns[position] = [code, content]
    series, times, values, weights = columns
    refuse(
        with_fields(
            BASE, data=pack([1_000, [["/a", "GET", 200], ["/b", "GET", 500]], series, times, [values], weights])
        )
    )


ENTRIES = st.lists(KIND_AND_EVENTS, min_size=1, max_size=6).map(
    lambda drawn: [entry(kind.name, events, seq=seq) for seq, (kind, events) in enumerate(drawn, 1)]
)


@settings(max_examples=60, deadline=None)
@given(ENTRIES)
def test_many_entries_are_read_as_each_alone(entries: list[dict[bytes, bytes]]) -> None:
    """Whatever kinds, widths and absent columns stand beside each other."""
    assert [facts(batch) for batch in decode_batches(entries)] == [facts(decode_batch(one)) for one in entries]


@settings(max_examples=80, deadline=None)
@given(ENTRIES, st.data())
def test_a_bad_entry_is_refused_among_others_as_alone(entries: list[dict[bytes, bytes]], data: st.DataObject) -> None:
    """What one entry alone may not be, it may not be among others, and what it may be, it may."""
    chosen = data.draw(st.integers(0, len(entries) - 1))
    damaged = bytearray(entries[chosen][b"data"])
    damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    entries[chosen] = with_fields(entries[chosen], data=bytes(damaged))
    try:
        alone = facts(decode_batch(entries[chosen]))
    except MalformedEventError:
        with pytest.raises(MalformedEventError):
            decode_batches(entries)
    else:
        assert facts(decode_batches(entries)[chosen]) == alone


def facts(batch: EventBatch) -> list[str]:
    """Return all that a batch holds, NaN included, in a form that compares."""
    values = [getattr(batch, name.name) for name in dataclasses.fields(batch)]
    return [repr(value.tolist() if isinstance(value, np.ndarray) else value) for value in values]
