"""Names and numbers that a stranger chose: they are text, they are cut, and they do not slow the page down."""

import re
import time
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import ConsoleMaker, Visitor, now_ms, slowness
from tests.browser.fake_console import Behaviour
from tests.browser.ranker import Ranker
from tests.support import wait_until

pytestmark = pytest.mark.browser

SCRIPT = "/<script>alert(1)</script><img src=x onerror=alert(2)>"
# A right-to-left override turns what follows around, unless it is taken out or kept in.
TURNED = "/pay\u202egnp.exe"
HUGE = "/" + "a" * 65_536


def hostile_routes() -> tuple[tuple[str, str, float, float], ...]:
    names = [SCRIPT, TURNED, HUGE, "/🦀/شراء", "/__proto__", "/constructor"]
    return tuple(("GET", name, 0.5 / len(names), 20.0) for name in names)


def alert(number: int, **changes: Any) -> dict[str, Any]:
    row = Ranker(begun_ms=now_ms()).alerts()[0]
    return {
        **row,
        "id": f"{number:016x}",
        "summary": f"alert {number}",
        "rule": f"rule-{number % 7}",
        "contributors": [],
        **changes,
    }


MANY = tuple(("GET", f"/route/{i:04}", 0.001, 20.0) for i in range(1_000))


@dataclass
class ManyRoutes(Ranker):
    """Works out its thousand routes once: the page is under test, and not the fake."""

    def __post_init__(self) -> None:
        self._rows = super().endpoint_rows(self.begun_ms)
        self._spark = super().spark(self.begun_ms)

    def endpoint_rows(self, now_ms: int) -> list[list[Any]]:
        del now_ms
        return self._rows

    def spark(self, now_ms: int) -> dict[str, Any]:
        del now_ms
        return self._spark


def test_names_are_text(visitor: Visitor, serve: ConsoleMaker) -> None:
    ranker = Ranker(begun_ms=now_ms(), routes=hostile_routes(), has_incident=False)
    ranker.extra_alerts = [
        alert(1, summary=SCRIPT, labels={"__proto__": "x", "route": TURNED}, runbook="javascript:alert(3)")
    ]
    page = visitor.open(f"{serve(ranker).url}/?service=ranker")
    expect(page.get_by_role("region", name="Verdict")).to_contain_text("/<script>alert(1)</script>")
    rows = page.get_by_role("rowheader")
    expect(rows.filter(has_text="<script>")).to_have_count(1)
    expect(rows.filter(has_text="/pay\ufffdgnp.exe")).to_have_count(1)
    expect(rows.filter(has_text=re.compile("^GET/a{60,}…$"))).to_have_count(1)
    page.get_by_role("button", name="Why").click()
    expect(page.get_by_role("dialog", name="Alert")).to_contain_text("__proto__ x")
    expect(page.get_by_role("link", name="Runbook")).to_have_count(0)


def test_a_service_may_be_called_proto(visitor: Visitor, serve: ConsoleMaker) -> None:
    page = visitor.open(
        f"{serve(Ranker(begun_ms=now_ms(), service='__proto__', has_incident=False)).url}/?service=__proto__"
    )
    expect(page.get_by_role("region", name="Verdict")).to_contain_text("All clear. __proto__ serves")


def test_a_thousand_routes_are_shown_and_found(visitor: Visitor, serve: ConsoleMaker) -> None:
    ranker = ManyRoutes(begun_ms=now_ms(), routes=MANY, has_incident=False)
    page = visitor.open(f"{serve(ranker).url}/?service=ranker")
    expect(page.get_by_role("button", name="Show the busiest 500 of 1,000")).to_be_visible()
    expect(page.get_by_role("rowheader").filter(has_text="/route/")).to_have_count(100)
    page.get_by_role("searchbox", name="Filter endpoints").fill("0499")
    expect(page.get_by_role("rowheader").filter(has_text="/route/")).to_have_text(["GET/route/0499"])
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Show the busiest 500 of 1,000").click()
    expect(page.get_by_role("rowheader").filter(has_text="/route/")).to_have_count(500)


def test_endpoints_that_cannot_be_read_leave_those_that_are_shown(visitor: Visitor, serve: ConsoleMaker) -> None:
    behaviour = Behaviour(failing={"endpoints"})
    ranker = ManyRoutes(begun_ms=now_ms(), routes=MANY, has_incident=False)
    page = visitor.open(f"{serve(ranker, behaviour).url}/?service=ranker")
    page.get_by_role("button", name="Show the busiest 500 of 1,000").click()
    endpoints = page.get_by_role("region", name="Endpoints", exact=True)
    expect(endpoints).to_contain_text("Could not be read (not now).")
    expect(endpoints.get_by_role("rowheader")).to_have_count(100)
    asked = behaviour.asked.count("GET endpoints")
    endpoints.get_by_role("button", name="Retry").click()
    wait_until(lambda: behaviour.asked.count("GET endpoints") > asked, what="another question")
    # The page asks again by itself too, so the button may be gone as soon as an answer can come.
    behaviour.failing.clear()
    expect(endpoints.get_by_role("rowheader")).to_have_count(500)
    expect(endpoints.get_by_text("Could not be read")).to_have_count(0)


def test_six_thousand_alerts_are_grouped_by_rule(visitor: Visitor, serve: ConsoleMaker) -> None:
    ranker = Ranker(begun_ms=now_ms(), has_incident=False)
    ranker.extra_alerts = [alert(number) for number in range(6_000)]
    busy = slowness()
    began = time.monotonic()
    page = visitor.open(f"{serve(ranker).url}/?service=ranker")
    alerts = page.get_by_role("region", name="Alerts")
    expect(alerts).to_contain_text("6000 firing")
    assert (time.monotonic() - began) / max(busy, slowness()) < 5
    groups = alerts.get_by_role("button", name=re.compile(r"^error rule-\d 85[78] firing$"))
    expect(groups).to_have_count(7)
    groups.first.click()
    expect(alerts.get_by_role("heading", level=3)).to_have_count(50)
    expect(page.get_by_role("region", name="Verdict")).to_contain_text("5999 more firing.")
