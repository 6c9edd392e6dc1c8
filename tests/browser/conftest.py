"""A headless Chromium, and pages that fail a test when they say or ask something they should not."""

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect, sync_playwright

from tests.browser.fake_console import Behaviour, FakeConsole
from tests.browser.ranker import Ranker

_WORK_S = 0.2
# What is expected comes within these, or never: a busy machine is no fault of the page.
_PATIENCE_MS = 20_000
expect.set_options(timeout=_PATIENCE_MS)
# What a browser writes by itself about an answer that is an error, or a socket that is refused.
_OF_THE_BROWSER = ("Failed to load resource", "WebSocket connection to")


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def slowness() -> float:
    """Return how many times longer work takes just now than on processors that no one else uses; 1 or more."""
    began_s, used_s = time.monotonic(), time.process_time()
    while time.process_time() - used_s < _WORK_S:
        pass
    return max(1.0, (time.monotonic() - began_s) / _WORK_S)


def allowed_ms(free_ms: int) -> float:
    """Return how long something may take now that may take ``free_ms`` on free processors."""
    return free_ms * slowness()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("chromium is not installed, and CI must not skip")
        pytest.skip("chromium is not installed")
    with sync_playwright() as playwright:
        # Root, as in a container, may not start Chromium's sandbox.
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()


class Visitor:
    """Opens pages, and keeps what they said."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._contexts: list[BrowserContext] = []
        self.said: list[str] = []
        self.foreign: list[str] = []

    def open(
        self,
        url: str,
        *,
        width: int = 1440,
        height: int = 900,
        scheme: str = "light",
        ratio: float = 1,
        bypass_csp: bool = False,
        zone: str = "Europe/Berlin",
        has_forced_colors: bool = False,
        first: str = "",
    ) -> Page:
        context = self._browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if scheme == "dark" else "light",
            device_scale_factor=ratio,
            bypass_csp=bypass_csp,
            timezone_id=zone,
            locale="en-GB",
            forced_colors="active" if has_forced_colors else "none",
        )
        self._contexts.append(context)
        page = context.new_page()
        # Runs before the page's own scripts.
        page.add_init_script(first)
        page.set_default_timeout(_PATIENCE_MS)
        home = urlsplit(url).netloc

        def heard(message: ConsoleMessage) -> None:
            if not message.text.startswith(_OF_THE_BROWSER):
                self.said.append(message.text)

        def asked(request: Request) -> None:
            if urlsplit(request.url).netloc != home and not request.url.startswith("data:"):
                self.foreign.append(request.url)

        page.on("console", heard)
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("request", asked)
        page.goto(url)
        return page

    def close(self) -> None:
        for context in self._contexts:
            context.close()


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Visitor]:
    """Open pages; at the end no page may have written to its console, or have asked another host."""
    visitor = Visitor(browser)
    yield visitor
    visitor.close()
    assert visitor.said == []
    assert visitor.foreign == []


ConsoleMaker = Callable[..., FakeConsole]


@pytest.fixture
def serve() -> Iterator[ConsoleMaker]:
    """Start consoles that play a ranker."""
    with contextlib.ExitStack() as stack:

        def start(
            ranker: Ranker | None = None, behaviour: Behaviour | None = None, *, is_single: bool = True
        ) -> FakeConsole:
            console = FakeConsole(ranker or Ranker(begun_ms=now_ms()), behaviour, is_single=is_single)
            return stack.enter_context(console.running())

        yield start
