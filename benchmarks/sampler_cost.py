"""What the host sampler costs: CPU of one sample, and its share of a core at the default period.

Run: ``python benchmarks/sampler_cost.py [--json]``. The promise is at most 0.1 % of a core. No server is needed:
the samples are recorded into a list. Also with 1,000 files open, since counting them grows with their number.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from barograph_core.clock import SystemClock
from barograph_producer._sample.election import HostElection
from barograph_producer._sample.sampler import ProcessSampler

_PERIOD_MS = 5_000.0
_PROMISE_PERCENT = 0.1


@dataclass(frozen=True)
class Cost:
    """CPU of one sample.

    Attributes:
        cpu_us: Median over the rounds.
        core_percent: Of a core, at one sample each 5 s.
    """

    what: str
    cpu_us: float
    core_percent: float


class Sink:
    """Takes samples and keeps nothing."""

    def __call__(self, *, instance: str | None = None, scope: str = "process", **measures: float | None) -> None: ...


class Never(HostElection):
    """An election that is always lost: the cost in all processes of a host but one."""

    def is_won(self, candidate: str, now_ms: int) -> bool:
        del candidate, now_ms
        return False


def make_sampler(folder: Path, *, is_elected: bool) -> ProcessSampler:
    election = (HostElection if is_elected else Never)("bench", lease_ms=_PERIOD_MS * 2.5, directory=folder)
    sink = Sink()
    return ProcessSampler(
        recorder=lambda: sink, instance=lambda: "h:1:a", election=election, clock=SystemClock(), every_ms=_PERIOD_MS
    )


def measure(what: str, sampler: ProcessSampler, *, samples: int, rounds: int) -> Cost:
    """Return the median CPU of a sample; every call is one, because its period has passed."""
    now_ms = 0.0
    sampler.sample(now_ms)
    found: list[float] = []
    for _ in range(rounds):
        started_s = time.process_time()
        for _ in range(samples):
            now_ms += _PERIOD_MS
            sampler.sample(now_ms)
        found.append((time.process_time() - started_s) / samples * 1e6)
    sampler.stop()
    cpu_us = statistics.median(found)
    return Cost(what, round(cpu_us, 1), round(cpu_us / (_PERIOD_MS * 1_000) * 100, 5))


def with_open_files(count: int, run: Callable[[], Cost]) -> Cost:
    handles = [os.open(os.devnull, os.O_RDONLY) for _ in range(count)]
    try:
        return run()
    finally:
        for handle in handles:
            os.close(handle)


def main() -> int:
    """Measure, print, and say whether the promise is kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=50, help="samples a round")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:

        def run(what: str, *, is_elected: bool) -> Cost:
            sampler = make_sampler(Path(name), is_elected=is_elected)
            return measure(what, sampler, samples=options.samples, rounds=options.rounds)

        costs = [
            run("process only", is_elected=False),
            run("process and host", is_elected=True),
            with_open_files(1_000, lambda: run("process and host, 1,000 files open", is_elected=True)),
        ]
    if options.json:
        print(json.dumps([asdict(cost) for cost in costs]))
    else:
        for cost in costs:
            print(f"{cost.what:36} {cost.cpu_us:8.1f} us a sample   {cost.core_percent:.5f} % of a core")
    is_kept = max(cost.core_percent for cost in costs) <= _PROMISE_PERCENT
    print(f"promise: at most {_PROMISE_PERCENT} % of a core: {'kept' if is_kept else 'MISSED'}", file=sys.stderr)
    return 0 if is_kept else 1


if __name__ == "__main__":
    raise SystemExit(main())
