"""How fast the log is exported, imported and replayed, and what memory the command takes.

Usage: history_rate.py [--rows 100000] [--seconds 300]
Rows are requests of five services and twenty routes, evenly over some minutes of the past.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.support import valkey_server

START_MS = 1_772_366_400_000
# A process for each command, so that each has a peak of memory of its own.
MEASURED = """
import json, resource, sys, time
from barograph_cli.__main__ import main
began = time.process_time()
code = main(sys.argv[1:])
figures = [time.process_time() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]
print(json.dumps(figures), file=sys.stderr)
sys.exit(code)
"""


def write_rows(path: Path, rows: int, seconds: int) -> None:
    rng = random.Random(3)
    with path.open("w") as file:
        for number in range(rows):
            document = {
                "time_ms": START_MS + number * seconds * 1_000 // rows,
                "service": f"service-{number % 5}",
                "kind": "request",
                "labels": {"route": f"/route/{rng.randrange(20)}", "method": "GET"},
                "status": 200,
                "duration_ms": rng.lognormvariate(3, 1),
            }
            file.write(json.dumps(document) + "\n")


def measure(what: str, rows: int, url: str, *arguments: str) -> None:
    """Run one command and print its rate, CPU and peak of memory."""
    began = time.monotonic()
    command = [sys.executable, "-c", MEASURED, *arguments, "--url", url, "--series-cap", "1000"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    elapsed_s = time.monotonic() - began
    cpu_s, peak_mb = json.loads(done.stderr.splitlines()[-1])
    print(f"{what:<18}{rows / elapsed_s:>12,.0f} rows/s{cpu_s / rows * 1e6:>10.1f} µs CPU a row{peak_mb:>8.0f} MB")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--seconds", type=int, default=300)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, valkey_server() as url:
        folder = Path(name)
        source, lines, columns = folder / "rows.jsonl", folder / "out.jsonl", folder / "out.parquet"
        write_rows(source, options.rows, options.seconds)
        measure("import JSON Lines", options.rows, url, "import", str(source), "--prefix", "one", "--with-events")
        measure("replay", options.rows, url, "replay", "--source-prefix", "one", "--prefix", "two")
        for what, file in (("JSON Lines", lines), ("Parquet", columns)):
            measure(f"export {what}", options.rows, url, "export", "--prefix", "one", "--output", str(file))
        measure("import Parquet", options.rows, url, "import", str(columns), "--prefix", "three")
        print(f"{lines.stat().st_size / options.rows:.0f} B a row as JSON Lines, ", end="")
        print(f"{columns.stat().st_size / options.rows:.0f} as Parquet")
    return 0


if __name__ == "__main__":
    sys.exit(main())
