"""What a person sees on the page of one service, and does about an alert."""

import re
import time
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import ConsoleMaker, Visitor, allowed_ms, now_ms, slowness
from tests.browser.fake_console import Behaviour
from tests.browser.opening import opened, region
from tests.browser.ranker import Ranker
from tests.browser.ranker_incident import ALERT_ID

pytestmark = pytest.mark.browser


def test_the_page_is_live_within_two_seconds(visitor: Visitor, serve: ConsoleMaker) -> None:
    """The best of five, in seconds of free processors: other tests run on the same ones."""
    console = serve()
    took_s: list[float] = []
    for _ in range(5):
        busy = slowness()
        page = visitor.open(f"{console.url}/static/mark-ok.svg")
        began = time.monotonic()
        page.goto(f"{console.url}/?service=ranker")
        expect(page.get_by_text(re.compile("^Live, "))).to_be_visible()
        took_s.append((time.monotonic() - began) / max(busy, slowness()))
        expect(page).to_have_title("(2) ranker · barograph")
        expect(page.get_by_role("heading", level=1)).to_have_text("ranker")
    assert min(took_s) <= 2


def test_the_verdict_names_route_release_and_contributor(visitor: Visitor, serve: ConsoleMaker) -> None:
    page = opened(visitor, serve())
    verdict = region(page, "Verdict")
    expect(verdict).to_contain_text(re.compile(r"^POST /predict: 13\.1 % errors for 1[01]\smin, since"))
    expect(verdict).to_contain_text("10 min after release ctr 8; 96 % from model version 8. 1 more firing.")
    expect(page.get_by_role("status").first).to_contain_text("POST /predict: 13.1 % errors")


def test_a_calm_service_is_all_clear_with_its_figures(visitor: Visitor, serve: ConsoleMaker) -> None:
    page = opened(visitor, serve(Ranker(begun_ms=now_ms(), has_incident=False)))
    expect(region(page, "Verdict")).to_contain_text(
        re.compile(r"All clear\. ranker serves 1[12],\d{3} requests a minute, 0\.\d\d\s% of them errors; p95 \d+\sms\.")
    )
    quiet = re.compile(
        r"Nothing is firing\.14 rules watch ranker\. Last alert: slow-responses, (39|40)\smin ago, for 2\smin\."
    )
    expect(region(page, "Alerts")).to_contain_text(quiet)


def test_figures_stand_beside_the_day_before(visitor: Visitor, serve: ConsoleMaker) -> None:
    page = opened(visitor, serve())
    minute = region(page, "Last minute")
    # The fixture's figures vary around those of the day before.
    requests = re.compile(r"^Requests 1[12],\d{3}.min (as|[+−]\d % on) a day before$")
    errors = re.compile(r"^Errors \d+\.\d % \d+(\.\d)?× a day before$")
    expect(minute.get_by_role("button", name=requests)).to_be_visible()
    expect(minute.get_by_role("button", name=errors)).to_be_visible()
    expect(minute.get_by_role("button", name=re.compile(r"^Alerts firing 2"))).to_be_visible()


def test_a_service_that_has_just_begun_shows_requests_per_minute(visitor: Visitor, serve: ConsoleMaker) -> None:
    """Half a minute of 12,000 requests is twice as many a minute, in the strip of figures and in the table."""
    page = opened(visitor, serve(Ranker(begun_ms=now_ms(), covered_ms=30_000)))
    requests = region(page, "Last minute").get_by_role("button", name=re.compile(r"^Requests 2[2-5],\d{3}.min"))
    expect(requests).to_be_visible()
    busiest = region(page, "Endpoints").get_by_role("row").nth(1)
    expect(busiest).to_contain_text(re.compile(r"predict([89]|1[0-2]),\d{3}"))


def test_a_model_without_confidences_has_no_place_for_them(visitor: Visitor, serve: ConsoleMaker) -> None:
    class Regression(Ranker):
        def models(self) -> list[dict[str, Any]]:
            return [{**row, "confidence": None, "hist": None} for row in super().models()]

    page = opened(visitor, serve(Regression(begun_ms=now_ms())))
    models = region(page, "Models")
    expect(models.get_by_text("MAE").first).to_be_visible()
    assert [one for one in models.get_by_text("confidence").all() if one.is_visible()] == []
    page = opened(visitor, serve())
    expect(region(page, "Models").get_by_text("confidence").first).to_be_visible()


def test_models_show_their_failures(visitor: Visitor, serve: ConsoleMaker) -> None:
    models = region(opened(visitor, serve()), "Models")
    expect(models.get_by_role("listitem").nth(1)).to_contain_text(re.compile(r"errors1\.2\s%12× of 7"))


def test_a_phone_shows_the_errors_of_each_endpoint_whole(visitor: Visitor, serve: ConsoleMaker) -> None:
    """The rest comes by sideways scrolling; a per cent sign cut in half looks like a fault."""
    endpoints = region(opened(visitor, serve(), width=390), "Endpoints")
    card, head = endpoints.bounding_box(), endpoints.get_by_role("columnheader", name="Errors").bounding_box()
    assert card is not None
    assert head is not None
    assert head["x"] + head["width"] <= card["x"] + card["width"]


def test_a_new_alert_is_shown_and_announced_at_once(visitor: Visitor, serve: ConsoleMaker) -> None:
    console = serve(Ranker(begun_ms=now_ms(), has_incident=False))
    page = opened(visitor, console)
    row = Ranker(begun_ms=now_ms()).alerts()[0]
    console.say({"type": "alert", "entry_id": "1-0", "alert": row, "change": {"from": "pending", "to": "firing"}})
    expect(page.get_by_role("status").first).to_contain_text("POST /predict: 13.1 % errors", timeout=allowed_ms(1_000))
    expect(region(page, "Alerts").get_by_role("heading", level=3)).to_have_text("POST /predict: 13.1 % errors")
    expect(page).to_have_title("(1) ranker · barograph")


def resolve(page: Page) -> None:
    """Ask to resolve the worst alert: its drawer has the button."""
    region(page, "Alerts").get_by_role("button", name="Why").click()
    page.get_by_role("dialog", name="Alert").get_by_role("button", name="Resolve").click()


def test_an_alert_is_resolved_after_one_question(visitor: Visitor, serve: ConsoleMaker) -> None:
    console = serve()
    page = opened(visitor, console)
    resolve(page)
    page.get_by_role("dialog", name="Resolve").get_by_role("button", name="Resolve").click()
    expect(page.get_by_text("high-error-rate is resolved.")).to_be_visible()
    expect(region(page, "Verdict")).to_contain_text("ctr 8: mean absolute error 16.9")
    assert console.behaviour.posted == [f"alerts/{ALERT_ID}/resolve"]


def test_cancel_resolves_nothing(visitor: Visitor, serve: ConsoleMaker) -> None:
    console = serve()
    page = opened(visitor, console)
    resolve(page)
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("dialog", name="Resolve")).to_have_count(0)
    assert console.behaviour.posted == []


def test_whoever_may_only_read_gets_no_buttons_that_change(visitor: Visitor, serve: ConsoleMaker) -> None:
    page = opened(visitor, serve(behaviour=Behaviour(role="read")))
    expect(page.get_by_text("mira, Read only")).to_be_visible()
    expect(page.get_by_role("button", name="Why")).to_be_visible()
    changing = re.compile("^(Acknowledge|Resolve)$")
    expect(page.get_by_role("button", name=changing)).to_have_count(0)
    page.get_by_role("button", name="Why").click()
    expect(page.get_by_role("dialog", name="Alert").get_by_role("button", name="Copy link")).to_be_visible()
    expect(page.get_by_role("button", name=changing)).to_have_count(0)


def test_the_drawer_opens_by_its_url_and_gives_the_focus_back(visitor: Visitor, serve: ConsoleMaker) -> None:
    console = serve()
    page = opened(visitor, console, f"&alert={ALERT_ID}")
    drawer = page.get_by_role("dialog", name="Alert")
    expect(drawer).to_contain_text(
        "error_rate 0.131 > 0.05 and count 812 >= 20 over 10 s; clears when error_rate < 0.03"
    )
    expect(drawer).to_contain_text("bad weights, rolled back")
    done = drawer.get_by_role("listitem").filter(has_text="after")
    expect(done).to_have_text(
        [re.compile(r"^2\smin after deploy api 2\.15, by ci More$"), re.compile("^10.min after config pool 20$")]
    )
    expect(done.get_by_role("link")).to_have_attribute("href", "https://ci.example/2")
    expect(drawer.get_by_role("link", name="Runbook")).to_have_attribute("rel", "noreferrer noopener")
    page.keyboard.press("Escape")
    expect(drawer).to_have_count(0)
    expect(page).not_to_have_url(re.compile("alert="))
    why = page.get_by_role("button", name="Why")
    why.click()
    expect(page).to_have_url(re.compile(f"alert={ALERT_ID}"))
    page.get_by_role("button", name="Close").click()
    expect(why).to_be_focused()


def test_a_wall_has_no_controls(visitor: Visitor, serve: ConsoleMaker) -> None:
    page = opened(visitor, serve(), "&view=wall")
    expect(region(page, "Verdict")).to_contain_text("13.1 % errors")
    expect(page.get_by_role("banner").get_by_role("button")).to_have_count(0)
    page.keyboard.press("w")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_phone_does_not_scroll_sideways(visitor: Visitor, serve: ConsoleMaker) -> None:
    page = visitor.open(f"{serve().url}/?service=ranker", width=390, height=844, bypass_csp=True)
    expect(page.get_by_text(re.compile("^Live, "))).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_zoomed_to_400_percent_nothing_scrolls_sideways(visitor: Visitor, serve: ConsoleMaker) -> None:
    page = visitor.open(f"{serve().url}/?service=ranker", width=320, height=256, bypass_csp=True)
    expect(page.get_by_text(re.compile("^Live, "))).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 320
