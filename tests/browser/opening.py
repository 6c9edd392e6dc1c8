"""Opens the page of a service, and finds the parts of it."""

import re

from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Visitor
from tests.browser.fake_console import FakeConsole


def opened(visitor: Visitor, console: FakeConsole, query: str = "", *, width: int = 1440) -> Page:
    page = visitor.open(f"{console.url}/?service=ranker{query}", width=width)
    expect(page.get_by_text(re.compile(r"^Live, |^Paused|^Shows"))).to_be_visible()
    return page


def region(page: Page, name: str) -> Locator:
    return page.get_by_role("region", name=name, exact=True)
