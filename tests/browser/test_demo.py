"""The page over the real thing: the demo's server, stages and API, and the incident in it."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visitor
from tests.support import free_port, wait_until

pytestmark = pytest.mark.browser
SERVICE = "water-flow-api"


def answers(port: int) -> bool:
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/livez").status_code == 200
    except httpx2.TransportError:
        return False


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[str]:
    """Run the demo and yield the address of its page."""
    port = free_port()
    command = [sys.executable, "-m", "barograph_cli", "demo", "--port", str(port), "--state-dir", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "the load begins" in line:
                break
        # The load does not wait for the console: on a busy machine it begins first.
        wait_until(lambda: answers(port), what="the console of the demo")
        yield f"http://127.0.0.1:{port}/?service={SERVICE}&range=5m"
        process.terminate()
        process.stdout.read()


def test_the_incident_of_the_demo_is_named_with_its_route_and_version(visitor: Visitor, demo: str) -> None:
    """What happened, where, since when, and after which release: in one sentence, within a minute of the start."""
    page = visitor.open(demo)
    verdict = page.get_by_role("region", name="Verdict")
    expect(verdict).to_contain_text("release water-flow 2", timeout=60_000)
    expect(verdict).to_contain_text(re.compile(r"\d %?.* from (POST /predict|model version 2)"), timeout=20_000)
    expect(page.get_by_text(re.compile("^Live, "))).to_be_visible()
    expect(page.get_by_role("rowheader").filter(has_text="/predict")).to_be_visible()
    page.get_by_role("button", name="Why").click()
    expect(page.get_by_role("dialog", name="Alert")).to_contain_text("What happened")
