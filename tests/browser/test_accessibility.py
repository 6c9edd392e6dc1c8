"""axe finds nothing, in every state and theme that people meet."""

import re
from typing import Any, cast

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import ConsoleMaker, Visitor, now_ms
from tests.browser.fake_console import Behaviour
from tests.browser.ranker import Ranker
from tests.browser.ranker_incident import ALERT_ID

pytestmark = pytest.mark.browser

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


def violations(page: Page) -> list[str]:
    found = cast(dict[str, Any], Axe().run(page, options=RULES).response)
    return [
        f"{one['id']}: {one['help']} ({node['html'][:160]}; {node.get('failureSummary', '')[:200]})"
        for one in found["violations"]
        for node in one["nodes"][:3]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("query", ["", f"&alert={ALERT_ID}", "&table=1"], ids=["charts", "drawer", "table"])
def test_the_service_page(visitor: Visitor, serve: ConsoleMaker, scheme: str, width: int, query: str) -> None:
    page = visitor.open(f"{serve().url}/?service=ranker{query}", width=width, scheme=scheme, bypass_csp=True)
    expect(page.get_by_text(re.compile("^Live, "))).to_be_visible()
    if "alert" in query:
        expect(page.get_by_role("dialog", name="Alert")).to_contain_text("What happened")
    else:
        expect(page.get_by_role("rowheader").first).to_be_visible()
    assert violations(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_services(visitor: Visitor, serve: ConsoleMaker, scheme: str) -> None:
    page = visitor.open(f"{serve(is_single=False).url}/", scheme=scheme, bypass_csp=True)
    expect(page.get_by_role("link", name="ranker", exact=True)).to_be_visible()
    assert violations(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_first_run(visitor: Visitor, serve: ConsoleMaker, scheme: str) -> None:
    page = visitor.open(f"{serve(behaviour=Behaviour(is_empty=True)).url}/", scheme=scheme, bypass_csp=True)
    expect(page.get_by_role("heading", name="Waiting for the first event")).to_be_visible()
    assert violations(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_signed_out(visitor: Visitor, serve: ConsoleMaker, scheme: str) -> None:
    page = visitor.open(
        f"{serve(behaviour=Behaviour(wants_token=True)).url}/?service=ranker", scheme=scheme, bypass_csp=True
    )
    expect(page.get_by_role("dialog", name="Sign in")).to_be_visible()
    assert violations(page) == []


def test_calm_help_and_what_is_in_here(visitor: Visitor, serve: ConsoleMaker) -> None:
    page = visitor.open(f"{serve(Ranker(begun_ms=now_ms(), has_incident=False)).url}/?service=ranker", bypass_csp=True)
    expect(page.get_by_role("region", name="Verdict")).to_contain_text("All clear.")
    assert violations(page) == []
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    assert violations(page) == []


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_channels(visitor: Visitor, serve: ConsoleMaker, scheme: str, width: int) -> None:
    page = visitor.open(f"{serve().url}/?service=ranker", scheme=scheme, width=width, bypass_csp=True)
    page.get_by_role("region", name="Pipeline", exact=True).get_by_role("button", name="Channels").click()
    dialog = page.get_by_role("dialog", name="Channels")
    for name in ("pager", "slack"):
        dialog.get_by_role("row", name=name).get_by_role("button", name="Send a test").click()
    expect(dialog.get_by_text("Begin refused")).to_be_visible()
    expect(dialog.get_by_text("End sent")).to_be_visible()
    assert violations(page) == []
