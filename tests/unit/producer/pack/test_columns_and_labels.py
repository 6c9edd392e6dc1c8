import math
from decimal import Decimal
from enum import StrEnum
from http import HTTPStatus

import numpy as np
import pytest

from barograph_core.events.kinds import KINDS, Measure
from barograph_producer._pack.columns import clean_column
from barograph_producer._pack.labels import (
    INVALID,
    LabelSets,
    clean_label,
    clean_status,
    custom_key,
    cut_route,
    free_key,
)

DURATION = Measure("duration_ms", is_required=True)
LATENCY = Measure("latency_ms")
PREDICTION = Measure("prediction", is_signed=True)


class Color(StrEnum):
    RED = "red"


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        -math.inf,
        -0.5,
        1e151,
        "12",
        b"12",
        True,
        None,
        1j,
        [],
        pytest.param(object(), id="object()"),
        10**400,
        np.bool_(True),
        np.array([True]),
        np.array(False),
        np.array([0.5, 0.6]),
        np.array(["0.5"]),
        np.str_("0.5"),
    ],
    ids=repr,
)
def test_a_value_that_is_no_duration_is_bad_and_no_other_with_it(value: object) -> None:
    """One bad value costs its own event and none beside it."""
    column = clean_column([1.0, value, 3], DURATION)
    assert column.bad == {1}
    assert column.values is not None
    assert [column.values[0], column.values[2]] == [1.0, 3.0]


def test_numbers_of_other_types_pass() -> None:
    """Whatever is a number is taken as one."""
    column = clean_column([1, 2.5, Decimal("0.25")], DURATION)
    assert column.values is not None
    assert list(column.values) == [1.0, 2.5, 0.25]
    assert not column.bad


@pytest.mark.parametrize(
    "value", [np.float32(0.25), np.array(0.25), np.array([0.25]), np.array([[0.25]], dtype=np.float32)], ids=repr
)
def test_numbers_of_numpy_pass_alone_or_as_the_only_element(value: object) -> None:
    """``predict`` of many libraries returns an array of one element for one row."""
    column = clean_column([1.0, value, 3], DURATION)
    assert column.values is not None
    assert list(column.values) == [1.0, 0.25, 3.0]
    assert not column.bad


def test_a_signed_measure_may_be_negative() -> None:
    assert not clean_column([-3.0, 2.0], PREDICTION).bad


def test_an_absent_measure_is_nan_and_not_bad() -> None:
    """An event may lack an optional measure."""
    column = clean_column([None, 2.0, math.nan], LATENCY)
    assert column.values is not None
    assert math.isnan(column.values[0])
    assert column.bad == {2}


def test_a_column_that_all_events_lack_is_none() -> None:
    assert clean_column([None, None], LATENCY).values is None


@pytest.mark.parametrize(
    ("value", "label"),
    [("a", "a"), (7, "7"), (Color.RED, "red"), ("é" * 128, "é" * 128), ("", "")],
)
def test_text_and_whole_numbers_are_labels(value: object, label: str) -> None:
    assert clean_label(value) == label


@pytest.mark.parametrize("value", [None, 1.5, b"a", True, "é" * 129, "\ud800", []], ids=ascii)
def test_anything_else_is_no_label(value: object) -> None:
    assert clean_label(value) is None


def test_a_route_is_cut_between_characters() -> None:
    """A route comes from outside and may be any length; a label never ends in half a character."""
    assert cut_route("a" + "é" * 200) == "a" + "é" * 127


@pytest.mark.parametrize(
    ("value", "status"),
    [(200, 200), (HTTPStatus.NOT_FOUND, 404), (999, 999), (1000, None), (-1, None), ("200", None), (2.0, None)],
)
def test_a_status_is_a_whole_number_up_to_999(value: object, status: int | None) -> None:
    assert clean_status(value) == status


def test_equal_labels_share_a_number() -> None:
    sets = LabelSets(10)
    numbers = sets.numbers("request", [("/a", "GET", 200), ("/b", "GET", 200), ("/a", "GET", 200)])
    assert numbers[0] == numbers[2] != numbers[1]
    assert sets.label_set(numbers[1]) == ("/b", "GET", 200)


def test_an_unhashable_label_is_invalid_and_its_neighbours_are_not() -> None:
    numbers = LabelSets(10).numbers("request", [("/a", "GET", 200), ([], "GET", 200)])
    assert numbers[0] != INVALID
    assert numbers[1] == INVALID


def test_beyond_the_bound_new_label_sets_become_other() -> None:
    """The number of series of a process is bounded; statuses of an admitted series are not new ones."""
    sets = LabelSets(2)
    keys = [("/a", "GET", 200), ("/b", "GET", 200), ("/c", "GET", 200), ("/a", "GET", 500), ("/d", "PUT", 200)]
    numbers = sets.numbers("request", keys)
    assert [sets.label_set(number) for number in numbers] == [
        ("/a", "GET", 200),
        ("/b", "GET", 200),
        ("__other__", "__other__", 200),
        ("/a", "GET", 500),
        ("__other__", "__other__", 200),
    ]
    assert sets.folded(numbers) == {"request.route": 2}


def test_a_flood_of_label_sets_keeps_the_memory_bounded() -> None:
    """A scanner's raw keys are forgotten; what was admitted stays admitted."""
    sets = LabelSets(2)
    for i in range(1_000):
        sets.numbers("request", [(f"/{i}", "GET", 200)])
    assert sets.folded(sets.numbers("request", [("/x", "GET", 200)])) == {"request.route": 1}
    assert sets.cached_keys <= 2 * 8 + 1
    assert sets.label_set(sets.numbers("request", [("/0", "GET", 200)])[0]) == ("/0", "GET", 200)


def test_free_labels_are_sorted_by_name() -> None:
    """The same labels in another order are the same series."""
    sets = LabelSets(10)
    keys = [custom_key("depth", {"b": "2", "a": "1"}), custom_key("depth", {"a": "1", "b": "2"})]
    first, second = sets.numbers("custom", keys)
    assert first == second
    assert sets.label_set(first) == ("depth", "a", "1", "b", "2")


def test_more_free_labels_than_allowed_are_invalid() -> None:
    key = custom_key("depth", {f"l{i}": "x" for i in range(17)})
    assert LabelSets(10).numbers("custom", [key]) == [INVALID]


def test_every_kind_has_an_other_set_of_its_own_width() -> None:
    sets = LabelSets(1)
    sets.numbers("model", [("m", "1")])
    for kind, key in (("model", ("n", "1")), ("custom", ("x",))):
        (number,) = sets.numbers(kind, [key])  # type: ignore[arg-type]  # a literal in a loop
        assert sets.label_set(number) == ("__other__",) * len(KINDS[kind].labels)


def test_a_refused_label_set_keeps_its_fixed_labels() -> None:
    """As in aggregators: the values of its free labels go. Up to a tenth of the bound more sets are kept for that."""
    sets = LabelSets(2)
    keys = [custom_key("queue", {"tenant": name}) for name in ("a", "b", "c", "d")]
    keys.append(custom_key("other", {"tenant": "a"}))
    found = [sets.label_set(number) for number in sets.numbers("custom", keys)]
    assert found[2:] == [("queue", "tenant", "__other__")] * 2 + [("__other__",)]


def test_a_refused_request_keeps_its_route_and_its_status() -> None:
    sets = LabelSets(1)
    keys = [("/a", "GET", 200), free_key(("/a", "GET", 500), {"tenant": "t"}), ("/b", "GET", 200)]
    found = [sets.label_set(number) for number in sets.numbers("request", keys)]
    assert found == [("/a", "GET", 200), ("/a", "GET", 500, "tenant", "__other__"), ("__other__", "__other__", 200)]
