"""Objectives on the page: what is left of each budget, and the way to the alert that burns one."""

import re
from typing import Any

from playwright.sync_api import expect

from tests.browser.conftest import ConsoleMaker, Visitor, now_ms
from tests.browser.opening import opened, region
from tests.browser.ranker import Ranker


class Without(Ranker):
    """Nobody wrote an objective."""

    def slos(self) -> list[dict[str, Any]]:
        return []


class Many(Ranker):
    """A budget for each of thirty routes."""

    def slos(self) -> list[dict[str, Any]]:
        first = super().slos()[-1]
        return [{**first, "labels": {"route": f"/{number}"}, "alert": None} for number in range(30)]


def test_each_budget_says_what_is_left_how_fast_it_burns_and_when_it_is_gone(
    visitor: Visitor, serve: ConsoleMaker
) -> None:
    """In words, the worst first, with what a good event is."""
    page = opened(visitor, serve())
    panel = region(page, "Objectives")
    expect(panel).to_contain_text("2 of 3 on budget")
    rows = panel.get_by_role("listitem")
    expect(rows).to_have_count(3)
    expect(rows.nth(0)).to_contain_text("batch /predict/batch12 % over")
    expect(rows.nth(0)).to_contain_text("burns 1.3×; spent")
    expect(rows.nth(0)).to_contain_text("duration_ms < 750, counted at 752 over 30 d, 12 d of them so far")
    expect(rows.nth(1)).to_contain_text("burns 61×, limit 14.4×; gone in 2 h 6 min")
    expect(rows.nth(1)).to_contain_text("99.9 % with errors == 0 over 30 d: 33.8k of 41.2M events bad")
    expect(rows.nth(2)).to_contain_text("burns 0.4×; lasts the period")
    expect(rows.nth(2).get_by_role("img", name="on budget")).to_be_visible()


def test_an_objective_that_fires_leads_to_its_alert(visitor: Visitor, serve: ConsoleMaker) -> None:
    """The same drawer as from the list of alerts."""
    page = opened(visitor, serve())
    region(page, "Objectives").get_by_role("button", name="availability").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    expect(page).to_have_url(re.compile("alert=9f2c41aa07be5d13"))


def test_without_objectives_there_is_no_panel(visitor: Visitor, serve: ConsoleMaker) -> None:
    """Nobody is asked to look at nothing; neither where the question fails at first."""
    page = opened(visitor, serve(Without(begun_ms=now_ms())))
    expect(region(page, "Models").get_by_role("listitem").first).to_be_visible()
    expect(region(page, "Objectives")).to_be_hidden()


def test_what_the_panel_holds_stays_when_a_question_fails(visitor: Visitor, serve: ConsoleMaker) -> None:
    """With a line that says so, and a way to ask again."""
    console = serve()
    page = opened(visitor, console)
    panel = region(page, "Objectives")
    expect(panel.get_by_role("listitem")).to_have_count(3)
    console.behaviour.failing.add("slos")
    expect(panel).to_contain_text("Could not be read", timeout=30_000)
    expect(panel.get_by_role("listitem")).to_have_count(3)
    console.behaviour.failing.clear()
    panel.get_by_role("button", name="Retry").click()
    expect(panel).not_to_contain_text("Could not be read")


def test_of_many_budgets_the_least_are_shown(visitor: Visitor, serve: ConsoleMaker) -> None:
    """And how many have more."""
    page = opened(visitor, serve(Many(begun_ms=now_ms())))
    panel = region(page, "Objectives")
    expect(panel.get_by_role("listitem")).to_have_count(8)
    expect(panel).to_contain_text("22 more have more left")
