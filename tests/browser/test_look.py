"""How the page stands: sizes and colours that a design fixes, at the widths that people have."""

import re
from typing import Any

import pytest
from playwright.sync_api import FloatRect, Locator, Page, expect

from tests.browser.conftest import ConsoleMaker, Visitor, now_ms
from tests.browser.ranker import Ranker

pytestmark = pytest.mark.browser

# How many colours a canvas holds.
COLOURS = """canvas => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return new Set(new Uint32Array(data.buffer)).size;
}"""


class Wide(Ranker):
    """An alert about the whole service: its route and its version have nearly the same share."""

    def alerts(self) -> list[dict[str, Any]]:
        first, *others = super().alerts()
        parts = [
            {"labels": {"method": "POST", "route": "/predict"}, "of": "errors", "amount": 46, "share_ratio": 0.96},
            {"labels": {"version": "8"}, "of": "errors", "amount": 45, "share_ratio": 0.94},
        ]
        summary = "6.0 % of 803 requests to ranker failed in 10s"
        return [{**first, "labels": {}, "summary": summary, "contributors": parts}, *others]


def shown(visitor: Visitor, console_url: str, query: str = "", **how: Any) -> Page:
    page = visitor.open(f"{console_url}/?service=ranker{query}", **how)
    expect(page.get_by_text(re.compile("^Live, "))).to_be_visible()
    expect(page.get_by_role("region", name="Models").get_by_role("listitem").first).to_be_visible()
    return page


def box(place: Locator) -> FloatRect:
    found = place.bounding_box()
    assert found is not None
    return found


def test_the_verdict_keeps_to_one_line_with_two_contributors(visitor: Visitor, serve: ConsoleMaker) -> None:
    page = shown(visitor, serve(Wide(begun_ms=now_ms())).url)
    verdict = page.get_by_role("region", name="Verdict")
    expect(verdict).to_contain_text("; 96 % from POST /predict, 94 % from model version 8. 1 more firing.")
    assert box(verdict)["height"] < 50


@pytest.mark.parametrize(("width", "most"), [(1440, 56), (820, 56), (390, 106)])
def test_the_bar_at_the_top_does_not_spill(visitor: Visitor, serve: ConsoleMaker, width: int, most: int) -> None:
    """One row, and a second one of ranges on a phone."""
    page = shown(visitor, serve().url, width=width)
    assert box(page.get_by_role("banner"))["height"] <= most


def test_the_strips_of_a_wall_end_with_the_screen(visitor: Visitor, serve: ConsoleMaker) -> None:
    page = shown(visitor, serve().url, "&view=wall", width=1920, height=1080)
    paper = box(page.get_by_role("region", name="Traffic, errors, duration"))
    assert 1_000 < paper["y"] + paper["height"] <= 1_080


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_forced_colours_leave_charts_their_own(visitor: Visitor, serve: ConsoleMaker, scheme: str) -> None:
    """Lines, tints and cells in one colour would be a black box."""
    page = shown(visitor, serve().url, scheme=scheme, bypass_csp=True, has_forced_colors=True)
    for name, least in (("Duration of every request, by how many", 20), (re.compile("^5xx, 1h"), 8)):
        assert page.get_by_role("img", name=name).evaluate(COLOURS) >= least
    why = page.get_by_role("button", name="Why")
    ink, ground = why.evaluate("one => [getComputedStyle(one).color, getComputedStyle(one).backgroundColor]")
    assert ink != ground


def test_nothing_moves_for_those_who_want_no_motion(visitor: Visitor, serve: ConsoleMaker) -> None:
    page = shown(visitor, serve().url, bypass_csp=True)
    page.emulate_media(reduced_motion="reduce")
    page.get_by_role("region", name="Last minute").get_by_role("button", name=re.compile("^Errors")).click()
    expect(page.get_by_role("figure").filter(has_text="Errors, % of requests")).to_have_class("found")
    assert page.evaluate("document.getAnimations().length") == 0
