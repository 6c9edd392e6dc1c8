"""`barograph up` as someone meets it who has just installed it: the first run, and the first event."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from barograph_core.keyspace.keys import ShardKeys
from barograph_producer import Producer
from tests.browser.conftest import Visitor, slowness
from tests.support import free_port

pytestmark = pytest.mark.browser
WAITING = "Waiting for the first event"


@pytest.fixture
def up(valkey_url: str, keys: ShardKeys, tmp_path: Path) -> Iterator[str]:
    """Run the command until it says that it is up; yield the address of its page."""
    port = free_port()
    options = ["--url", valkey_url, "--prefix", keys.prefix, "--state-dir", str(tmp_path)]
    command = [sys.executable, "-m", "barograph_cli", "up", "--port", str(port), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        said = next(line for line in process.stdout if "barograph is up" in line)
        yield re.findall(r"http://\S+", said)[0]
        process.terminate()
        process.stdout.read()


def test_the_page_waits_for_the_first_event_and_opens_by_itself(
    visitor: Visitor, up: str, valkey_url: str, keys: ShardKeys
) -> None:
    """The pipeline's own service does not count as one, however long it has reported."""
    page = visitor.open(f"{up}static/mark-ok.svg")
    busy, began_s = slowness(), time.monotonic()
    page.goto(up)
    expect(page.get_by_role("heading", name=WAITING)).to_be_visible()
    assert (time.monotonic() - began_s) / max(busy, slowness()) < 2
    for stage in ("aggregator", "alerter", "notifier"):
        expect(page.get_by_role("listitem").filter(has_text=f"{stage} runs")).to_contain_text("●")
    page.goto(f"{up}?view=services")
    expect(page.get_by_role("link", name="barograph", exact=True).last).to_be_visible()
    expect(page.get_by_role("region", name="Verdict")).to_contain_text("No service has sent an event yet.")
    page.goto(up)
    expect(page.get_by_role("heading", name=WAITING)).to_be_visible()
    producer = Producer(service="my-api", url=valkey_url, prefix=keys.prefix, sample_process=False)
    try:
        producer.request(route="/predict", method="POST", status=200, duration_ms=4.0)
        assert producer.flush()
        expect(page.get_by_text(re.compile("^Live, "))).to_be_visible()
        expect(page.get_by_role("heading", level=1)).to_have_text("my-api")
        expect(page.get_by_role("rowheader").filter(has_text="/predict")).to_be_visible()
    finally:
        producer.close()
