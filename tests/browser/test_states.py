"""Every state that is not "all is well": the page says which it is, and never that all is clear."""

import json
import re
from typing import Any

import pytest
from playwright.sync_api import expect

from barograph_console.ingest.rows import Defaults, read_row
from tests.browser.conftest import ConsoleMaker, Visitor, allowed_ms, now_ms
from tests.browser.fake_console import Behaviour
from tests.browser.ranker import Ranker
from tests.browser.ranker_traffic import MINUTE_MS

pytestmark = pytest.mark.browser


def calm() -> Ranker:
    return Ranker(begun_ms=now_ms(), has_incident=False)


def test_before_any_answer_the_frame_stands_without_figures(visitor: Visitor, serve: ConsoleMaker) -> None:
    page = visitor.open(f"{serve(calm(), Behaviour(problem=(503, 'timeout'))).url}/?service=ranker")
    expect(page.get_by_role("region", name="Verdict")).not_to_contain_text("All clear")
    expect(page.get_by_role("region", name="Last minute").get_by_role("button", name="Requests –")).to_be_visible()


def test_the_first_run_says_what_to_do_and_opens_by_itself(visitor: Visitor, serve: ConsoleMaker) -> None:
    behaviour = Behaviour(is_empty=True)
    page = visitor.open(f"{serve(calm(), behaviour).url}/")
    expect(page.get_by_role("heading", name="Waiting for the first event")).to_be_visible()
    expect(page.get_by_role("listitem").filter(has_text="An alerter runs")).to_contain_text("●")
    curl = page.get_by_role("region", name="An event by curl").inner_text()
    assert "/api/v1/ingest --json" in curl
    assert read_row(json.loads(curl.split("'")[1]), Defaults(now_ms())).service == "my-api"
    behaviour.is_empty = False
    expect(page.get_by_role("region", name="Verdict")).to_contain_text("All clear. ranker serves")


def test_a_lost_socket_is_said_at_once_and_the_verdict_goes_neutral(visitor: Visitor, serve: ConsoleMaker) -> None:
    console = serve(calm())
    page = visitor.open(f"{console.url}/?service=ranker")
    expect(page.get_by_role("region", name="Verdict")).to_contain_text("All clear.")
    console.cut()
    expect(page.get_by_text(re.compile("^Reconnecting"))).to_be_visible(timeout=allowed_ms(1_000))
    expect(page.get_by_role("region", name="Verdict")).to_contain_text(
        re.compile(r"^No news since \d\d:\d\d:\d\d\. Below is how it was then\."), timeout=allowed_ms(7_000)
    )
    console.behaviour.is_deaf = False
    expect(page.get_by_text(re.compile("^Live, "))).to_be_visible()
    expect(page.get_by_role("region", name="Verdict")).to_contain_text("All clear.")


def test_figures_that_stop_are_old_within_six_seconds(visitor: Visitor, serve: ConsoleMaker) -> None:
    behaviour = Behaviour()
    page = visitor.open(f"{serve(calm(), behaviour).url}/?service=ranker")
    expect(page.get_by_role("region", name="Verdict")).to_contain_text("All clear.")
    behaviour.has_stopped = now_ms()
    expect(page.get_by_role("region", name="Verdict")).to_contain_text("No news since", timeout=allowed_ms(7_500))
    expect(page.get_by_text(re.compile(r"^Figures are \d+\ss old: no aggregator reports$"))).to_be_visible()


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("out_of_memory", "The server is out of memory and refuses writes"),
        ("read_only", "The server is a read-only replica"),
        ("loading", "The server is still loading its data"),
        ("no_library", "The function library is not loaded on the server: run barograph install."),
    ],
)
def test_what_the_server_refuses_is_the_verdict(
    visitor: Visitor, serve: ConsoleMaker, code: str, sentence: str
) -> None:
    page = visitor.open(f"{serve(calm(), Behaviour(problem=(503, code))).url}/?service=ranker")
    expect(page.get_by_role("region", name="Verdict")).to_contain_text(sentence)


def test_a_question_that_fails_leaves_the_last_figures_and_a_retry(visitor: Visitor, serve: ConsoleMaker) -> None:
    behaviour = Behaviour()
    page = visitor.open(f"{serve(calm(), behaviour).url}/?service=ranker")
    expect(page.get_by_role("region", name="Verdict")).to_contain_text("All clear.")
    behaviour.problem = (500, "internal_error")
    page.get_by_role("button", name="15m").click()
    expect(page.get_by_text("Could not be read (not now), trying again.")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile(r"^Requests 1[12],\d{3}"))).to_be_visible()
    behaviour.problem = None
    page.get_by_role("button", name="Retry").click()
    expect(page.get_by_text("Could not be read")).to_be_hidden()


@pytest.mark.parametrize("path", ["alerts/history", "deliveries"])
def test_a_timeline_that_cannot_be_read_says_so_and_the_rest_goes_on(
    visitor: Visitor, serve: ConsoleMaker, path: str
) -> None:
    behaviour = Behaviour(failing={path})
    page = visitor.open(f"{serve(calm(), behaviour).url}/?service=ranker")
    timeline = page.get_by_role("region", name="Timeline")
    expect(timeline).to_contain_text("Could not be read (not now).")
    expect(page.get_by_role("region", name="Verdict")).to_contain_text("All clear.")
    behaviour.failing.clear()
    timeline.get_by_role("button", name="Retry").click()
    expect(timeline.get_by_text("Could not be read")).to_have_count(0)
    expect(timeline.get_by_role("listitem").filter(has_text="slow-responses resolved")).to_be_visible()


def test_a_range_before_everything_leads_to_the_earliest(visitor: Visitor, serve: ConsoleMaker) -> None:
    page = visitor.open(f"{serve(calm()).url}/?service=ranker&from=2026-01-01T00:00:00Z&to=2026-01-01T00:30:00Z")
    expect(page.get_by_text(re.compile(r"^Nothing is kept before .*\d\d:\d\d\.$"))).to_be_visible()
    page.get_by_role("button", name="Go there").click()
    expect(page.get_by_text("Nothing is kept before")).to_be_hidden()


def test_without_a_canvas_there_is_the_table(visitor: Visitor, serve: ConsoleMaker) -> None:
    page = visitor.open(
        f"{serve(calm()).url}/?service=ranker", first="HTMLCanvasElement.prototype.getContext = () => null;"
    )
    expect(page.get_by_text("The browser refuses to draw: the table has the same figures.")).to_be_visible()
    expect(page.get_by_role("table", name="Traffic, errors and duration by time").get_by_role("row")).to_have_count(121)
    expect(page.get_by_role("region", name="Verdict")).to_contain_text("All clear.")


def test_signing_in_keeps_the_place(visitor: Visitor, serve: ConsoleMaker) -> None:
    page = visitor.open(f"{serve(calm(), Behaviour(wants_token=True)).url}/?service=ranker&range=6h")
    dialog = page.get_by_role("dialog", name="Sign in")
    dialog.get_by_label("Token").fill("baro_wrong")
    dialog.get_by_role("button", name="Sign in").click()
    expect(dialog.get_by_role("alert")).to_have_text("This token is not valid.")
    dialog.get_by_label("Token").fill("baro_right")
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("region", name="Verdict")).to_contain_text("All clear.")
    expect(page).to_have_url(re.compile("range=6h"))


def test_an_unknown_service_is_named(visitor: Visitor, serve: ConsoleMaker) -> None:
    page = visitor.open(f"{serve(calm()).url}/?service=nope")
    expect(page.get_by_role("region", name="Verdict")).to_contain_text("There is no service nope.")


def test_an_action_that_comes_too_late_says_so(visitor: Visitor, serve: ConsoleMaker) -> None:
    ranker = Ranker(begun_ms=now_ms())
    page = visitor.open(f"{serve(ranker).url}/?service=ranker")
    page.get_by_role("region", name="Alerts").get_by_role("button", name="Why").click()
    page.get_by_role("dialog", name="Alert").get_by_role("button", name="Resolve").click()
    ranker.resolved.add("9f2c41aa07be5d13")
    page.get_by_role("dialog", name="Resolve").get_by_role("button", name="Resolve").click()
    expect(page.get_by_text("Not resolved: it is not active any more.")).to_be_visible()


def test_a_gap_is_no_zero(visitor: Visitor, serve: ConsoleMaker) -> None:
    begun = now_ms()
    ranker = Ranker(begun_ms=begun, has_incident=False, gap=(begun - 20 * MINUTE_MS, begun - 10 * MINUTE_MS))
    page = visitor.open(f"{serve(ranker).url}/?service=ranker&table=1")
    expect(page.get_by_role("row", name=re.compile(r"^\d\d:\d\d:\d\d – – – – – – 2$")).first).to_be_visible()


def test_cards_that_stop_are_old_within_six_seconds(visitor: Visitor, serve: ConsoleMaker) -> None:
    """All services calm, and no aggregator: nothing of it is known any more."""
    behaviour = Behaviour()
    page = visitor.open(f"{serve(calm(), behaviour, is_single=False).url}/")
    verdict = page.get_by_role("region", name="Verdict")
    expect(verdict).to_contain_text("No alert fires.")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    behaviour.has_stopped = now_ms()
    expect(verdict).to_contain_text(re.compile(r"^No news since \d\d:\d\d:\d\d\."), timeout=allowed_ms(7_500))
    expect(page.get_by_text(re.compile(r"^Figures are \d+\ss old: no aggregator reports$"))).to_be_visible()


def test_several_services_are_cards_worst_first(visitor: Visitor, serve: ConsoleMaker) -> None:
    page = visitor.open(f"{serve(is_single=False).url}/")
    expect(page.get_by_role("region", name="Verdict")).to_contain_text(
        re.compile(
            r"1 of 6 services has an error firing: ranker, POST /predict: 13\.1 % errors for 1[01]\smin\."
            r" search has a warning\."
        )
    )
    cards = page.get_by_role("region", name="Services").get_by_role("heading", level=2)
    expect(cards).to_have_text(
        ["ranker", "search", "embeddings", "checkout-fraud", "moderation", "batch-scorer", "barograph"]
    )
    page.get_by_role("link", name="ranker", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("ranker")
    page.keyboard.press("g")
    page.keyboard.press("s")
    expect(cards.first).to_be_visible()


def test_rules_whose_file_is_refused_are_named_with_the_mistake(
    visitor: Visitor, serve: ConsoleMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has changed a rule and sees no effect looks here; the line goes when the file is mended."""
    console = serve(calm())
    pipeline, problems = console.ranker.pipeline, ["barograph.toml:7: rule[1].when: 'eror_rate' is not known"]

    def refused(now_ms: int) -> dict[str, Any]:
        return {**pipeline(now_ms), "config_problem": "".join(problems)}

    monkeypatch.setattr(console.ranker, "pipeline", refused)
    page = visitor.open(f"{console.url}/?service=ranker")
    panel = page.get_by_role("region", name="Pipeline")
    said = panel.get_by_text("Rules are as before: a changed configuration file is refused. barograph.toml:7: rule[1]")
    expect(said).to_be_visible()
    expect(panel.get_by_role("listitem").filter(has_text="Alerter")).to_contain_text("degraded")
    problems.clear()
    expect(said).to_be_hidden()
    expect(panel.get_by_role("listitem").filter(has_text="Alerter")).not_to_contain_text("degraded")
