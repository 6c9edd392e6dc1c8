"""Cost of trying rules: a fortnight of one service and five rules, a sweep of ten thresholds, and a test of a day.

The data of the past are a value each five minutes, as of a monitor that polls, made here or read from a CSV with the
columns ``timestamp`` and ``value`` (``--data``). Times are of the processor, of this process, without its start.

``barograph rules test`` judges two routes of a made day at steps of a minute: the least processor time of five runs,
each with the start of its process and with compiled modules.

    python benchmarks/backtest_cost.py [--data ec2_request_latency_system_failure.csv]
"""

import argparse
import csv
import math
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from barograph_alerter.rules.reading import parse_rules
from barograph_alerter.rules.rule import Rule
from barograph_alerter.trial.event_fold import EventFold
from barograph_alerter.trial.recording import Recording, Region
from barograph_alerter.trial.replay import replay
from barograph_alerter.trial.sweep import with_threshold
from barograph_core.errors import Problem
from barograph_core.events.kinds import KINDS
from barograph_core.settings.config_file import parse_config
from barograph_core.text.timestamps import iso_ms

DAY = """
[[rule]]
name = "errors"
on = "request"
by = ["route"]
window = "5m"
when = "error_rate > 0.05 and count >= 20"
for = "2m"
[[test]]
step = "1m"
series = [
  { on = "request", labels = { route = "/a" }, count = "100x1439", errors = "0x600 10x30 0x808" },
  { on = "request", labels = { route = "/b" }, count = "100+1x1439" },
]
expect = [
  { at = "10h10m", rule = "errors", labels = { route = "/a" } },
  { at = "23h", rule = "errors", state = "inactive" },
]
"""
STEP_MS = 300_000
COUNT = 4_032
BEGIN_MS = 1_767_225_600_000
RULES = {
    "fixed": ("10m", "value.avg > 55"),
    "baseline": ("1h", 'value.avg > 1.15 * baseline("1d").value.avg'),
    "change": ("15m", 'change("1h").value.avg > 6'),
    "percentile": ("1h", "value.p95 > 50 and value.count > 3"),
    "sustained": ("10m", 'min_over("30m").value.max > 47'),
}


def read_values(name: str | None) -> list[tuple[int, float]]:
    """Return times in ms and values."""
    if name is not None:
        with Path(name).open(encoding="utf-8") as file:
            return [(iso_ms(row["timestamp"].replace(" ", "T")), float(row["value"])) for row in csv.DictReader(file)]
    rng = random.Random(7)
    return [(BEGIN_MS + index * STEP_MS, 45 + 3 * math.sin(index / 46) + rng.gauss(0, 1.5)) for index in range(COUNT)]


def make_rules() -> list[Rule]:
    """Return the five rules."""
    text = "\n".join(
        f"[[rule]]\nname = '{name}'\non = 'custom'\nwindow = '{window}'\nwhen = '{when}'"
        for name, (window, when) in RULES.items()
    )
    problems: list[Problem] = []
    rules = parse_rules(parse_config(text, Path("rules")), problems)
    if problems:
        raise SystemExit("\n".join(map(str, problems)))
    return rules


def make_recording(values: Sequence[tuple[int, float]]) -> Recording:
    """Return the panes of ``values``."""
    fold = EventFold()
    for at_ms, value in values:
        fold.add("monitor", KINDS["custom"], ("latency",), at_ms, (value,), 1)
    ((service, panes),) = fold.panes().items()
    return Recording(service, panes, [Region(1_000, values[0][0] - values[0][0] % 1_000, values[-1][0] + 1_000)])


def test_of_a_day_s() -> float:
    """Return the processor time of ``barograph rules test``."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "day.toml"
        path.write_text(DAY)
        command = [sys.executable, "-m", "barograph_cli", "rules", "test", str(path)]
        # Compiled by the first run, as an installation is.
        environ = {**os.environ, "PYTHONPYCACHEPREFIX": folder, "PYTHONDONTWRITEBYTECODE": ""}
        spent: list[float] = []
        for _ in range(5):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environ)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(spent)


def main() -> None:
    """Print one line for each part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="CSV with timestamp and value")
    values = read_values(parser.parse_args().data)
    rules = make_rules()
    began = time.process_time()
    recording = make_recording(values)
    print(f"{len(values)} events to panes: {time.process_time() - began:.2f} s")
    total = time.process_time()
    for rule in rules:
        began = time.process_time()
        (course,) = replay([rule], recording)
        print(f"{rule.name:<12}{time.process_time() - began:6.2f} s  {len(course.happened)} transitions")
    print(f"five rules: {time.process_time() - total:.2f} s (promised 5)")
    began = time.process_time()
    courses = replay([with_threshold(rules[0], 46 + 2 * index) for index in range(10)], recording)
    found = [len(course.happened) for course in courses]
    print(f"sweep of ten thresholds: {time.process_time() - began:.2f} s (promised 10), transitions {found}")
    print(f"test of a day: {test_of_a_day_s() * 1_000:.0f} ms (promised 500)")


if __name__ == "__main__":
    main()
