"""What a value costs in our sketch, next to other sketches and the sorting that a sketch replaces.

Two figures for ours: the sketch alone, and the whole summary that a pane keeps (count, exact sum and sum of squares,
minimum, maximum and sketch; the peers keep no exact sums). Many series are given to ours mixed, as the aggregator meets
them; each peer gets the values of one series after the other, and what it costs to sort them out is shown apart.
Then the bytes that a pane takes for a series, and the cost of merging an hour of panes.

Usage: python benchmarks/sketch_cost.py [--runs 7]
"""

import argparse
import importlib
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from barograph_core.events.kinds import KINDS
from barograph_core.numerics.grouping import count_keys
from barograph_core.numerics.sketch import RELATIVE_ACCURACY, Sketch, bins_of
from barograph_core.panes.pane import Pane
from barograph_core.panes.series_table import STATUS_SPAN, SeriesTable
from barograph_core.panes.summary_table import SummaryTable

Floats = npt.NDArray[np.float64]
QUANTILES = (50, 95, 99)
# Series and values of each.
SHAPES = ((1, 500), (1, 5_000), (1, 100_000), (100, 50), (100, 1_000), (1_000, 100))
PANES_AN_HOUR = 60


@dataclass(frozen=True)
class Peer:
    """Another sketch: how it is made of values, merged from others, and written."""

    name: str
    build: Callable[[Floats], Any]
    merge: Callable[[Sequence[Any]], Any]
    size: Callable[[Any], int]
    runs: int = 7


def peers() -> list[Peer]:
    found: list[Peer] = []
    for name, make in (("ddsketch", _ddsketch), ("datasketches", _kll), ("crick", _crick)):
        try:
            found.append(make(importlib.import_module(name)))
        except ImportError:
            print(f"{name} is not installed: left out")
    return found


def _ddsketch(module: Any) -> Peer:
    proto = importlib.import_module("ddsketch.pb.proto")

    def build(values: Floats) -> Any:
        sketch = module.DDSketch(RELATIVE_ACCURACY)
        for value in values.tolist():
            sketch.add(value)
        return sketch

    def merge(sketches: Sequence[Any]) -> Any:
        merged = module.DDSketch(RELATIVE_ACCURACY)
        for sketch in sketches:
            merged.merge(sketch)
        return merged

    return Peer("ddsketch", build, merge, lambda s: len(proto.DDSketchProto.to_proto(s).SerializeToString()), runs=2)


def _kll(module: Any) -> Peer:
    def build(values: Floats) -> Any:
        sketch = module.kll_doubles_sketch()
        sketch.update(values)
        return sketch

    def merge(sketches: Sequence[Any]) -> Any:
        merged = module.kll_doubles_sketch()
        for sketch in sketches:
            merged.merge(sketch)
        return merged

    return Peer("datasketches KLL", build, merge, lambda sketch: len(sketch.serialize()))


def _crick(module: Any) -> Peer:
    def build(values: Floats) -> Any:
        sketch = module.TDigest()
        sketch.update(values)
        return sketch

    def merge(sketches: Sequence[Any]) -> Any:
        merged = module.TDigest()
        merged.merge(*sketches)
        return merged

    return Peer("crick t-digest", build, merge, lambda sketch: int(sketch.centroids().nbytes))


def seconds(work: Callable[[], object], runs: int) -> float:
    """Return the median time of one call."""
    times: list[float] = []
    for _ in range(runs):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def durations(series: int, count: int, seed: int = 1) -> Floats:
    """Return ``count`` durations in ms of each of ``series``, one series after the other, to the microsecond."""
    rng = np.random.default_rng(seed)
    scale = np.repeat(np.random.default_rng(0).lognormal(3, 1, series), count)
    return np.round(rng.lognormal(0, 0.5, series * count) * scale, 3)


def sketches_of(values: Floats, rows: npt.NDArray[np.int64], series: int) -> object:
    """Count row and bin together: the part of ``SummaryTable.of_values`` that makes the sketches."""
    bins = bins_of(values)
    bins -= (lowest := int(bins.min()))
    span = int(bins.max()) + 1
    if series > 1:
        bins += rows * span
    return lowest, count_keys(bins, series * span)


def merge_sketches(sketches: Sequence[Sketch]) -> object:
    """Count bins again: the part of ``SummaryTable.fold`` that merges the sketches."""
    bins = np.concatenate([sketch.bins for sketch in sketches])
    bins -= (lowest := int(bins.min()))
    return lowest, count_keys(bins, int(bins.max()) + 1, np.concatenate([sketch.counts for sketch in sketches]))


def pane_of(series: int, count: int, seed: int = 1) -> Pane:
    rows = np.repeat(np.arange(series), count)
    events = np.full(series, count)
    table = SeriesTable(
        kind=KINDS["request"],
        labels=[(f"/api/v1/items/{number:04d}", "GET") for number in range(series)],
        events=events,
        estimated=np.zeros(series, np.int64),
        status=np.arange(series) * STATUS_SPAN + 200,
        status_counts=events,
        summaries=SummaryTable.of_values(durations(series, count, seed), rows, series),
    )
    return Pane([table])


def show_values(others: Sequence[Peer], runs: int) -> None:
    print("\nns a value (in brackets: times ours, the sketch alone)")
    for series, count in SHAPES:
        values = durations(series, count)
        order = np.random.default_rng(2).permutation(len(values))
        rows, mixed = np.repeat(np.arange(series), count)[order], values[order]
        one_by_one = values.reshape(series, count)

        def ns(work: Callable[[], object], times: int, total: int = len(values)) -> float:
            return seconds(work, times) / total * 1e9

        ours = ns(lambda m=mixed, r=rows, s=series: sketches_of(m, r, s), runs)
        whole = ns(lambda m=mixed, r=rows, s=series: SummaryTable.of_values(m, r, s), runs)
        figures = [f"{series} x {count}: sketch {ours:.1f}, whole summary {whole:.1f}"]
        if series > 1:
            sorting = ns(lambda m=mixed, r=rows: m[np.argsort(r, kind="stable")], runs)
            figures.append(f"sorting by series, for the peers {sorting:.1f}")
        for peer in others:
            cost = ns(lambda p=peer, v=one_by_one: [p.build(row) for row in v], min(runs, peer.runs))
            figures.append(f"{peer.name} {cost:.1f} ({cost / ours:.1f})")
        cost = ns(lambda v=one_by_one: np.percentile(v, QUANTILES, axis=1), runs)
        figures.append(f"numpy.percentile {cost:.1f} ({cost / ours:.1f})")
        print("  " + "; ".join(figures))


def show_bytes(others: Sequence[Peer]) -> None:
    print(
        "\nbytes of a series in a packed pane (labels, status counts and exact sums included), beside the bare sketches"
    )
    for count in (10, 100, 1_000):
        sizes = [f"n = {count}: {len(pane_of(1_000, count).pack()) / 1_000:.0f} of 1,000 series"]
        sizes.append(f"{len(pane_of(1, count).pack())} alone")
        values = durations(1, count)
        sizes += [f"{peer.name} {peer.size(peer.build(values))}" for peer in others]
        print("  " + "; ".join(sizes))


def show_merges(others: Sequence[Peer], runs: int) -> None:
    print(f"\nµs to merge {PANES_AN_HOUR} panes, a series (in brackets: times ours, the sketch alone)")
    for count in (10, 100, 1_000):
        parts = [durations(1, count, seed) for seed in range(PANES_AN_HOUR)]
        rows = np.zeros(count, np.int64)
        sketches = [SummaryTable.of_values(values, rows, 1).summaries()[0].sketch for values in parts]
        ours = seconds(lambda s=sketches: merge_sketches(s), 5 * runs) * 1e6
        figures = [f"n = {count}: sketch {ours:.0f}"]
        for series in (1, 1_000):
            panes = [pane_of(series, count, seed) for seed in range(PANES_AN_HOUR if series == 1 else 10)]
            cost = seconds(lambda p=panes: Pane.merge(p), 3) / series / len(panes) * PANES_AN_HOUR * 1e6
            figures.append(f"whole panes of {series} series {cost:.0f}")
        for peer in others:
            built = [peer.build(values) for values in parts]
            cost = seconds(lambda p=peer, b=built: p.merge(b), peer.runs) * 1e6
            figures.append(f"{peer.name} {cost:.0f} ({cost / ours:.1f})")
        print("  " + "; ".join(figures))


def main() -> None:
    parser = argparse.ArgumentParser(description="What a value costs in a sketch.")
    parser.add_argument("--runs", type=int, default=7)
    runs = parser.parse_args().runs
    others = peers()
    show_values(others, runs)
    show_bytes(others)
    show_merges(others, runs)


if __name__ == "__main__":
    main()
