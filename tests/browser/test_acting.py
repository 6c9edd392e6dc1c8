"""What a person does to an alert: at once on the page, once at the console, taken back with words when it fails."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import ConsoleMaker, Visitor, allowed_ms
from tests.browser.fake_console import Behaviour
from tests.browser.opening import opened, region
from tests.browser.ranker_incident import ALERT_ID

pytestmark = pytest.mark.browser
ACKED = "acknowledged by mira"


def take(page: Page) -> None:
    region(page, "Alerts").get_by_role("button", name="Acknowledge").click()


def test_an_alert_is_acknowledged_and_that_is_undone(visitor: Visitor, serve: ConsoleMaker) -> None:
    console = serve()
    page = opened(visitor, console)
    take(page)
    expect(region(page, "Alerts").get_by_text(ACKED)).to_be_visible()
    expect(region(page, "Verdict")).to_contain_text("ctr 8: mean absolute error 16.9")
    expect(page.get_by_text("You look after high-error-rate.")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(region(page, "Alerts").get_by_text(ACKED)).to_be_hidden()
    expect(region(page, "Verdict")).to_contain_text("POST /predict: 13.1 % errors")
    assert console.behaviour.posted == [f"alerts/{ALERT_ID}/ack", f"alerts/{ALERT_ID}/unack"]


def test_keys_acknowledge_and_undo(visitor: Visitor, serve: ConsoleMaker) -> None:
    page = opened(visitor, serve())
    page.keyboard.press("a")
    expect(region(page, "Alerts").get_by_text(ACKED)).to_be_visible()
    expect(page.get_by_role("button", name="Undo")).to_be_visible()
    page.keyboard.press("u")
    expect(region(page, "Alerts").get_by_text(ACKED)).to_be_hidden()


def test_what_one_does_the_other_sees(visitor: Visitor, serve: ConsoleMaker) -> None:
    console = serve()
    one, other = opened(visitor, console), opened(visitor, console)
    take(one)
    expect(region(other, "Alerts").get_by_text(ACKED)).to_be_visible(timeout=allowed_ms(2_000))


def test_who_comes_second_is_told_who_was_first_and_the_page_shows_it(visitor: Visitor, serve: ConsoleMaker) -> None:
    console = serve()
    page = opened(visitor, console)
    console.ranker.acked[ALERT_ID] = {"actor": "tom", "at_ms": 0, "until_ms": None, "note": ""}
    take(page)
    expect(page.get_by_text("Not acknowledged: tom looks after it already.")).to_be_visible()
    expect(region(page, "Alerts").get_by_text(ACKED)).to_be_hidden()


def test_a_lost_answer_is_asked_for_again_with_the_same_key(visitor: Visitor, serve: ConsoleMaker) -> None:
    console = serve()
    page = opened(visitor, console)
    keys: list[str] = []

    def lose_the_first(route: Route) -> None:
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) == 1:
            route.abort()
        else:
            route.continue_()

    page.route("**/ack", lose_the_first)
    take(page)
    expect(page.get_by_text("You look after high-error-rate.")).to_be_visible(timeout=allowed_ms(5_000))
    assert keys == [console.behaviour.keys[0]] * 2


def test_the_open_drawer_shows_what_was_done_and_offers_undo(visitor: Visitor, serve: ConsoleMaker) -> None:
    page = opened(visitor, serve())
    region(page, "Alerts").get_by_role("button", name="Why").click()
    drawer = page.get_by_role("dialog", name="Alert")
    drawer.get_by_role("button", name="Acknowledge").click()
    expect(drawer.get_by_role("button", name="Take back")).to_be_visible()
    expect(drawer.get_by_role("button", name="Acknowledge")).to_have_count(0)
    drawer.get_by_role("button", name="Undo").click()
    expect(drawer.get_by_role("button", name="Acknowledge")).to_be_visible()


def test_where_no_token_is_set_the_page_asks_once_for_a_name(visitor: Visitor, serve: ConsoleMaker) -> None:
    console = serve(behaviour=Behaviour(name=""))
    page = opened(visitor, console)
    take(page)
    asked = page.get_by_role("dialog", name="Your name")
    asked.get_by_label("Your name").fill("lena")
    page.keyboard.press("Enter")
    expect(region(page, "Alerts").get_by_text("acknowledged by lena")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(region(page, "Alerts").get_by_text("acknowledged by lena")).to_be_hidden()
    expect(region(page, "Alerts").get_by_role("button", name="Acknowledge")).to_be_visible()
    take(page)
    expect(region(page, "Alerts").get_by_text("acknowledged by lena")).to_be_visible()
    expect(asked).to_have_count(0)


def test_an_alert_is_silenced_in_one_click_and_that_is_undone(visitor: Visitor, serve: ConsoleMaker) -> None:
    console = serve()
    page = opened(visitor, console)
    alerts = region(page, "Alerts")
    alerts.get_by_role("button", name="Silence 1 h").click()
    expect(page.get_by_text("high-error-rate is silenced for 1 h.")).to_be_visible()
    expect(alerts.get_by_text(re.compile(r"alertname=high-error-rate.* left, by mira"))).to_be_visible()
    expect(region(page, "Verdict")).to_contain_text("ctr 8: mean absolute error 16.9")
    asked = console.ranker.silenced[0]["matchers"]
    assert asked == ["alertname=high-error-rate", "service=ranker", "route=/predict", "method=POST"]
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("The silence is over.")).to_be_visible()
    expect(region(page, "Verdict")).to_contain_text("POST /predict: 13.1 % errors")
    assert console.ranker.silenced == []


def test_the_drawer_shows_what_a_silence_would_mute_and_takes_span_and_reason(
    visitor: Visitor, serve: ConsoleMaker
) -> None:
    console = serve()
    page = opened(visitor, console)
    region(page, "Alerts").get_by_role("button", name="Why").click()
    drawer = page.get_by_role("dialog", name="Alert")
    expect(drawer.get_by_text("Mutes 1 alert now.")).to_be_visible()
    drawer.get_by_label("How long").select_option("until resolved")
    drawer.get_by_label("Why", exact=True).fill("rollback runs")
    drawer.get_by_role("button", name="Silence", exact=True).click()
    expect(drawer.get_by_text("high-error-rate is silenced until it is resolved.")).to_be_visible()
    assert (console.ranker.silenced[0]["comment"], console.ranker.silenced[0]["ends_at_ms"]) == ("rollback runs", None)
    page.keyboard.press("Escape")
    silences = region(page, "Alerts").get_by_role("listitem").filter(has_text="until resolved, by mira: rollback runs")
    silences.get_by_role("button", name="End").click()
    expect(silences).to_have_count(0)
    assert console.ranker.silenced == []


def test_a_silence_that_is_refused_is_taken_back_with_words(visitor: Visitor, serve: ConsoleMaker) -> None:
    console = serve()
    page = opened(visitor, console)
    answer = {"code": "too_many_silences", "detail": "there are 2,000 silences"}
    page.route("**/api/v1/silences", lambda route: route.fulfill(status=409, json=answer))
    page.keyboard.press("s")
    expect(page.get_by_text("Not silenced: there are 2,000 silences.")).to_be_visible()
    expect(region(page, "Verdict")).to_contain_text("POST /predict: 13.1 % errors")


def test_a_silence_and_its_end_appear_in_the_other_browser(visitor: Visitor, serve: ConsoleMaker) -> None:
    """Within a tick: nothing is read again for it, and the verdict follows."""
    console = serve()
    one, other = opened(visitor, console), opened(visitor, console)
    alerts = region(other, "Alerts")
    one.keyboard.press("s")
    muted = alerts.get_by_text(re.compile(r"alertname=high-error-rate.* left, by mira"))
    expect(muted).to_be_visible(timeout=allowed_ms(2_000))
    expect(region(other, "Verdict")).to_contain_text("ctr 8: mean absolute error 16.9")
    expect(region(other, "Timeline")).to_contain_text("silenced by mira")
    alerts.get_by_role("button", name="End").click()
    expect(region(one, "Alerts").get_by_role("button", name="End")).to_have_count(0, timeout=allowed_ms(2_000))
    expect(region(one, "Verdict")).to_contain_text("POST /predict: 13.1 % errors")


def test_what_is_resolved_leaves_the_other_browser(visitor: Visitor, serve: ConsoleMaker) -> None:
    console = serve()
    one, other = opened(visitor, console), opened(visitor, console)
    region(one, "Alerts").get_by_role("button", name="Why").click()
    one.get_by_role("dialog", name="Alert").get_by_role("button", name="Resolve").click()
    one.get_by_role("dialog", name="Resolve").get_by_role("button", name="Resolve").click()
    expect(region(other, "Verdict")).to_contain_text("ctr 8: mean absolute error 16.9", timeout=allowed_ms(2_000))
    assert console.behaviour.posted == [f"alerts/{ALERT_ID}/resolve"]


def test_an_action_without_a_session_asks_to_sign_in_and_changes_nothing(visitor: Visitor, serve: ConsoleMaker) -> None:
    """The session ended while the page was open."""
    console = serve()
    page = opened(visitor, console)
    page.route("**/ack", lambda route: route.fulfill(status=401, json={"code": "unauthorized", "detail": "sign in"}))
    take(page)
    expect(page.get_by_role("dialog", name="Sign in")).to_be_visible()
    expect(region(page, "Alerts").get_by_text(ACKED)).to_be_hidden()
    assert console.behaviour.posted == []


def test_the_drawer_tells_who_did_what_the_last_times(visitor: Visitor, serve: ConsoleMaker) -> None:
    page = opened(visitor, serve(), f"&alert={ALERT_ID}")
    drawer = page.get_by_role("dialog", name="Alert")
    expect(drawer.get_by_text("acknowledged by mira: looking")).to_be_visible()
    expect(drawer.get_by_text("resolved by tom: bad weights, rolled back")).to_be_visible()
    expect(drawer.get_by_text("for 4 min, nobody acted")).to_be_visible()


def test_a_pushed_alert_shows_what_the_other_program_says(
    visitor: Visitor, serve: ConsoleMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A silence names it as it was pushed; a source that is no page is no link."""
    console = serve()
    row = {**console.ranker.alerts()[0], "id": "ab" * 8, "rule": "ext/DiskFull", "severity": "critical", "why": ""}
    row |= {"labels": {"severity": "page"}, "summary": "/var is full", "runbook": "", "contributors": []}
    row["ends_at_ms"] = console.now_ms() + 240_000
    console.ranker.extra_alerts.append(row)
    said = {"annotations": {"description": "3 % left", "summary": "/var is full"}, "source_url": "http://prom:9090/g"}
    full: dict[str, Any] = {
        **row,
        **said,
        "why": None,
        "series": None,
        "log": [],
        "similar": [],
        "next_notification_ms": None,
    }

    def alert_in_full(alert_id: str, now_ms: int) -> dict[str, Any]:
        del alert_id, now_ms
        return full

    monkeypatch.setattr(console.ranker, "alert", alert_in_full)
    page = opened(visitor, console)
    page.keyboard.press("w")
    drawer = page.get_by_role("dialog", name="Alert")
    expect(
        drawer.get_by_text(re.compile("Pushed by another program, it ends .* unless it is pushed again"))
    ).to_be_visible()
    expect(drawer.get_by_text("3 % left")).to_be_visible()
    expect(drawer.get_by_role("link", name="Source")).to_have_attribute("href", "http://prom:9090/g")
    drawer.get_by_role("button", name="Silence", exact=True).click()
    expect(drawer.get_by_text(re.compile("DiskFull is silenced"))).to_be_visible()
    assert console.ranker.silenced[0]["matchers"] == ["alertname=DiskFull", "service=ranker", "severity=page"]


def test_a_channel_is_tried_and_shows_what_came_back(visitor: Visitor, serve: ConsoleMaker) -> None:
    console = serve()
    page = opened(visitor, console)
    region(page, "Pipeline").get_by_role("button", name="Channels").click()
    dialog = page.get_by_role("dialog", name="Channels")
    for name, said in (("slack", "End sent after 95 ms: http 200"), ("pager", "Begin refused after 148 ms: http 403")):
        dialog.get_by_role("row").filter(has_text=name).get_by_role("button", name="Send a test").click()
        expect(dialog.get_by_text(said)).to_be_visible()
    assert console.behaviour.posted == ["channels/slack/test", "channels/pager/test"]


def test_who_only_looks_sees_channels_without_a_test(visitor: Visitor, serve: ConsoleMaker) -> None:
    page = opened(visitor, serve(behaviour=Behaviour(role="read")))
    region(page, "Pipeline").get_by_role("button", name="Channels").click()
    dialog = page.get_by_role("dialog", name="Channels")
    expect(dialog.get_by_role("rowheader", name="slack")).to_be_visible()
    expect(dialog.get_by_role("button", name="Send a test")).to_have_count(0)
