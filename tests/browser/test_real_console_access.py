"""Who may do what on the page: tokens made by the command, on a console that asks everyone for one."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from barograph_cli.__main__ import main
from barograph_core.keyspace.keys import ShardKeys
from tests.browser.conftest import Visitor, allowed_ms
from tests.browser.real_pipeline import load, pipeline_of
from tests.integration.console.test_access import create

pytestmark = pytest.mark.browser


# What a page elsewhere can try: a form's content needs no permission, JSON does.
FORGERY = """async ([url, type]) => {
  const asked = { method: "POST", credentials: "include", headers: { "Content-Type": type }, body: '{"note":""}' };
  return await fetch(url, asked).then((answer) => String(answer.status), () => "refused");
}"""


def signed_in(visitor: Visitor, url: str, token: str) -> Page:
    page = visitor.open(url)
    dialog = page.get_by_role("dialog", name="Sign in")
    form = dialog.or_(page.get_by_role("main")).first
    form.get_by_label("Token").fill(token)
    form.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text(re.compile("^Live, "))).to_be_visible()
    return page


def test_a_read_token_only_looks_and_an_admin_token_resolves(
    visitor: Visitor, valkey_url: str, keys: ShardKeys, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The alert that an admin resolves leaves both pages."""
    pipeline = pipeline_of(valkey_url, keys, tmp_path)
    read, _ = create(capsys, pipeline.common, "--role", "read")
    admin, _ = create(capsys, pipeline.common, "--role", "admin")
    with pipeline.workers(), pipeline.console("--require-token"), pipeline.producer() as producer:
        url = f"{pipeline.base}/?service=ranker&range=5m"
        with load(producer, status=503):
            reader = signed_in(visitor, url, read)
            alert = reader.get_by_role("region", name="Alerts").get_by_role("heading", level=3)
            expect(alert).to_have_count(1)
            expect(reader.get_by_text("mira, Read only")).to_be_visible()
            expect(reader.get_by_role("button", name="Why")).to_be_visible()
            expect(reader.get_by_role("button", name="Acknowledge", exact=True)).to_have_count(0)
            page = signed_in(visitor, url, admin)
            expect(page.get_by_text("Read only")).to_have_count(0)
            page.get_by_role("region", name="Alerts").get_by_role("button", name="Acknowledge", exact=True).click()
            for one in (page, reader):
                told = one.get_by_role("region", name="Alerts").get_by_text("acknowledged by mira")
                expect(told).to_be_visible(timeout=allowed_ms(3_000))
            page.get_by_role("region", name="Alerts").get_by_role("heading", level=3).get_by_role("button").click()
            page.get_by_role("dialog", name="Alert").get_by_role("button", name="Resolve").click()
            page.get_by_role("dialog", name="Resolve").get_by_role("button", name="Resolve").click()
            expect(page.get_by_text("errors is resolved.")).to_be_visible()
            for one in (page, reader):
                quiet = one.get_by_role("region", name="Alerts")
                expect(quiet).to_contain_text("Nothing is firing.", timeout=allowed_ms(3_000))
                expect(quiet.get_by_role("heading", level=3)).to_have_count(0)


def test_two_people_a_foreign_page_and_a_session_that_ends(
    visitor: Visitor, valkey_url: str, keys: ShardKeys, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What one silences the other sees and ends; a page elsewhere can do nothing; a revoked token asks to sign in."""
    pipeline = pipeline_of(valkey_url, keys, tmp_path)
    admin, token_id = create(capsys, pipeline.common, "--role", "admin")
    with pipeline.workers(), pipeline.console("--require-token"), pipeline.producer() as producer:
        url = f"{pipeline.base}/?service=ranker&range=5m"
        with load(producer, status=503):
            one, other = signed_in(visitor, url, admin), signed_in(visitor, url, admin)
            expect(one.get_by_role("region", name="Alerts").get_by_role("heading", level=3)).to_have_count(1)
            one.keyboard.press("s")
            seen = other.get_by_role("region", name="Alerts")
            expect(seen.get_by_text(re.compile(r"alertname=.*left, by mira"))).to_be_visible(timeout=allowed_ms(3_000))
            expect(seen.get_by_role("button", name="Acknowledge")).to_have_count(0)
            seen.get_by_role("button", name="End").click()
            expect(one.get_by_role("region", name="Alerts").get_by_role("button", name="Acknowledge")).to_be_visible()
            alert_id = pipeline.ask("alerts", token=admin)["alerts"][0]["id"]
            stranger = visitor.open(f"http://localhost:{pipeline.port}/static/mark-ok.svg", bypass_csp=True)
            for kind in ("application/json", "text/plain"):
                target = f"{pipeline.base}/api/v1/alerts/{alert_id}/ack"
                assert stranger.evaluate(FORGERY, [target, kind]) in ("refused", "401", "403")
            # That it asked elsewhere, and what the browser says of that, is the point of this page.
            visitor.foreign.clear()
            visitor.said = [said for said in visitor.said if "Access-Control-Allow-Origin" not in said]
            assert pipeline.ask("alerts", token=admin)["alerts"][0]["ack"] is None
            assert main(["token", "revoke", token_id, *pipeline.common]) == 0
            expect(one.get_by_role("dialog", name="Sign in")).to_be_visible()
