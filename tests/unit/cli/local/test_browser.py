"""``--open`` opens the page, and says where it is when it cannot."""

import webbrowser

import pytest

from barograph_cli.local.browser import open_page

URL = "http://127.0.0.1:8642/?service=ranker"


class Browser(webbrowser.BaseBrowser):
    """Notes what it is asked to open."""

    def __init__(self, *, works: bool) -> None:
        super().__init__("noting")
        self.opened: list[str] = []
        self._works = works

    def open(self, url: str, new: int = 0, autoraise: bool = True) -> bool:
        del new, autoraise
        self.opened.append(url)
        return self._works


@pytest.fixture(autouse=True)
def _no_other_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webbrowser, "_browsers", {})
    monkeypatch.setattr(webbrowser, "_tryorder", [])


def test_the_page_is_opened_and_nothing_is_said() -> None:
    """One who asked for the page gets it."""
    browser, said = Browser(works=True), list[str]()
    webbrowser.register("noting", None, browser, preferred=True)
    open_page(URL, said.append)
    assert browser.opened == [URL]
    assert said == []


def test_without_a_browser_the_url_is_said() -> None:
    """A machine without a screen has no browser: the command goes on, and the URL is there to copy."""
    webbrowser.register("noting", None, Browser(works=False), preferred=True)
    said = list[str]()
    open_page(URL, said.append)
    assert said == [f"no browser could be opened here; the page is at {URL}"]
