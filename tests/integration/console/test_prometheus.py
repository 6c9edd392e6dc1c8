"""The real Prometheus, configured as docs/prometheus.md says: it scrapes with a token, and pushes alerts."""

import contextlib
import http.server
import json
import os
import re
import shutil
import subprocess
import threading
import urllib.parse
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from barograph_core.access.access_store import AccessStore
from barograph_core.access.token import Role, new_token
from barograph_core.alerts.transition import Transition
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_entries
from tests.integration.console.test_console_process import stage, url_in
from tests.integration.notifier.receiver import Receiver, running_receiver
from tests.support import free_port, wait_until

RULE = """      - alert: Flagged
        expr: flag == 1
        labels: {severity: page, team: search}
        annotations: {summary: "the flag of {{ $labels.instance }} is up", dashboard: "d1"}
"""
# Beside what stands on the page: intervals for a test, the process with a flag, and a scrape without a token.
MORE = """
  - job_name: flags
    static_configs: [{{targets: ["127.0.0.1:{flags}"]}}]
  - job_name: stranger
    static_configs: [{{targets: ["{console}"]}}]
"""
PAGE = (Path(__file__).parents[3] / "docs" / "prometheus.md").read_text()


def shown(name: str) -> str:
    """Return the file of this name that the page shows."""
    found = re.search(rf"^```yaml\n# {re.escape(name)}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None, name
    return found[1]


def configuration(console: str, flags: int, *, reads: str, pushes: str) -> str:
    """Return the page's configuration, with our addresses and tokens in it."""
    text = shown("prometheus.yml").replace("TOKEN-READ", reads).replace("TOKEN-ALERTS", pushes)
    text = text.replace("127.0.0.1:8642", console).replace("_interval: 15s", "_interval: 1s")
    return text.replace("scrape_interval: 1s", "scrape_interval: 1s\n  scrape_timeout: 1s") + MORE.format(
        flags=flags, console=console
    )


class Flag:
    """A process with one metric."""

    def __init__(self) -> None:
        self.is_up = False
        flag = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = f"flag {int(flag.is_up)}\n".encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Stay quiet."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]


@pytest.fixture
def flag() -> Iterator[Flag]:
    made = Flag()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@dataclass
class Scene:
    """Console, alerter and notifier as processes, tokens for Prometheus, and what the channel received."""

    real: Connection
    keys: ShardKeys
    console: str
    reads: str
    pushes: str
    receiver: Receiver

    def told(self) -> list[str]:
        entries = as_entries(self.real.command("XRANGE", self.keys.alerts, "-", "+"))
        told = [Transition.from_fields(entry.fields) for entry in entries]
        return [one.reason or one.after.value for one in told]

    def received(self) -> list[str]:
        return [json.loads(one.body)["status"] for one in self.receiver.received]

    def ask(self, path: str) -> Any:
        answer = httpx2.get(self.console + path, headers={"Authorization": f"Bearer {self.reads}"}, timeout=20)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def scene(valkey_url: str, real: Connection, keys: ShardKeys, tmp_path: Path) -> Iterator[Scene]:
    secrets: list[str] = []
    for role in (Role.READ, Role.ALERTS):
        secret, token = new_token(f"prometheus-{role.value}", role, now_ms=1)
        AccessStore(real, keys.prefix).add_token(token)
        secrets.append(secret)
    with contextlib.ExitStack() as stack:
        receiver = stack.enter_context(running_receiver())
        config = tmp_path / "barograph.toml"
        config.write_text(
            f'[[channel]]\nname = "hook"\ntype = "webhook"\nurl = "{receiver.url}"\nallow_private = true\n'
        )
        common = ("--url", valkey_url, "--prefix", keys.prefix, "--config", str(config))
        log = tmp_path / "console.log"
        for package, arguments in (("barograph_console", ("--port", "0")), ("barograph_alerter", ())):
            stack.enter_context(stage(package, log if arguments else tmp_path / package, *arguments, *common))
        stack.enter_context(stage("barograph_notifier", tmp_path / "notifier.log", *common, "--poll-ms", "50"))
        reads, pushes = secrets
        yield Scene(real, keys, url_in(log), reads, pushes, receiver)


@contextlib.contextmanager
def prometheus(scene: Scene, flag: Flag, folder: Path) -> Generator[str]:
    """Run Prometheus, which repeats an alert each second; yield its URL."""
    program = shutil.which("prometheus")
    if program is None:
        assert "CI" not in os.environ, "CI needs Debian's package prometheus"
        pytest.skip("prometheus is not installed")
    config, port = folder / "prometheus.yml", free_port()
    (folder / "rules.yml").write_text(shown("rules.yml").replace("== 1", "== 2") + RULE)
    console = urllib.parse.urlsplit(scene.console).netloc
    config.write_text(configuration(console, flag.port, reads=scene.reads, pushes=scene.pushes))
    command = [program, f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}", "--log.level=warn"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--rules.alert.resend-delay=1s"]
    log = folder / "prometheus.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: is_ready(url) or process.poll() is not None, what="Prometheus")
        assert process.poll() is None, log.read_text()
        yield url
    finally:
        process.kill()
        process.wait(timeout=10)


def is_ready(url: str) -> bool:
    with contextlib.suppress(httpx2.HTTPError):
        return httpx2.get(f"{url}/-/ready", timeout=5).status_code == 200
    return False


def values(url: str, query: str) -> dict[str, str]:
    """Return the value of each job that a query finds."""
    found = httpx2.get(f"{url}/api/v1/query", params={"query": query}, timeout=20).json()["data"]["result"]
    return {one["metric"]["job"]: one["value"][1] for one in found}


def test_an_alert_of_prometheus_comes_and_goes_twice(scene: Scene, flag: Flag, tmp_path: Path) -> None:
    """Each episode is told once, however often Prometheus repeats it; when it dies, the alert ends by itself."""
    with prometheus(scene, flag, tmp_path):
        for episode in (1, 2):
            flag.is_up = True
            wait_until(lambda: scene.told().count("firing") == episode, what=f"firing {episode}")  # noqa: B023
            if episode == 1:
                check_shown(scene)
            flag.is_up = False
            wait_until(lambda: scene.told().count("resolved") == episode, what=f"resolved {episode}")  # noqa: B023
        flag.is_up = True
        wait_until(lambda: scene.told().count("firing") == 3, what="firing 3")
    told = ["firing", "resolved"] * 2 + ["firing"]
    wait_until(lambda: scene.told() == [*told, "not_pushed_again"], what="the end without Prometheus")
    wait_until(lambda: scene.received() == ["firing", "resolved"] * 3, what="the messages")
    alert = json.loads(scene.receiver.received[0].body)["alert"]
    assert (alert["service"], alert["rule"], alert["severity"]) == ("flags", "ext/Flagged", "critical")
    assert alert["annotations"]["dashboard"] == "d1"


def check_shown(scene: Scene) -> None:
    """It stands in both interfaces, on the page's overview, and among the services, which have no other data."""
    (shown,) = scene.ask("/api/v2/alerts")
    assert shown["labels"]["severity"] == "page"
    assert shown["labels"]["team"] == "search"
    assert shown["annotations"]["dashboard"] == "d1"
    assert "/graph?" in shown["generatorURL"]
    (row,) = scene.ask("/api/v1/alerts")["alerts"]
    assert (row["service"], row["severity"], row["id"]) == ("flags", "critical", shown["fingerprint"])
    assert row["summary"].startswith("the flag of 127.0.0.1:")
    overview = scene.ask("/api/v1/overview?service=flags&range=5m")
    assert [one["id"] for one in overview["alerts"]] == [shown["fingerprint"]]
    assert [one["service"] for one in scene.ask("/api/v1/services?spark=30")["services"]] == ["flags"]
    assert scene.ask(f"/api/v1/alerts/{shown['fingerprint']}")["source_url"] == shown["generatorURL"]


def test_prometheus_scrapes_with_a_token_and_not_without(scene: Scene, flag: Flag, tmp_path: Path) -> None:
    with prometheus(scene, flag, tmp_path) as url:
        wait_until(
            lambda: values(url, "up") == {"flags": "1", "barograph": "1", "stranger": "0"}, what="all three scrapes"
        )
        wait_until(lambda: values(url, "barograph_build_info") == {"barograph": "1"}, what="the console's own metric")
        assert values(url, "alertmanager_build_info") == {"barograph": "1"}


def test_what_the_page_shows_is_taken_as_it_is(tmp_path: Path) -> None:
    """Its rule fires as long as the console answers: the test of pushes replaces its condition."""
    promtool = shutil.which("promtool")
    if promtool is None:
        assert "CI" not in os.environ, "CI needs Debian's package prometheus"
        pytest.skip("promtool is not installed")
    for name in ("prometheus.yml", "rules.yml"):
        (tmp_path / name).write_text(shown(name))
    done = subprocess.run(
        [promtool, "check", "config", str(tmp_path / "prometheus.yml")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 rules found" in done.stdout + done.stderr
