"""What a producer packs comes back; what anybody else writes is refused, and nothing else happens."""

import math

import msgpack  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph_core.decode import decode_batch
from barograph_core.errors import MalformedEventError
from barograph_core.events import KINDS, MAX_MAGNITUDE, Kind
from barograph_core.messagepack import pack
from tests.batches import Event, entry, with_fields

LABEL = st.text(st.characters(codec="utf-8"), max_size=12)
TIME_MS = st.integers(0, 2**44) | st.integers(1_700_000_000_000, 1_700_000_001_000)
MAGNITUDE = st.floats(0, MAX_MAGNITUDE) | st.integers(0, 2**54).map(float) | st.floats(1e-3, 1e4)


def labels_of(kind: Kind) -> st.SearchStrategy[tuple[str | int, ...]]:
    fixed = st.tuples(*[LABEL] * len(kind.labels))
    if kind.has_status:
        return st.tuples(fixed, st.integers(0, 999)).map(lambda both: (*both[0], both[1]))
    if kind.has_free_labels:
        free = st.dictionaries(LABEL.filter(bool), LABEL, max_size=4)
        return st.tuples(fixed, free).map(
            lambda both: (*both[0], *(t for pair in sorted(both[1].items()) for t in pair))
        )
    return fixed


def events_of(kind: Kind) -> st.SearchStrategy[list[Event]]:
    columns = [
        st.none() | (st.tuples(st.sampled_from((-1, 1)), MAGNITUDE).map(math.prod) if measure.is_signed else MAGNITUDE)
        for measure in kind.measures
    ]
    return st.lists(labels_of(kind), min_size=1, max_size=4).flatmap(
        lambda series: st.lists(
            st.builds(Event, st.sampled_from(series), TIME_MS, st.tuples(*columns)), min_size=1, max_size=30
        )
    )


KIND_AND_EVENTS = st.sampled_from(list(KINDS.values())).flatmap(lambda kind: st.tuples(st.just(kind), events_of(kind)))
BASE = entry("request", [Event(("/a", "GET", 200), 1_000, (1.5,)), Event(("/b", "GET", 500), 1_007, (None,))])


@settings(max_examples=60, deadline=None)
@given(KIND_AND_EVENTS)
def test_decoding_undoes_encoding(given_events: tuple[Kind, list[Event]]) -> None:
    """Every event comes back with its labels, time and values, to the bit."""
    kind, events = given_events
    batch = decode_batch(entry(kind.name, events))
    status = batch.status if batch.status is not None else [None] * len(batch.labels)
    fixed = len(kind.labels)
    labels = [
        (*label[:fixed], *(() if code is None else (int(code),)), *label[fixed:])
        for label, code in zip(batch.labels, status, strict=True)
    ]
    assert [labels[index] for index in batch.series] == [event.labels for event in events]
    assert batch.times_ms.tolist() == [event.time_ms for event in events]
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
    for position in data.draw(st.sets(st.integers(0, 4), min_size=1, max_size=2)):
        parts[position] = data.draw(ANYTHING)
    refuse(with_fields(BASE, data=_pack_any(parts)))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["B", "H", "I", "Q", "d", "b", "f", "\0"]), st.binary(max_size=40), st.integers(0, 2))
def test_any_column_is_refused_cleanly(code: str, content: bytes, position: int) -> None:
    """Wrong codes, lengths and values in each of the columns."""
    columns: list[object] = [["B", b"\0\1"], ["B", b"\0\7"], ["B", b"\0\7"]]
    columns[position] = [code, content]
    series, times, values = columns
    refuse(with_fields(BASE, data=pack([1_000, [["/a", "GET", 200], ["/b", "GET", 500]], series, times, [values]])))
