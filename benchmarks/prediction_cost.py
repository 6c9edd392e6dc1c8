"""What one prediction costs its caller: one by one, in batches, and tracked. Next to prometheus_client and a list.

Run: ``python benchmarks/prediction_cost.py [--json]``. Nothing is shipped: the records are taken out and thrown away
between the rounds, because the shipper's thread would share the core. ``x append`` is the ratio to a call that
appends a new tuple, measured in the same round.
"""

import argparse
import gc
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
from prometheus_client import CollectorRegistry, Histogram

from barograph_producer._record.buffer import Buffer, Record
from barograph_producer._record.generated import make_recorder
from barograph_producer._record.models import make_models_recorder
from barograph_producer._record.signatures import RecordModel
from barograph_producer._record.track import MakeTrack

_CALLS: Final = 5_000
_ROWS: Final = 1_000


@dataclass(frozen=True)
class Cost:
    """Median over the rounds, net of the loop."""

    what: str
    ns: float
    times_append: float


class Bench:
    """The recorders over a buffer that no one ships."""

    def __init__(self) -> None:
        self.buffer = Buffer("model", 10_000_000)
        self.model = make_recorder(RecordModel.__call__, self.buffer, _turn_away, time.time, _event_time)
        self.models = make_models_recorder(self.buffer, _turn_away, time.time, _event_time, _reject_input)
        self.track = MakeTrack(self.model, _reject_input, time.perf_counter)
        self.buffer.open()
        self.kept: list[tuple[object, ...]] = []

    def cases(self) -> dict[str, tuple[Callable[[], object], int]]:
        """Return what to time, and how many predictions a call is."""
        scores = np.random.default_rng(7).random(_ROWS)
        listed: list[float] = scores.tolist()
        answer = {"prediction": 0.31, "confidence": 0.72}
        tracked_number, tracked_answer = self.track("ctr", "7")(lambda: 0.31), self.track("ctr", "7")(lambda: answer)
        now_s, score = time.time(), listed[0]
        histogram = Histogram("p", "p", ["model", "version"], registry=CollectorRegistry())

        append_to_kept = self.kept.append

        def append() -> None:
            append_to_kept((now_s, "ctr", "7", score))

        def block() -> None:
            with self.track("ctr", "7") as call:
                call.prediction = 0.31

        return {
            "append a tuple": (append, 1),
            "model(prediction=, latency_ms=)": (
                lambda: self.model("ctr", "7", latency_ms=8.1, prediction=0.31), 1,
            ),
            "models(numpy array)": (lambda: self.models("ctr", "7", prediction=scores), _ROWS),
            "models(list)": (lambda: self.models("ctr", "7", prediction=listed), _ROWS),
            "models(3 numpy arrays, latency_ms=)": (
                lambda: self.models(
                    "ctr", "7", latency_ms=8.1, prediction=scores, confidence=scores, absolute_error=scores
                ), _ROWS,
            ),
            "models(10 rows)": (lambda: self.models("ctr", "7", prediction=listed[:10]), 10),
            "@track, a number": (tracked_number, 1),
            "@track, a mapping": (tracked_answer, 1),
            "with track(...)": (block, 1),
            "prometheus_client, labels().observe": (lambda: histogram.labels("ctr", "7").observe(0.31), 1),
        }  # fmt: skip


def _turn_away(buffer: Buffer, record: Record, /) -> None:
    raise AssertionError(f"{buffer.form} has no room for {len(record)}")


def _event_time(at_ms: object) -> float | None:
    raise AssertionError(at_ms)


def _reject_input(events: int, reason: str, /) -> None:
    raise AssertionError(f"{events}: {reason}")


def _loop_ns(calls: int) -> float:
    started_ns = time.thread_time_ns()
    for _ in range(calls):
        pass
    return (time.thread_time_ns() - started_ns) / calls


def _time_ns(call: Callable[[], object], calls: int) -> float:
    started_ns = time.thread_time_ns()
    for _ in range(calls):
        call()
    return (time.thread_time_ns() - started_ns) / calls


def measure(rounds: int) -> Sequence[Cost]:
    """Interleave the cases, so that a slow moment of the machine strikes all of them; CPU time, as it is shared."""
    bench = Bench()
    cases = bench.cases()
    found: dict[str, list[float]] = {name: [] for name in cases}
    gc.disable()
    for _ in range(rounds):
        loop_ns = _loop_ns(_CALLS)
        for name, (call, events) in cases.items():
            cost_ns = _time_ns(call, max(20, _CALLS // events)) - loop_ns
            found[name].append(cost_ns / events)
            bench.buffer.records.clear()
            bench.kept.clear()
    gc.enable()
    base = found["append a tuple"]
    return [
        Cost(
            name,
            round(statistics.median(costs), 1),
            round(statistics.median(cost / one for cost, one in zip(costs, base, strict=True)), 2),
        )
        for name, costs in found.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    costs = measure(options.rounds)
    if options.json:
        print(json.dumps([asdict(cost) for cost in costs]))
        return
    for cost in costs:
        print(f"{cost.what:38} {cost.ns:9.1f} ns a prediction   {cost.times_append:7.2f} x append")


if __name__ == "__main__":
    main()
