"""A page that stays open for a day holds what it held after a minute."""

import re
from pathlib import Path
from typing import cast

import pytest
from playwright.sync_api import Browser, CDPSession, expect

from tests.browser.conftest import ConsoleMaker
from tests.browser.fake_console import Behaviour
from tests.support import wait_until

pytestmark = pytest.mark.browser
FEW = 200
MANY = 20_000
MOST_GROWTH_BYTES = 2_000_000
FOLDING = (Path(__file__).parent / "scripts" / "fold_many.js").read_text()


def heap_bytes(devtools: CDPSession) -> int:
    devtools.send("HeapProfiler.collectGarbage")
    usage = cast("dict[str, float]", devtools.send("Runtime.getHeapUsage"))
    return int(usage["usedSize"])


def test_twenty_thousand_ticks_leave_the_heap_as_it_was(browser: Browser, serve: ConsoleMaker) -> None:
    """Each tick comes with new routes, a new version and an alert that fires and ends."""
    context = browser.new_context(bypass_csp=True)
    page = context.new_page()
    page.goto(f"{serve().url}/static/mark-ok.svg")
    devtools = context.new_cdp_session(page)
    page.evaluate(FOLDING, {"from": 1, "to": FEW + 1})
    before = heap_bytes(devtools)
    found = page.evaluate(FOLDING, {"from": FEW + 1, "to": MANY + 1})
    grown = heap_bytes(devtools) - before
    context.close()
    assert found == {"seq": 3 * MANY, "newest": MANY, "alerts": 0}
    assert grown < MOST_GROWTH_BYTES


def test_an_open_page_keeps_as_many_nodes_and_listeners(browser: Browser, serve: ConsoleMaker) -> None:
    """At up to 50 ticks a second: rows are changed and not made again."""
    behaviour = Behaviour(tick_s=0.02)
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{serve(behaviour=behaviour).url}/?service=ranker&range=5m")
    expect(page.get_by_text(re.compile("^Live, "))).to_be_visible()
    devtools = context.new_cdp_session(page)
    begun = behaviour.seq

    def held(ticks: int) -> tuple[int, int, int]:
        wait_until(lambda: behaviour.seq >= begun + ticks, timeout_s=120, what=f"{ticks} ticks")
        heap = heap_bytes(devtools)
        counters = cast("dict[str, int]", devtools.send("Memory.getDOMCounters"))
        return counters["nodes"], counters["jsEventListeners"], heap

    nodes, listeners, heap = held(FEW)
    more_nodes, more_listeners, more_heap = held(5 * FEW)
    context.close()
    assert more_nodes - nodes < 100
    assert more_listeners - listeners < 20
    assert more_heap - heap < MOST_GROWTH_BYTES
