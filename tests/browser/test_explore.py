"""`barograph explore` as people meet it: the command, a page in the browser, a file that is downloaded, Ctrl-C."""

import csv
import io
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import httpx2
import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Visitor
from tests.integration.explore.running_console import SERVICE, RunningConsole, running_console
from tests.support import wait_until

pytest.importorskip("streamlit")
pytestmark = pytest.mark.browser
SLOW_MS = 30_000


@pytest.fixture(scope="module")
def console(valkey_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningConsole]:
    with running_console(valkey_url, tmp_path_factory.mktemp("explore")) as found:
        yield found


def is_there(url: str) -> bool:
    try:
        return httpx2.get(url).status_code == 200
    except httpx2.TransportError:
        return False


@pytest.fixture
def page_url(console: RunningConsole, tmp_path: Path) -> Iterator[str]:
    """Run the command; at the end Ctrl-C stops it in good order."""
    log = tmp_path / "log"
    command = [sys.executable, "-m", "barograph_cli", "explore", "--console", console.url, "--port", "0"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        wait_until(lambda: b"http://127.0.0.1" in log.read_bytes().partition(b"page of")[2], what="the address")
        found = re.findall(r"http://127[.0-9]+:[0-9]+", log.read_text())[-1]
        wait_until(lambda: is_there(f"{found}/_stcore/health"), timeout_s=30, what="the page")
        yield found
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0
        assert "Traceback" not in log.read_text()
    finally:
        process.kill()
        process.wait(timeout=60)


def test_a_table_is_downloaded_as_csv_and_nothing_is_asked_of_another_host(
    browser: Browser, console: RunningConsole, page_url: str
) -> None:
    """The figures of the file are those of the REST API, also of a route that looks like an image."""
    visitor = Visitor(browser)
    try:
        page = visitor.open(f"{page_url}/?service={SERVICE}&range=15m&section=Endpoints")
        button = page.get_by_role("button", name="Download endpoints.csv")
        expect(button).to_be_visible(timeout=SLOW_MS)
        with page.expect_download(timeout=SLOW_MS) as download:
            button.click()
        text = Path(download.value.path()).read_text()
        page.get_by_role("radio", name="Requests").click()
        expect(page.get_by_label("Requests per minute")).to_be_visible(timeout=SLOW_MS)
    finally:
        visitor.close()
    assert download.value.suggested_filename == "endpoints.csv"
    rows = {row["route"]: row for row in csv.DictReader(io.StringIO(text))}
    asked = console.get("/query", service=SERVICE, **{"from": "-900s"}, step="all", by="route")["series"]
    assert len(rows) == len(asked) == 3
    for series in asked:
        route = cast("dict[str, str]", series["labels"])["route"]
        (point,) = cast("list[dict[str, float]]", series["points"])
        row = rows[route]
        assert [row["requests"], row["errors"], row["p95_ms"]] == [
            str(point["events"]),
            str(point["errors"]),
            str(point["p95"]),
        ]
    assert visitor.foreign == []
