"""Quantiles are within 1/128 of the exact value of that rank, at any magnitude."""

import math

import numpy as np
import pytest

from barograph_core.errors import EmptySketchError
from barograph_core.numerics.sketch import BIN_LIMIT, RELATIVE_ACCURACY, bin_values, bins_of
from tests.reference import merged, row_of, sketch_of

GENERATOR = np.random.default_rng(20_260_801)
SPREADS = {
    "lognormal": GENERATOR.lognormal(3, 1.5, 5_000),
    "pareto": GENERATOR.pareto(1.1, 5_000),
    "bimodal": np.concatenate((GENERATOR.normal(5, 0.1, 2_500), GENERATOR.normal(5_000, 3, 2_500))),
    "negative": -GENERATOR.lognormal(0, 3, 5_000),
    "around zero": np.concatenate((GENERATOR.normal(0, 1, 2_500), np.zeros(50))),
    "tiny": GENERATOR.random(5_000) * 10.0 ** GENERATOR.integers(-323, -290, 5_000),
    "huge": GENERATOR.random(5_000) * 1e150,
    "constant": np.full(100, 42.5),
    "single": np.array([0.1]),
}


@pytest.mark.parametrize("name", SPREADS)
def test_a_quantile_is_near_the_value_of_its_rank(name: str) -> None:
    """The promise of the product, for every shape of distribution."""
    values = SPREADS[name]
    sketch = sketch_of(values)
    ordered = np.sort(values)
    for q in (0.0, 0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0):
        exact = float(ordered[math.floor(q * (len(values) - 1))])
        assert abs(sketch.quantile(q) - exact) <= abs(exact) * RELATIVE_ACCURACY, q


def test_bins_rise_with_the_values() -> None:
    """Ranks are found by bins, so these must sort as values do, below zero too."""
    values = np.array([-1e150, -2.0, -1.0, -1e-300, -5e-324, 0.0, 5e-324, 1e-300, 1.0, 1.02, 2.0, 1e150])
    bins = bins_of(values)
    assert (np.diff(bins) > 0).all()
    assert bins[5] == 0
    assert (np.abs(bins) < BIN_LIMIT).all()


def test_the_bin_is_the_head_of_the_float() -> None:
    """Sign, exponent and six bits of the mantissa, counted from the smallest subnormal's octave."""
    assert bins_of(np.array([1.0, 2.0, -1.0])).tolist() == [(1_023 + 52) * 64, (1_024 + 52) * 64, -(1_023 + 52) * 64]


def test_every_bin_holds_its_own_value() -> None:
    """The middle of a bin lies in it."""
    bins = np.concatenate((np.arange(-3_500, 3_500), np.arange(60_000, 100_000, 7)))
    bins = np.unique(bins_of(bin_values(bins[np.abs(bins) >= 3_328])))
    np.testing.assert_array_equal(bins_of(bin_values(bins)), bins)


@pytest.mark.parametrize("units", [1, 2, 3, 63, 64, 65, 127, 128, 129, 255, 256, 257, 1_000])
def test_subnormals_keep_the_accuracy(units: int) -> None:
    """Few bits are left down there; the middle of a bin must not be rounded out of it."""
    value = units * 5e-324
    assert abs(float(bin_values(bins_of(np.array([value])))[0]) - value) <= value * RELATIVE_ACCURACY


def test_merging_adds_the_counts() -> None:
    """The sketch of all values is the merge of the sketches of any split."""
    values = SPREADS["lognormal"]
    assert merged([row_of(values[:1_000]), row_of(values[1_000:])]).summaries() == row_of(values).summaries()


def test_an_empty_sketch_has_no_quantile() -> None:
    """The caller shows "no data", which is not zero."""
    with pytest.raises(EmptySketchError):
        sketch_of(np.empty(0)).quantile(0.5)


@pytest.mark.parametrize("q", [-0.1, 1.1, math.nan])
def test_a_quantile_outside_its_range_is_refused(q: float) -> None:
    """A percentage passed for a ratio must not give the maximum."""
    with pytest.raises(ValueError, match=r"is not in 0\.\.1"):
        sketch_of(np.array([1.0])).quantile(q)
