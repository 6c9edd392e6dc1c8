"""A fuzzer reads the API's description and asks everything that it allows, and much that it does not."""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import httpx2
import psutil
import pytest

from barograph_core.access.token import digest_of
from barograph_core.functions.library import ensure_library
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection, read_now
from barograph_core.store.figure_records import field_of, figure_fields
from tests.integration.console.test_console_process import stage, url_in
from tests.support import IS_CI
from tests.unit.console.fakes import STEPS, panes_of, requests

ADMIN = "a" * 40
# Ready answers may take 64 MB; the rest is what Python keeps of what was used.
MOST_GROWN_BYTES = 128 * 1_048_576
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


@pytest.fixture
def base(real: Connection, valkey_url: str, keys: ShardKeys, tmp_path: Path) -> Generator[str, None, None]:
    """Run a console that asks for a token, over a service with some minutes of requests."""
    ensure_library(real)
    now_ms = read_now(real) // 60_000 * 60_000
    for step in STEPS[:3]:
        rows = [(now_ms - 1_000 * ago, f"/r{ago % 3}", (200, 404, 500)[ago % 3], 5.0 + ago) for ago in range(1, 180)]
        for stored in panes_of([requests(*rows)], step.step_ms):
            block_ms = stored.start_ms - stored.start_ms % step.span_ms
            key, start = keys.panes("ranker", step.step_ms, block_ms), stored.start_ms
            real.command("HSET", key, str(start), stored.pane.pack(), f"r{start}", 0, f"m{start}", 0)
            fields = figure_fields(stored.pane.tables, (start - block_ms) // step.step_ms)
            for name, record in zip(fields[::2], fields[1::2], strict=True):
                assert isinstance(record, bytes)
                held = real.command("HGET", key, name)
                real.command("HSET", key, name, held + record if isinstance(held, bytes) else field_of([record]))
    real.command("HSET", keys.closed, "ranker", now_ms)
    log = tmp_path / "console.log"
    common = ("--port", "0", "--url", valkey_url, "--prefix", keys.prefix, "--admin-token-sha256", digest_of(ADMIN))
    with stage("barograph_console", log, *common) as process:
        usage = psutil.Process(process.pid)
        began_bytes = usage.memory_info().rss
        yield url_in(log)
        assert usage.memory_info().rss - began_bytes < MOST_GROWN_BYTES
    assert "Traceback" not in log.read_text()


def fuzz(base: str, folder: Path, *arguments: str, phases: str = "examples,coverage,fuzzing") -> str:
    """Fuzz the console as its own description says; return what the fuzzer reports."""
    if importlib.util.find_spec("schemathesis") is None:
        assert not IS_CI, "schemathesis is not installed"
        pytest.skip("schemathesis is not installed")
    answer = httpx2.get(f"{base}/api/v1/openapi.json", headers={"Authorization": f"Bearer {ADMIN}"}, timeout=60)
    description = folder / "openapi.json"
    document = answer.json()
    # The fuzzer writes no lines of JSON; the other forms of the body are the same events.
    del document["paths"]["/api/v1/ingest"]["post"]["requestBody"]["content"]["application/x-ndjson"]
    description.write_text(json.dumps(document))
    command = [sys.executable, "-m", "schemathesis.cli", "run", str(description), "--url", base, "--checks", CHECKS]
    options = ["--phases", phases, "--max-examples", "2", "--seed", "1", "--workers", "1"]
    quiet = ["--generation-database", "none", "--suppress-health-check", "all", "--request-timeout", "60"]
    done = subprocess.run(
        [*command, *options, *quiet, *arguments], capture_output=True, text=True, cwd=folder, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout[-8_000:] + done.stderr[-2_000:]
    return done.stdout


def test_every_answer_to_a_client_with_a_token_is_as_described(base: str, tmp_path: Path) -> None:
    """No error of the server, whatever is asked; wrong sign-ins are left out, for they shut the address out."""
    report = fuzz(base, tmp_path, "--header", f"Authorization: Bearer {ADMIN}", "--exclude-path", "/api/v1/session")
    assert "Rate limited" not in report


def test_every_answer_to_a_client_without_a_token_is_as_described(base: str, tmp_path: Path) -> None:
    """Refused before anything is read, also once the address is shut out; others still get answers."""
    # Each is answered before its parameters are looked at, so combinations of these add nothing.
    fuzz(base, tmp_path, phases="examples,fuzzing")
    for path in ("/livez", "/readyz"):
        assert httpx2.get(base + path, timeout=60).status_code == 200
