"""What a producer packs comes back; what anybody else writes is refused, and nothing else happens."""

import math

import msgpack  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph_core.decode.batch import decode_batch
from barograph_core.decode.block import EventBlock
from barograph_core.decode.entries import DecodedEntries, EntryDecoder
from barograph_core.errors import MalformedEventError
from barograph_core.events.kinds import KINDS, MAX_MAGNITUDE, Kind, Measure
from barograph_core.events.messagepack import pack
from barograph_core.panes.pane import Pane
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


def _values_of(measure: Measure) -> st.SearchStrategy[float]:
    if measure.is_flag:
        return st.sampled_from((0.0, 1.0))
    return st.tuples(st.sampled_from((-1, 1)), MAGNITUDE).map(math.prod) if measure.is_signed else MAGNITUDE


def events_of(kind: Kind) -> st.SearchStrategy[list[Event]]:
    columns = [st.none() | _values_of(measure) for measure in kind.measures]
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
    """Every event comes back with its labels, time and values, to the bit, repeated by its weight."""
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
    lambda drawn: [
        with_fields(entry(kind.name, events, seq=seq), service=b"ab"[seq % 2 :][:1])
        for seq, (kind, events) in enumerate(drawn, 1)
    ]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(ENTRIES, min_size=1, max_size=3))
def test_many_entries_are_read_as_each_alone(reads: list[list[dict[bytes, bytes]]]) -> None:
    """Kinds, widths and absent columns may be mixed in any way, and any entries may have been read before."""
    decoder = EntryDecoder()
    for entries in reads:
        assert facts(decoder.decode(entries)) == [decode_alone(one) for one in entries]


@settings(max_examples=80, deadline=None)
@given(ENTRIES, st.data())
def test_a_bad_entry_is_named_among_others_as_alone(entries: list[dict[bytes, bytes]], data: st.DataObject) -> None:
    """What one entry alone may not be, it may not be among others, and these are read."""
    chosen = data.draw(st.integers(0, len(entries) - 1))
    damaged = bytearray(entries[chosen][b"data"])
    damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    entries[chosen] = with_fields(entries[chosen], data=bytes(damaged))
    assert facts(EntryDecoder().decode(entries)) == [decode_alone(one) for one in entries]


@settings(max_examples=60, deadline=None)
@given(ENTRIES, st.data())
def test_bytes_that_move_from_one_entry_to_the_next_are_noticed(
    entries: list[dict[bytes, bytes]], data: st.DataObject
) -> None:
    """They are unpacked in one stream: an entry must not end in its neighbour."""
    entries = [*entries, *entries]
    at = data.draw(st.integers(0, len(entries) - 2))
    cut = data.draw(st.integers(1, len(entries[at][b"data"])))
    moved, rest = entries[at][b"data"][-cut:], entries[at][b"data"][:-cut]
    entries[at] = with_fields(entries[at], data=rest)
    entries[at + 1] = with_fields(entries[at + 1], data=moved + entries[at + 1][b"data"])
    assert facts(EntryDecoder().decode(entries)) == [decode_alone(one) for one in entries]


@settings(max_examples=60, deadline=None)
@given(ENTRIES)
def test_panes_of_many_entries_are_those_of_each_alone(entries: list[dict[bytes, bytes]]) -> None:
    """Built together or one by one and merged: the same bytes."""
    together = Pane.of_blocks(EntryDecoder().decode(entries).blocks, 1_000)
    alone: dict[tuple[str, int], list[Pane]] = {}
    for one in entries:
        for key, pane in Pane.of_blocks(EntryDecoder().decode([one]).blocks, 1_000).items():
            alone.setdefault(key, []).append(pane)
    assert {key: pane.pack() for key, pane in together.items()} == {
        key: Pane.merge(panes).pack() for key, panes in alone.items()
    }


def decode_alone(fields: dict[bytes, bytes]) -> str:
    try:
        batch = decode_batch(fields)
    except MalformedEventError:
        return "bad"
    return repr(records(batch.block))


def facts(decoded: DecodedEntries) -> list[str]:
    """Return for each entry the records that were read of it, or that it is bad."""
    found = {bad.position: "bad" for bad in decoded.bad}
    for block in decoded.blocks:
        for position in set(block.entry_of.tolist()):
            found[position] = repr(records(block.select(block.entry_of == position)))
    return [found[position] for position in range(len(found))]


def records(block: EventBlock) -> list[tuple[object, ...]]:
    """Return all that the records of a block hold, in a form whose text compares, NaN included."""
    services = [0] * len(block) if block.service_of is None else block.service_of.tolist()
    columns = [[math.nan] * len(block) if column is None else column.tolist() for column in block.columns]
    return [
        (
            block.kind.name,
            block.services[service],
            block.table.labels[int(block.table.series[label_set])],
            int(block.table.status[label_set]),
            time_ms,
            weight,
            *values,
        )
        for service, label_set, time_ms, weight, *values in zip(
            services,
            block.label_sets.tolist(),
            block.times_ms.tolist(),
            [1] * len(block) if block.weights is None else block.weights.tolist(),
            *columns,
            strict=True,
        )
    ]
