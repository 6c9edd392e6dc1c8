"""A sum is exact, whatever is added in what order."""

import math
import random

import numpy as np
import numpy.typing as npt
import pytest

from barograph_core.numerics.exact import MAX_VALUES, ExactSum, ExactSums
from barograph_core.numerics.grouping import RowGroups, order_of
from tests.reference import exact_sum

TINY = 5e-324
AWKWARD = [1e150, 1.0, -1e150, 2.0**-1022, TINY, -0.0, 0.1, -1e-200, 3.0, 1e16, 1.0, -TINY]


def test_what_cancels_leaves_the_rest() -> None:
    """Floats would lose the one; the exact sum does not."""
    assert float(exact_sum([1e100, 1.0, -1e100])) == 1.0


def test_equal_sums_are_equal_objects() -> None:
    """One number has one form."""
    assert exact_sum([0.5, 0.25, 0.25]) == exact_sum([1.0]) == ExactSum(1, 0)
    assert exact_sum([3.5, -3.5]) == ExactSum()
    assert hash(exact_sum([4.0])) == hash(ExactSum(1, 2))


def test_rounding_is_that_of_fsum() -> None:
    """The float of a sum is the nearest one, down to the subnormals."""
    assert float(exact_sum(AWKWARD)) == math.fsum(AWKWARD)
    assert float(exact_sum([TINY, TINY])) == 1e-323


def test_a_mean_is_rounded_once() -> None:
    """Dividing the rounded sum would round twice."""
    assert exact_sum([0.1, 0.1, 0.1]).over(3) == 0.1


@pytest.mark.parametrize("sign", [1, -1])
def test_a_sum_beyond_float64_is_infinite(sign: int) -> None:
    """It must not stop a reader."""
    assert float(ExactSum(sign, 1_024)) == sign * math.inf


def sums_of(values: npt.NDArray[np.float64], rows: list[int], size: int) -> ExactSums:
    groups = RowGroups.of(np.array(rows), size)
    return ExactSums.of_grouped(values[groups.order], groups, size)


def test_columns_of_sums_agree_with_single_sums() -> None:
    """Each row of the vectorised form is the exact sum of its values, and of their rounded squares."""
    random.seed(7)
    values = [random.choice((-1, 1)) * random.random() * 10.0 ** random.randint(-300, 149) for _ in range(9_000)]
    values += AWKWARD
    rows = [random.randrange(5) for _ in values]
    totals, squares = (sums_of(np.array(numbers), rows, 7) for numbers in (values, [v * v for v in values]))
    by_row = [[value for value, row in zip(values, rows, strict=True) if row == wanted] for wanted in range(7)]
    assert totals.sums() == [exact_sum(of_row) for of_row in by_row]
    assert squares.sums() == [exact_sum(value * value for value in of_row) for of_row in by_row]
    assert totals.sums()[5:] == [ExactSum(), ExactSum()]


def test_only_zeros_need_no_digits() -> None:
    """A zero must not stretch the digits over all magnitudes."""
    assert len(sums_of(np.zeros(3), [0, 0, 0], 1).digits) == 0
    assert sums_of(np.array([0.0, 1.0]), [0, 0], 1).digits.shape == (1, 1)


def test_folding_adds_rows_that_meet() -> None:
    """Parts of different magnitudes add up without rounding, also within one part."""
    small = sums_of(np.array([2.0**-300, 5.0]), [0, 1], 2)
    large = sums_of(np.array([-(2.0**400), 7.0]), [0, 1], 2)
    folded = ExactSums.fold([small, large], [np.array([0, 1]), np.array([0, 0])], 2)
    assert folded.sums() == [exact_sum([2.0**-300, -(2.0**400), 7.0]), exact_sum([5.0])]


@pytest.mark.parametrize("exponent", [-1_074, -1_042, -1_000, -3, 0, 31, 32, 800, 878, 900, 940, 974, 980, 995])
def test_a_sum_is_exact_at_every_magnitude(exponent: int) -> None:
    """From the smallest subnormal to the square of the largest measure, whatever digit the bits lie in."""
    numbers = [sign * math.ldexp(part, exponent) for sign in (1, -1) for part in (1.0, 1.9999999999999998, 1 / 3, 3.7)]
    numbers += [2.0**-1_074, -3.0, 0.1]
    sums = sums_of(np.array(numbers * 5), [0] * len(numbers) * 5, 1)
    assert sums.sums() == [exact_sum(numbers * 5)]


def test_too_many_values_at_once_are_refused() -> None:
    """Their digits would no longer add up exactly as floats."""
    with pytest.raises(ValueError, match="1048577 values at once are more than 1048576"):
        sums_of(np.ones(MAX_VALUES + 1), [0] * (MAX_VALUES + 1), 1)


@pytest.mark.parametrize("limit", [1, 70_000, 2**33])
def test_keys_of_any_width_are_put_in_order(limit: int) -> None:
    """Equal keys stay as they stand."""
    keys = np.random.default_rng(5).integers(0, limit, 5_000)
    assert order_of(keys, limit).tolist() == np.argsort(keys, kind="stable").tolist()
