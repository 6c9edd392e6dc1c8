"""How a person moves about: keys, spans, filters, and an address that holds it all."""

import re
from datetime import datetime

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import ConsoleMaker, Visitor, now_ms
from tests.browser.opening import opened, region
from tests.browser.ranker import Ranker
from tests.browser.ranker_incident import MAE_ID

pytestmark = pytest.mark.browser


def test_keys_walk_the_alerts(visitor: Visitor, serve: ConsoleMaker) -> None:
    page = opened(visitor, serve())
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("w")
    expect(page.get_by_role("dialog", name="Alert").get_by_role("heading", level=2)).to_have_text(
        "ctr 8: mean absolute error 16.9"
    )
    expect(page).to_have_url(re.compile(f"alert={MAE_ID}"))


def test_keys_can_be_switched_off(visitor: Visitor, serve: ConsoleMaker) -> None:
    page = opened(visitor, serve())
    page.keyboard.press("?")
    page.get_by_role("checkbox", name="Keys do this").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("d")
    expect(page.get_by_role("region", name="Figures by time")).to_have_count(0)


def test_a_click_on_a_route_narrows_the_page_to_it(visitor: Visitor, serve: ConsoleMaker) -> None:
    page = opened(visitor, serve())
    page.get_by_role("button", name="POST /rank").click()
    expect(page).to_have_url(re.compile(r"route=POST\+/rank"))
    requests = region(page, "Last minute").get_by_role("button", name=re.compile(r"^Requests 2,\d{3}.min"))
    expect(requests).to_be_visible()
    page.get_by_role("button", name="Show all routes").click()
    expect(requests).to_have_count(0)
    page.go_back()
    expect(requests).to_be_visible()


def test_endpoints_are_sorted_and_filtered(visitor: Visitor, serve: ConsoleMaker) -> None:
    page = opened(visitor, serve())
    table = page.get_by_role("table").filter(has=page.get_by_role("columnheader", name="Endpoint"))
    expect(table.get_by_role("rowheader").first).to_have_text("POST/predict")
    table.get_by_role("button", name="p95").click()
    expect(table.get_by_role("columnheader", name="p95")).to_have_attribute("aria-sort", "descending")
    expect(table.get_by_role("rowheader").first).to_have_text("GET/explain/{id}")
    expect(page).to_have_url(re.compile("sort=-p95"))
    page.keyboard.press("/")
    page.keyboard.type("feat")
    expect(table.get_by_role("rowheader")).to_have_text(["GET/features/{user_id}"])
    page.keyboard.press("Escape")
    expect(table.get_by_role("rowheader")).to_have_count(8)


def test_a_drag_zooms_and_now_comes_back(visitor: Visitor, serve: ConsoleMaker) -> None:
    page = opened(visitor, serve())
    drag(page)
    page.get_by_role("button", name="Zoom").click()
    expect(page).to_have_url(re.compile(r"from=2\d{3}-.*&to="))
    expect(page.get_by_text(re.compile(r"^Shows .*\d\d:\d\d to .*\d\d:\d\d"))).to_be_visible()
    page.get_by_role("button", name="Go live").click()
    expect(page.get_by_text(re.compile("^Live, "))).to_be_visible()
    expect(page).not_to_have_url(re.compile("from="))


def test_a_drag_asks_what_is_in_there(visitor: Visitor, serve: ConsoleMaker) -> None:
    page = opened(visitor, serve())
    drag(page)
    page.get_by_role("button", name="What is in here?").click()
    dialog = page.get_by_role("dialog", name="What is in here?")
    expect(dialog).to_contain_text("577 errors inside, 12 before.")
    expect(dialog.get_by_role("row", name="model version 8 96 % 8 %")).to_be_visible()


def drag(page: Page) -> None:
    strips = page.get_by_role("slider", name="Moment")
    # hover waits until the strips stand still and nothing covers them; a page that was just opened still moves.
    strips.hover(position={"x": 400, "y": 150})
    page.mouse.down()
    strips.hover(position={"x": 700, "y": 150})
    page.mouse.up()


def test_pause_holds_the_figures_while_alerts_arrive(visitor: Visitor, serve: ConsoleMaker) -> None:
    ranker = Ranker(begun_ms=now_ms(), has_incident=False)
    console = serve(ranker)
    page = opened(visitor, console)
    page.keyboard.press("Space")
    expect(page.get_by_text(re.compile(r"^Paused at \d\d:\d\d:\d\d"))).to_be_visible()
    before = page.get_by_role("slider", name="Moment").get_attribute("aria-valuetext")
    row = Ranker(begun_ms=now_ms()).alerts()[0]
    console.say({"type": "alert", "entry_id": "1-0", "alert": row, "change": {"from": "pending", "to": "firing"}})
    expect(page.get_by_role("button", name="Go live (1 new alert)")).to_be_visible()
    page.wait_for_timeout(2_200)
    assert page.get_by_role("slider", name="Moment").get_attribute("aria-valuetext") == before
    page.get_by_role("button", name="Go live (1 new alert)").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()


def test_arrow_keys_move_the_cursor_and_are_read_out(visitor: Visitor, serve: ConsoleMaker) -> None:
    page = opened(visitor, serve())
    # Held still: a new point would move the places of all others.
    page.keyboard.press("Space")
    slider = page.get_by_role("slider", name="Moment")
    slider.focus()
    page.keyboard.press("ArrowLeft")
    first = slider.get_attribute("aria-valuenow")
    page.keyboard.press("ArrowLeft")
    second = slider.get_attribute("aria-valuenow")
    assert first is not None
    assert second is not None
    assert int(second) == int(first) - 1
    expect(slider).to_have_attribute(
        "aria-valuetext", re.compile(r"^\d\d:\d\d:\d\d: requests a minute 1[12],\d{3}, .*p99 \d+")
    )


def test_the_table_holds_the_figures_of_the_charts(visitor: Visitor, serve: ConsoleMaker) -> None:
    page = opened(visitor, serve())
    slider = page.get_by_role("slider", name="Moment")
    slider.focus()
    for _ in range(5):
        page.keyboard.press("ArrowLeft")
    text = slider.get_attribute("aria-valuetext") or ""
    said = re.match(
        r"(\d\d:\d\d:\d\d): requests a minute ([\d,]+), .*5xx (\S+ %), 4xx (\S+ %),"
        r" p50 (\S+ \S+), p95 (\S+ \S+), p99 (\S+ \S+)$",
        text.replace("\N{NO-BREAK SPACE}", " "),
    )
    assert said, text
    page.keyboard.press("d")
    when, *figures = said.groups()
    name = " ".join([when, *figures, "0"])
    expect(page.get_by_role("row", name=name)).to_be_visible()
    expect(page).to_have_url(re.compile("table=1"))


def test_a_copied_link_shows_the_same_window_an_hour_later(visitor: Visitor, serve: ConsoleMaker) -> None:
    page = visitor.open(f"{serve().url}/?service=ranker&range=15m", bypass_csp=True)
    expect(page.get_by_text(re.compile("^Live, "))).to_be_visible()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_text("The link is copied: it shows this very window.")).to_be_visible()
    link: str = page.evaluate("navigator.clipboard.readText()")
    page.goto(link)
    expect(page.get_by_text(re.compile(r"^Shows .*\d\d:\d\d to .*\d\d:\d\d"))).to_be_visible()
    found = re.search(r"from=([^&]+)&to=([^&]+)", link)
    assert found
    begin, end = (datetime.fromisoformat(moment) for moment in found.groups())
    assert (end - begin).total_seconds() == 900


def test_a_theme_is_kept(visitor: Visitor, serve: ConsoleMaker) -> None:
    page = opened(visitor, serve())
    ground = page.locator("body")
    expect(ground).to_have_css("background-color", "rgb(246, 245, 241)")
    page.keyboard.press("t")
    expect(ground).to_have_css("background-color", "rgb(14, 17, 20)")
    page.reload()
    expect(ground).to_have_css("background-color", "rgb(14, 17, 20)")


def test_ranges_are_kept_in_the_history(visitor: Visitor, serve: ConsoleMaker) -> None:
    page = opened(visitor, serve())
    page.get_by_role("button", name="24h").click()
    expect(page.get_by_text(re.compile(r"^24h, one point is 1\smin"))).to_be_visible()
    page.keyboard.press("1")
    expect(page.get_by_text(re.compile(r"^5m, one point is 1\ss"))).to_be_visible()
    page.go_back()
    page.go_back()
    expect(page.get_by_text(re.compile(r"^1h, one point is 10\ss, Europe/Berlin"))).to_be_visible()


def test_wrong_parameters_fall_back_and_say_so(visitor: Visitor, serve: ConsoleMaker) -> None:
    page = opened(visitor, serve(), "&range=2h&theme=pink&nonsense=1")
    expect(page.get_by_text('range cannot be "2h"; theme cannot be "pink". The default is shown.')).to_be_visible()
    expect(page.get_by_role("button", name="1h", pressed=True)).to_be_visible()


def test_utc_is_named_and_used(visitor: Visitor, serve: ConsoleMaker) -> None:
    page = opened(visitor, serve(), "&tz=UTC")
    expect(page.get_by_text("1h, one point is 10 s, UTC")).to_be_visible()
