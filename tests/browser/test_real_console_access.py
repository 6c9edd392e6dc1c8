"""Who may do what on the page: tokens made by the command, on a console that asks everyone for one."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from barograph_core.keyspace.keys import ShardKeys
from tests.browser.conftest import Visitor, allowed_ms
from tests.browser.real_pipeline import load, pipeline_of
from tests.integration.console.test_access import create

pytestmark = pytest.mark.browser


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
