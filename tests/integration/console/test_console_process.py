"""The console as a process: ready line, answers without a server, orderly stop; figures of a real pipeline."""

import contextlib
import re
import signal
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import httpx2

from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_int, as_list
from tests.support import append, free_port, request_batch, wait_until


@contextlib.contextmanager
def stage(package: str, log: Path, *arguments: str) -> Generator["subprocess.Popen[bytes]", None, None]:
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, "-m", package, *arguments], stdout=output, stderr=output)
    try:
        wait_until(lambda: b" ready" in log.read_bytes() or process.poll() is not None, what=package)
        yield process
    finally:
        process.kill()
        process.wait(timeout=60)


def url_in(log: Path) -> str:
    found = re.search(r"ready on (http://\S+)", log.read_text())
    assert found is not None, log.read_text()
    return found[1]


def test_without_a_server_the_console_lives_and_says_what_is_wrong(tmp_path: Path) -> None:
    """It starts, answers 503 with a reason, and stops with 0 on SIGTERM."""
    log = tmp_path / "console.log"
    url = f"redis://127.0.0.1:{free_port()}/0"
    with stage("barograph_console", log, "--port", "0", "--url", url) as process:
        base = url_in(log)
        statuses = {
            path: httpx2.get(base + path, timeout=60).status_code
            for path in ("/livez", "/readyz", "/api/v1/services", "/api/v1/alerts")
        }
        process.send_signal(signal.SIGTERM)
        code = process.wait(timeout=60)
    assert statuses == {"/livez": 200, "/readyz": 503, "/api/v1/services": 503, "/api/v1/alerts": 503}
    assert code == 0
    assert "Traceback" not in log.read_text()


def test_a_port_that_is_taken_is_said_in_one_line(tmp_path: Path) -> None:
    """Exit code 1, and the address in the message."""
    log = tmp_path / "first.log"
    url = f"redis://127.0.0.1:{free_port()}/0"
    with stage("barograph_console", log, "--port", "0", "--url", url):
        port = url_in(log).rpartition(":")[2]
        second = subprocess.run(
            [sys.executable, "-m", "barograph_console", "--port", port, "--url", url],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert second.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in second.stderr


def test_events_appear_in_the_console_counted_exactly(
    real: Connection, valkey_url: str, keys: ShardKeys, tmp_path: Path
) -> None:
    """From appended batches through a real aggregator to the answer over HTTP, event for event."""
    common = ("--url", valkey_url, "--prefix", keys.prefix)
    log = tmp_path / "console.log"
    with (
        stage("barograph_aggregator", tmp_path / "aggregator.log", *common),
        stage("barograph_console", log, "--port", "0", *common),
    ):
        start_ms = as_int(as_list(real.command("TIME"))[0]) * 1_000
        rows = [
            (start_ms - 2_000 + number * 3, "/predict", 503 if number % 7 == 0 else 200, 5.0) for number in range(700)
        ]
        append(real, keys, request_batch(rows), through_ms=start_ms + 60_000)
        base = url_in(log)
        query = f"{base}/api/v1/query?service=ranker&from={start_ms - 10_000}&to={start_ms + 1_000}&step=all"

        def point() -> dict[str, float]:
            answer = httpx2.get(query, timeout=60)
            series: list[dict[str, list[dict[str, float]]]] = answer.json().get("series", [])
            return series[0]["points"][0] if series else {}

        wait_until(lambda: point().get("count") == 700, timeout_s=30, what="700 events in the console")
        final = point()
    assert (final["errors"], final["sum"], final["p50"]) == (100, 3_500.0, 5.0)
