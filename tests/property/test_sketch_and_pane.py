"""Sums, sketches and panes do not depend on how the events were split, ordered and merged."""

import math
import random
import struct
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph_core.errors import MalformedEventError
from barograph_core.events.kinds import MAX_MAGNITUDE
from barograph_core.numerics.sketch import RELATIVE_ACCURACY, bin_values
from barograph_core.panes.pane import Pane
from tests.batches import Event, decoded, panes_by_start, values
from tests.reference import exact_sum, merged, row_of, sketch_of

T = TypeVar("T")

VALUE = (
    st.floats(-MAX_MAGNITUDE, MAX_MAGNITUDE)
    | st.floats(-1e-300, 1e-300)
    | st.floats(0.001, 1e5)
    | st.sampled_from([0.0, -0.0, 5e-324, 1e150, -1e150, 1.0, 0.1])
)
CUSTOM = st.builds(
    Event,
    st.tuples(st.sampled_from("ab"), st.just("host"), st.sampled_from("xyz")),
    st.integers(0, 2_999),
    st.tuples(st.none() | VALUE),
)
REQUEST = st.builds(
    Event,
    st.tuples(st.sampled_from(["/a", "/b"]), st.just("GET"), st.sampled_from([200, 404, 500, 503]))
    | st.tuples(st.just("/a"), st.just("GET"), st.just(200), st.just("tenant"), st.sampled_from("xy")),
    st.integers(0, 2_999),
    st.tuples(st.none() | st.floats(0, 1e6)),
    st.sampled_from([1, 1, 2, 1_000]),
)
KIND_AND_EVENTS = st.lists(CUSTOM, min_size=1, max_size=40).map(lambda events: ("custom", events)) | st.lists(
    REQUEST, min_size=1, max_size=40
).map(lambda events: ("request", events))


def panes_of(kind: str, *batches: list[Event]) -> dict[int, Pane]:
    return panes_by_start([decoded(kind, events) for events in batches if events], 1_000)


@settings(max_examples=100, deadline=None)
@given(st.lists(VALUE, min_size=1, max_size=60), st.floats(0, 1))
def test_a_quantile_is_within_its_accuracy(numbers: list[float], q: float) -> None:
    """1/128 of the exact value of that rank, for every float64 there is within bounds."""
    exact = sorted(numbers)[math.floor(q * (len(numbers) - 1))]
    # Exact arithmetic: the bound must hold to the last bit.
    error = abs(_ratio(sketch_of(np.array(numbers)).quantile(q)) - _ratio(exact))
    assert error <= abs(_ratio(exact)) * _ratio(RELATIVE_ACCURACY)


def _ratio(value: float) -> Fraction:
    return Fraction(value)


SHAPES: dict[str, Callable[[np.random.Generator, int], npt.NDArray[np.float64]]] = {
    "pareto": lambda rng, size: rng.pareto(1.1, size),
    "log-normal": lambda rng, size: rng.lognormal(3, 1.5, size),
    "bimodal": lambda rng, size: np.concatenate((rng.normal(5, 0.1, size), rng.normal(5_000, 3, size // 3))),
    "constant": lambda _, size: np.full(size, 42.5),
    "any sign": lambda rng, size: rng.choice([-1, 0, 1], size) * 10.0 ** rng.uniform(-320, 150, size),
}


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(SHAPES)),
    st.integers(1, 3_000),
    st.integers(0, 2**32 - 1),
    st.randoms(use_true_random=False),
)
def test_every_rank_keeps_its_accuracy_on_any_merge(shape: str, size: int, seed: int, shuffle: random.Random) -> None:
    """1/128 of the exact value, at every rank, whatever was merged with what first."""
    numbers = SHAPES[shape](np.random.default_rng(seed), size)
    cuts = sorted(shuffle.randrange(len(numbers) + 1) for _ in range(shuffle.randrange(20)))
    rows = [row_of(part) for part in np.split(np.random.default_rng(seed).permutation(numbers), cuts)]
    sketch = merge_as_tree(rows, merged, shuffle).summaries()[0].sketch
    exact = np.sort(numbers)
    answers = np.repeat(bin_values(sketch.bins), sketch.counts)
    # 0.79 % is what is promised: the exact bound, and room for the rounding of this very comparison.
    assert (np.abs(answers - exact) <= 0.0079 * np.abs(exact)).all()
    for rank in (0, size // 2, len(exact) - 1):
        q = min(1.0, (rank + 0.5) / max(1, len(exact) - 1))
        assert sketch.quantile(q) == answers[math.floor(q * (len(exact) - 1))]


def merge_as_tree(parts: list[T], merge: Callable[[list[T]], T], shuffle: random.Random) -> T:
    """Merge random groups of two to four until one is left."""
    left = parts[:]
    while len(left) > 1:
        shuffle.shuffle(left)
        left.append(merge([left.pop() for _ in range(min(len(left), shuffle.randint(2, 4)))]))
    return left[0]


@settings(max_examples=100, deadline=None)
@given(st.lists(VALUE, max_size=40), st.randoms(use_true_random=False))
def test_an_exact_sum_has_no_order(numbers: list[float], shuffle: random.Random) -> None:
    """Equal in any order, and correctly rounded."""
    shuffled = numbers[:]
    shuffle.shuffle(shuffled)
    assert exact_sum(shuffled) == exact_sum(numbers)
    assert float(exact_sum(numbers)) == math.fsum(numbers)


@settings(max_examples=100, deadline=None)
@given(KIND_AND_EVENTS, st.randoms(use_true_random=False), st.integers(1, 6))
def test_any_split_and_order_gives_the_same_bytes(
    given_events: tuple[str, list[Event]], shuffle: random.Random, workers: int
) -> None:
    """Whichever worker got which events in whatever order, and merged them however."""
    kind, events = given_events
    once = {start: pane.pack() for start, pane in panes_of(kind, events).items()}
    shuffled = events[:]
    shuffle.shuffle(shuffled)
    by_worker = [panes_of(kind, shuffled[index::workers]) for index in range(workers)]
    shuffle.shuffle(by_worker)
    for start, packed in once.items():
        parts = [Pane.unpack(panes[start].pack()) for panes in by_worker if start in panes]
        assert Pane.merge(parts).pack() == packed
        middle = shuffle.randrange(len(parts) + 1)
        assert Pane.merge([Pane.merge(parts[middle:]), Pane.merge(parts[:middle])]).pack() == packed
    halves = shuffle.randrange(len(events) + 1)
    again = panes_of(kind, shuffled[:halves], shuffled[halves:])
    assert {start: pane.pack() for start, pane in again.items()} == once


@settings(max_examples=60, deadline=None)
@given(
    KIND_AND_EVENTS,
    st.sampled_from([(3_000,), (500, 3_000), (500, 1_000, 3_000), (750, 3_000), (750, 1_500, 3_000)]),
    st.integers(0, 8),
    st.randoms(use_true_random=False),
)
def test_every_path_of_roll_ups_gives_the_same_bytes(
    given_events: tuple[str, list[Event]], path: tuple[int, ...], late: int, shuffle: random.Random
) -> None:
    """Over whatever steps, and also when late events go straight to a coarser one."""
    kind, events = given_events
    shuffled = events[:]
    shuffle.shuffle(shuffled)
    level = panes_by_start([decoded(kind, shuffled[late:])], 250) if shuffled[late:] else {}
    direct = [(shuffle.choice(path), event) for event in shuffled[:late]]
    for step in path:
        parents: dict[int, list[Pane]] = {}
        for start, pane in level.items():
            parents.setdefault(start - start % step, []).append(pane)
        for event in [event for at, event in direct if at == step]:
            for start, pane in panes_by_start([decoded(kind, [event])], step).items():
                parents.setdefault(start, []).append(pane)
        level = {start: merge_as_tree(panes, Pane.merge, shuffle) for start, panes in parents.items()}
    once = panes_by_start([decoded(kind, events)], 3_000)
    assert {start: pane.pack() for start, pane in level.items()} == {start: pane.pack() for start, pane in once.items()}


@settings(max_examples=100, deadline=None)
@given(KIND_AND_EVENTS)
def test_a_pane_agrees_with_the_events(given_events: tuple[str, list[Event]]) -> None:
    """Counts, sums, extremes and status codes, against a ledger kept in plain Python."""
    kind, records = given_events
    events = [record for record in records for _ in range(record.weight)]
    (row,) = Pane.merge(list(panes_of(kind, records).values())).group(kind)
    (summary,) = row.measures.values()
    numbers = values(events)
    assert (row.count, summary.count) == (len(events), len(numbers))
    assert summary.sum == math.fsum(numbers)
    assert summary.squares == exact_sum(number * number for number in numbers)
    assert summary.minimum == min(numbers, default=math.inf)
    assert summary.maximum == max(numbers, default=-math.inf)
    if kind == "request":
        codes = [event.labels[2] for event in events]
        assert row.status == {code: codes.count(code) for code in codes}


@settings(max_examples=40, deadline=None)
@given(KIND_AND_EVENTS)
def test_roll_ups_and_groups_agree_with_each_other(given_events: tuple[str, list[Event]]) -> None:
    """Merging panes and then grouping equals grouping wider panes; whole equals grouping by nothing."""
    kind, events = given_events
    merged = Pane.merge(list(panes_of(kind, events).values()))
    wide = panes_by_start([decoded(kind, events)], 3_000)[0]
    assert merged.pack() == wide.pack()
    assert merged.whole().group(kind) == merged.group(kind) == wide.whole().series(kind)
    assert Pane.unpack(merged.pack()).series(kind) == merged.series(kind)


PACKED = panes_of(
    "custom", [Event(("a", "host", "x"), 5, (-1.5,)), Event(("a", "host", "x"), 6, (2.25,)), Event(("b",), 7, (1e-9,))]
)[0].pack()


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60) | st.binary(max_size=30).map(lambda tail: PACKED[:30] + tail))
def test_any_bytes_are_refused_as_a_pane(data: bytes) -> None:
    """Fuzzed panes raise MalformedEventError and nothing else."""
    assert _is_refused_or_read_whole(data)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(PACKED) - 1), st.binary(min_size=1, max_size=8))
def test_an_overwritten_pane_is_refused_or_is_another_pane(position: int, content: bytes) -> None:
    """What passes has one form only: it packs to the very same bytes."""
    assert _is_refused_or_read_whole((PACKED[:position] + content + PACKED[position + len(content) :])[: len(PACKED)])


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(PACKED) - 8), st.sampled_from([math.nan, math.inf, -math.inf, 1e200, -0.0, 0.0]))
def test_no_special_float_passes_anywhere(position: int, value: float) -> None:
    """Wherever a float64 is overwritten."""
    assert _is_refused_or_read_whole(PACKED[:position] + struct.pack("<d", value) + PACKED[position + 8 :])


def _is_refused_or_read_whole(data: bytes) -> bool:
    try:
        pane = Pane.unpack(data)
    except MalformedEventError:
        return True
    for kind in pane.kinds:
        pane.series(kind)
        pane.group(kind)
    return pane.pack() == data


@settings(max_examples=60, deadline=None)
@given(KIND_AND_EVENTS)
def test_a_weight_equals_that_many_events(given_events: tuple[str, list[Event]]) -> None:
    """Counts, status counts, sums and sketches are those of the event repeated; only the mark tells them apart."""
    kind, records = given_events
    repeated = [replace(record, weight=1) for record in records for _ in range(record.weight)]
    weighted = Pane.merge(list(panes_of(kind, records).values()))
    slices = [repeated[start : start + 1_000] for start in range(0, len(repeated), 1_000)]
    plain = Pane.merge(list(panes_of(kind, *slices).values()))
    wanted = Counter[tuple[str, ...]]()
    for record in records:
        labels = tuple(label for label in record.labels if isinstance(label, str))
        wanted[labels] += record.weight if record.weight > 1 else 0
    assert {row.labels: row.estimated for row in weighted.series(kind)} == dict(wanted)
    assert [replace(row, estimated=0, measures={}) for row in weighted.series(kind)] == [
        replace(row, measures={}) for row in plain.series(kind)
    ]
    for mine, theirs in zip(weighted.series(kind), plain.series(kind), strict=True):
        for name, summary in mine.measures.items():
            other = theirs.measures[name]
            assert (summary.count, summary.total, summary.squares) == (other.count, other.total, other.squares)
            assert (summary.minimum, summary.maximum) == (other.minimum, other.maximum)
            assert summary.bins.tolist() == other.bins.tolist()
            assert summary.bin_counts.tolist() == other.bin_counts.tolist()
