"""How far quantiles lie from the exact ones after any merge, and whether any order of merging changes a byte.

Every rank of every distribution is compared, not a few percentiles: the values are cut into random parts, each part
becomes a pane that is packed and read back, and the panes are merged by a random tree. The real latencies are those of
HTTP requests that this script sends to a server of its own over loopback.
The peers answer p1 to p99.9 of such merges. The control of the bytes: sums as plain floats, which depend on the order.

Usage: python benchmarks/accuracy.py [--values 100000] [--rounds 20]
"""

import argparse
import http.client
import http.server
import importlib
import math
import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from barograph_core.events.kinds import KINDS, MAX_MAGNITUDE
from barograph_core.numerics.sketch import RELATIVE_ACCURACY, bin_values
from barograph_core.panes.pane import Pane
from barograph_core.panes.series_table import SeriesTable
from barograph_core.panes.summary import Summary
from barograph_core.panes.summary_table import SummaryTable

T = TypeVar("T")
Floats = npt.NDArray[np.float64]
RNG = np.random.default_rng(20_261_123)
PEER_QUANTILES = [0.01, 0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999]
REQUESTS = 5_000


def distributions(size: int) -> dict[str, Floats]:
    half = size // 2
    spread = 10.0 ** RNG.uniform(-320, math.log10(MAX_MAGNITUDE), size)
    return {
        "Pareto, 1.1": RNG.pareto(1.1, size),
        "log-normal, 1.5": RNG.lognormal(3, 1.5, size),
        "bimodal": np.concatenate((RNG.normal(5, 0.1, half), RNG.normal(5_000, 3, half))),
        "constant": np.full(size, 42.5),
        "any sign and magnitude": np.where(RNG.random(size) < 0.5, -spread, spread),
        "loopback HTTP, ms": loopback_latencies(REQUESTS),
    }


def loopback_latencies(count: int) -> Floats:
    """Return what ``count`` requests to a small server took, in ms."""

    class Answer(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = b"x" * random.choice((10, 1_000, 50_000))
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Keep the output to the figures."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    client = http.client.HTTPConnection("127.0.0.1", server.server_port)
    taken: list[float] = []
    for _ in range(count):
        began = time.perf_counter_ns()
        client.request("GET", "/")
        client.getresponse().read()
        taken.append((time.perf_counter_ns() - began) / 1e6)
    client.close()
    server.shutdown()
    server.server_close()
    return np.array(taken)


def pane_of(values: Floats) -> Pane:
    """Return a pane with ``values`` in one series of kind custom."""
    table = SeriesTable(
        kind=KINDS["custom"],
        labels=[("queue",)],
        events=np.array([len(values)]),
        estimated=np.zeros(1, np.int64),
        status=np.empty(0, np.int64),
        status_counts=np.empty(0, np.int64),
        summaries=SummaryTable.of_values(values, np.zeros(len(values), np.int64), 1),
    )
    return Pane([table])


def merge_as_tree(parts: Sequence[T], merge: Callable[[list[T]], T], shuffle: random.Random) -> T:
    """Merge random groups of two to five until one is left."""
    left = list(parts)
    while len(left) > 1:
        shuffle.shuffle(left)
        taken = [left.pop() for _ in range(min(len(left), shuffle.randint(2, 5)))]
        left.append(merge(taken))
    return left[0]


def random_parts(values: Floats, shuffle: random.Random) -> list[Floats]:
    mixed = RNG.permutation(values)
    cuts = sorted(shuffle.randrange(1, len(mixed)) for _ in range(shuffle.randint(1, 200)))
    return [part for part in np.split(mixed, cuts) if len(part)]


def worst_error(summary: Summary, values: Floats) -> float:
    """Return the largest relative error over all ranks, in exact terms of the sketch's answer at each."""
    exact = np.sort(values)
    answers = np.clip(np.repeat(bin_values(summary.bins), summary.bin_counts), summary.minimum, summary.maximum)
    # The quantile of a rank is what `Summary.quantile` answers, not only what the bins hold.
    for rank in RNG.integers(0, len(exact), 50).tolist():
        if summary.quantile((rank + 0.5) / max(1, len(exact) - 1) if rank < len(exact) - 1 else 1.0) != answers[rank]:
            raise RuntimeError(f"quantile of rank {rank} is not the answer of that rank")
    filled = exact != 0
    if answers[~filled].any():
        raise RuntimeError("a zero is not answered by zero")
    # In two steps: the difference of two subnormals is exact, their ratio to a tiny value must not overflow.
    return float((np.abs(answers[filled] - exact[filled]) / np.abs(exact[filled])).max(initial=0.0))


def peer_errors(values: Floats, parts: Sequence[Floats], shuffle: random.Random) -> list[str]:
    exact = np.sort(values)[[int(q * (len(values) - 1)) for q in PEER_QUANTILES]]
    shown: list[str] = []
    for name, ask in (("ddsketch", _ddsketch), ("datasketches", _kll), ("crick", _crick)):
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        answers = np.array(ask(module, parts, shuffle))
        with np.errstate(all="ignore"):
            worst = float((np.abs(answers - exact) / np.abs(exact)).max())
        shown.append(f"{name} {worst:.2%}" if worst < 100 else f"{name} > 10000 %")
    return shown


def _ddsketch(module: Any, parts: Sequence[Floats], shuffle: random.Random) -> list[float]:
    def build(values: Floats) -> Any:
        sketch = module.DDSketch(RELATIVE_ACCURACY)
        for value in values.tolist():
            sketch.add(value)
        return sketch

    merged = _merged_in_place([build(part) for part in parts], shuffle)
    return [float(merged.get_quantile_value(q)) for q in PEER_QUANTILES]


def _kll(module: Any, parts: Sequence[Floats], shuffle: random.Random) -> list[float]:
    def build(values: Floats) -> Any:
        sketch = module.kll_doubles_sketch()
        sketch.update(values)
        return sketch

    merged = _merged_in_place([build(part) for part in parts], shuffle)
    return [float(merged.get_quantile(q)) for q in PEER_QUANTILES]


def _crick(module: Any, parts: Sequence[Floats], shuffle: random.Random) -> list[float]:
    def build(values: Floats) -> Any:
        sketch = module.TDigest()
        sketch.update(values)
        return sketch

    merged = _merged_in_place([build(part) for part in parts], shuffle)
    return [float(merged.quantile(q)) for q in PEER_QUANTILES]


def _merged_in_place(sketches: Sequence[Any], shuffle: random.Random) -> Any:
    def merge(group: list[Any]) -> Any:
        for other in group[1:]:
            group[0].merge(other)
        return group[0]

    return merge_as_tree(sketches, merge, shuffle)


def show_quantiles(size: int, rounds: int) -> None:
    print(f"worst relative error of any rank over {rounds} random merges (bound {RELATIVE_ACCURACY:.4%})")
    print("beside it the peers' worst of p1 to p99.9")
    shuffle = random.Random(1)
    for name, values in distributions(size).items():
        worst = 0.0
        for _ in range(rounds):
            parts = [Pane.unpack(pane_of(part).pack()) for part in random_parts(values, shuffle)]
            (row,) = merge_as_tree(parts, Pane.merge, shuffle).group("custom")
            worst = max(worst, worst_error(row.measures["value"], values))
        others = peer_errors(values, random_parts(values, shuffle), shuffle)
        print(f"  {name} ({len(values)} values): {worst:.4%}; {'; '.join(others)}")


def show_bytes(size: int, rounds: int) -> None:
    """Count the packed panes that differ, and the control's sums that do."""
    shuffle = random.Random(2)
    spread = 10.0 ** RNG.uniform(-320, math.log10(MAX_MAGNITUDE), size // 4)
    values = np.concatenate(
        (RNG.lognormal(3, 1.5, size // 2), -spread, spread, [0.0, -0.0, 5e-324, -5e-324, MAX_MAGNITUDE])
    )
    once, plain_once = pane_of(values).pack(), float(np.cumsum(values[: size // 2])[-1])
    differing = plain_differing = 0
    for _ in range(rounds):
        parts = random_parts(values, shuffle)
        panes = [Pane.unpack(pane_of(part).pack()) for part in parts]
        differing += merge_as_tree(panes, Pane.merge, shuffle).pack() != once
        sums = [float(np.cumsum(part)[-1]) for part in random_parts(values[: size // 2], shuffle)]
        plain_differing += merge_as_tree(sums, math.fsum, shuffle) != plain_once
    print(f"\npacked panes that differ from the one made at once: {differing}")
    print(f"of {rounds} random splits, permutations and merge trees")
    print(f"control, sums as plain floats of the ordinary values only: {plain_differing} of {rounds} differ")


def main() -> None:
    parser = argparse.ArgumentParser(description="Accuracy of quantiles on any merge, and bytes on any order.")
    parser.add_argument("--values", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=20)
    arguments = parser.parse_args()
    show_quantiles(arguments.values, arguments.rounds)
    show_bytes(arguments.values, 5 * arguments.rounds)


if __name__ == "__main__":
    main()
