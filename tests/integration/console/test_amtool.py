"""The console's interface for Alertmanager's tools, asked by the real amtool."""

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import httpx2
import pytest

from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_entries
from tests.integration.console.test_console_process import stage, url_in
from tests.unit.console.fakes import ALERT_ID, record

Amtool = Callable[..., str]
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest.fixture
def base(valkey_url: str, real: Connection, keys: ShardKeys, tmp_path: Path) -> Iterator[str]:
    """Return the URL of a console whose service ``ranker`` has an alert that fires."""
    real.command("HSET", keys.closed, "ranker", 1_700_000_000_000)
    real.command("HSET", keys.state("ranker"), "version", 1, f"alert:{ALERT_ID}", record().to_json())
    log = tmp_path / "console.log"
    with stage("barograph_console", log, "--port", "0", "--url", valkey_url, "--prefix", keys.prefix):
        yield url_in(log)


@pytest.fixture
def amtool(base: str, tmp_path: Path) -> Amtool:
    """Return what runs amtool against that console and returns its output."""
    program = shutil.which("amtool")
    if program is None:
        assert "CI" not in os.environ, "CI needs amtool, of Debian's package prometheus-alertmanager"
        pytest.skip("amtool is not installed")

    def run(*arguments: str, code: int = 0) -> str:
        command = [program, f"--alertmanager.url={base}", *arguments]
        environ = {**os.environ, "HOME": str(tmp_path)}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ, timeout=60)
        assert done.returncode == code, done.stdout + done.stderr
        assert "version mismatch" not in done.stderr
        return done.stdout + done.stderr

    return run


def test_alerts_are_queried(amtool: Amtool) -> None:
    (found,) = json.loads(amtool("-o", "json", "alert", "query"))
    assert found["fingerprint"] == ALERT_ID
    assert "high-error-rate" in amtool("alert", "query", "service=~rank.*")
    assert json.loads(amtool("-o", "json", "alert", "query", "route=/other")) == []


def test_a_silence_is_added_queried_updated_and_ended(amtool: Amtool) -> None:
    first = amtool("silence", "add", "alertname=high-error-rate", "--duration=1h", "--comment=looking").strip()
    assert UUID.fullmatch(first)
    assert first in amtool("silence", "query")
    (suppressed,) = json.loads(amtool("-o", "json", "alert", "query", "--silenced"))
    assert suppressed["status"]["silencedBy"] == [first]
    second = UUID.findall(amtool("-o", "json", "silence", "update", "--duration=2h", first))[0]
    amtool("silence", "expire", second)
    assert second not in amtool("-o", "json", "silence", "query")
    assert second in amtool("-o", "json", "silence", "query", "--expired")


def test_silences_are_exported_and_imported(amtool: Amtool, tmp_path: Path) -> None:
    amtool("silence", "add", "alertname=high-error-rate", "--duration=1h", "--comment=looking")
    file = tmp_path / "silences.json"
    file.write_text(amtool("-o", "json", "silence", "query"))
    amtool("silence", "import", "--force", str(file))
    assert len(json.loads(amtool("-o", "json", "silence", "query"))) == 2


def test_what_cannot_be_meant_is_said(amtool: Amtool) -> None:
    assert "mute every alert" in amtool("silence", "add", "alertname=~.*", "--duration=1h", "--comment=x", code=1)


def test_configuration_routes_and_cluster_are_shown(amtool: Amtool) -> None:
    assert "receiver" in amtool("config", "show")
    assert "none" in amtool("config", "routes", "show")
    assert "none" in amtool("config", "routes", "test", "service=ranker")
    assert "disabled" in amtool("cluster", "show")


def test_alerts_are_added_and_resolved(amtool: Amtool, real: Connection, keys: ShardKeys) -> None:
    """Times that amtool leaves out come as those of the year 1."""
    added = ("alert", "add", "DiskFull", "job=node", "severity=page", "--annotation=summary=disk is full")
    amtool(*added)
    amtool(*added)
    found = json.loads(amtool("-o", "json", "alert", "query", "alertname=DiskFull"))
    assert [one["labels"] for one in found] == [
        {"alertname": "DiskFull", "job": "node", "service": "node", "severity": "page"}
    ]
    assert found[0]["annotations"] == {"summary": "disk is full"}
    begun, ended = (datetime.fromisoformat(found[0][name]) for name in ("startsAt", "endsAt"))
    assert timedelta(minutes=5) <= ended - begun <= timedelta(minutes=6)
    silence = amtool("silence", "add", "severity=page", "--duration=1h", "--comment=known").strip()
    assert json.loads(amtool("-o", "json", "alert", "query", "--active", "job=node")) == []
    amtool("silence", "expire", silence)
    amtool("alert", "add", "DiskFull", "job=node", "severity=page", "--end=2020-01-01T00:00:00Z")
    assert json.loads(amtool("-o", "json", "alert", "query", "job=node")) == []
    entries = as_entries(real.command("XRANGE", keys.alerts, "-", "+"))
    assert [one.fields[b"to"] for one in entries if b"to" in one.fields] == [b"firing", b"resolved"]


def test_an_alert_without_any_label_is_refused(amtool: Amtool) -> None:
    assert "no label with a value" in amtool("alert", "add", "alertname=", code=1)


def shown_commands(page: str, program: str) -> list[str]:
    """Return the commands of ``program`` that a page of the documentation shows, as they stand there."""
    text = (Path(__file__).parents[3] / "docs" / page).read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [line for line in lines if line.startswith(f"{program} ")]


def test_the_commands_of_the_page_do_what_they_say(amtool: Amtool, base: str) -> None:
    """docs/alertmanager-tools.md, in its order: the id is that of the silence that was added."""
    silence, ran = "", 0
    for command in shown_commands("alertmanager-tools.md", "amtool"):
        _, url, *arguments = shlex.split(command)
        assert url == "--alertmanager.url=http://127.0.0.1:8642"
        said = amtool(*(silence if word == "ID" else word for word in arguments))
        silence = said.strip() if arguments[:2] == ["silence", "add"] else silence
        ran += 1
    assert ran == 5
    found = {one["labels"]["alertname"] for one in httpx2.get(f"{base}/api/v2/alerts", timeout=20).json()}
    assert found == {"high-error-rate", "BackupLate"}
    (ended,) = httpx2.get(f"{base}/api/v2/silences", timeout=20).json()
    assert (ended["id"], ended["status"]["state"]) == (silence, "expired")


def test_other_programs_push_with_the_call_that_the_page_shows(base: str) -> None:
    (command,) = shown_commands("prometheus.md", "curl")
    arguments = shlex.split(command.replace("http://127.0.0.1:8642", base))
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")
    found = httpx2.get(f"{base}/api/v2/alerts?filter=service=backup", timeout=20).json()
    assert [one["annotations"]["summary"] for one in found] == ["no backup for 26 h"]
