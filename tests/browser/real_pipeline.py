"""The stages as processes on a real server, so that the page is tested over everything behind it."""

import contextlib
import subprocess
import threading
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from barograph_core.keyspace.keys import ShardKeys
from barograph_producer import Producer
from tests.integration.console.test_console_process import stage
from tests.support import free_port, wait_until

RULES = """
[alerter]
default_rules = false

[[rule]]
name = "errors"
on = "request"
window = "2s"
when = "error_rate > 0.5"
keep_firing_for = "10m"
severity = "error"
"""
SERVICE = "ranker"
Running = contextlib.AbstractContextManager["subprocess.Popen[bytes]"]
_EVERY_S = 0.05


@dataclass
class RealPipeline:
    """Starts the stages of one prefix on one server; the console always has the same port."""

    server: str
    keys: ShardKeys
    folder: Path
    port: int

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def common(self) -> tuple[str, ...]:
        return ("--url", self.server, "--prefix", self.keys.prefix)

    def aggregator(self) -> Running:
        return stage("barograph_aggregator", self.folder / "aggregator.log", *self.common)

    def alerter(self) -> Running:
        config = self.folder / "barograph.toml"
        config.write_text(RULES)
        return stage("barograph_alerter", self.folder / "alerter.log", *self.common, "--config", str(config))

    def console(self, *arguments: str) -> Running:
        """Run the console; leaving the block kills it."""
        return stage(
            "barograph_console", self.folder / "console.log", "--port", str(self.port), *self.common, *arguments
        )

    @contextlib.contextmanager
    def workers(self) -> Generator["subprocess.Popen[bytes]", None, None]:
        """Run an alerter and an aggregator; yield the aggregator's process."""
        with self.alerter(), self.aggregator() as process:
            yield process

    @contextlib.contextmanager
    def producer(self) -> Generator[Producer, None, None]:
        """Yield a producer that stays connected, so that a service without requests is quiet and not missing."""
        made = Producer(service=SERVICE, url=self.server, prefix=self.keys.prefix, sample_process=False)
        try:
            yield made
        finally:
            made.close()

    def ask(self, path: str, *, token: str = "", **query: Any) -> Any:
        """Return the JSON of an answer of the console's API; without ``token``, of one that asks for none."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = httpx2.get(f"{self.base}/api/v1/{path}", params=query, headers=headers, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def wait_for_service(self) -> None:
        """Wait until a pane of the service is closed."""

        def is_there() -> bool:
            return any(row["service"] == SERVICE for row in self.ask("services")["services"])

        wait_until(is_there, timeout_s=30, what="the service")


@contextlib.contextmanager
def load(producer: Producer, *, status: int = 200) -> Generator[None, None, None]:
    """Record some twenty requests a second until the block ends."""
    ended = threading.Event()

    def run() -> None:
        number = 0
        while not ended.wait(_EVERY_S):
            number += 1
            producer.request(route=f"/r{number % 3}", method="GET", status=status, duration_ms=4.0 + number % 7)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def pipeline_of(server: str, keys: ShardKeys, folder: Path) -> RealPipeline:
    return RealPipeline(server, keys, folder, free_port())
