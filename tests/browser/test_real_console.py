"""The page over a real pipeline: its figures are those of `/query`, and it says when a process behind it is gone."""

import contextlib
import re
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from barograph_core.keyspace.keys import ShardKeys
from tests.browser.conftest import ConsoleMaker, Visitor, allowed_ms
from tests.browser.real_pipeline import SERVICE, RealPipeline, load, pipeline_of
from tests.support import wait_until

pytestmark = pytest.mark.browser
LIVE = re.compile("^Live, ")
MINUTE_MS = 60_000
# Route, status, duration in ms and how many of them.
RECORDED = [
    ("/predict", 200, 20.0, 60),
    ("/predict", 503, 900.0, 7),
    ("/predict", 404, 5.0, 3),
    ("/embed", 200, 0.4, 25),
    ("/embed", 200, 2_500.0, 2),
]
FORMAT = """async ({ rows, covered_ms }) => {
  const f = await import("/static/js/words/format.js");
  return rows.map((row) => ({
    requests: f.count(f.perMinute(row.events, covered_ms)), errors: f.words(f.percent(row.error_rate)),
    p50: f.words(f.duration(row.p50)), p95: f.words(f.duration(row.p95)), p99: f.words(f.duration(row.p99)),
  }));
}"""
SECOND_MS = 1_000
STALE_S = 5


@pytest.fixture
def formatter(visitor: Visitor, serve: ConsoleMaker) -> Page:
    """Return a page that can import the page's modules one by one: a real console serves them joined."""
    return visitor.open(f"{serve().url}/static/mark-ok.svg", bypass_csp=True)


@pytest.fixture
def pipeline(valkey_url: str, keys: ShardKeys, tmp_path: Path) -> RealPipeline:
    return pipeline_of(valkey_url, keys, tmp_path)


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace("\N{NO-BREAK SPACE}", " ")).strip()


def formatted(formatter: Page, rows: list[dict[str, Any]], covered_ms: int) -> list[dict[str, str]]:
    """Write the figures of points as the page's own module writes them."""
    found = formatter.evaluate(FORMAT, {"rows": rows, "covered_ms": covered_ms})
    return [{name: plain(text) for name, text in row.items()} for row in found]


def eventually_equal(agree: Callable[[], bool], seen: list[Any]) -> None:
    """Wait until the page shows what the query gives, or fail with the difference of the last look."""
    try:
        wait_until(agree, timeout_s=12, what="the figures of the query on the page")
    except AssertionError:
        assert seen[0] == seen[1]
        raise


def figures_on(page: Page) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Return the strip of figures by name, and the cells of the endpoints by endpoint."""
    minute = page.get_by_role("region", name="Last minute").get_by_role("button")
    strip = dict[str, str]()
    for text in minute.all_inner_texts():
        name, value, *_ = text.split("\n")
        strip[name] = plain(value)
    rows = dict[str, list[str]]()
    for row in page.get_by_role("region", name="Endpoints", exact=True).get_by_role("row").all()[1:]:
        rows[plain(row.get_by_role("rowheader").inner_text())] = [
            plain(cell) for cell in row.get_by_role("cell").all_inner_texts()
        ]
    return strip, rows


def figures_of_query(pipeline: RealPipeline, formatter: Page) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Return the same from `/query` over the minute that is closed now."""
    overview = pipeline.ask("overview", service=SERVICE)
    closed_ms, covered_ms = overview["closed_through_ms"], overview["minute"]["covered_ms"]
    window: dict[str, Any] = {"from": closed_ms - MINUTE_MS, "to": closed_ms, "step": "all"}
    ((whole,),) = [series["points"] for series in pipeline.ask("query", service=SERVICE, **window)["series"]]
    (words,) = formatted(formatter, [whole], covered_ms)
    strip = {
        "Requests": f"{words['requests']}/min",
        "Errors": words["errors"],
        "p95": words["p95"],
        "p99": words["p99"],
    }
    table = dict[str, list[str]]()
    for series in pipeline.ask("query", service=SERVICE, by="method,route", **window)["series"]:
        (row,) = formatted(formatter, series["points"], covered_ms)
        name = f"{series['labels']['method']} {series['labels']['route']}"
        table[name] = [row[column] for column in ("requests", "errors", "p50", "p95", "p99")]
    return strip, table


def test_every_figure_of_the_minute_is_that_of_a_query(
    visitor: Visitor, formatter: Page, pipeline: RealPipeline
) -> None:
    """Known requests of two endpoints and two versions of a model, once the load has stopped."""
    with pipeline.workers(), pipeline.console(), pipeline.producer() as producer:
        for route, status, duration_ms, times in RECORDED:
            for _ in range(times):
                producer.request(route=route, method="POST", status=status, duration_ms=duration_ms)
        for version, times in (("7", 30), ("8", 10)):
            for _ in range(times):
                producer.model("ctr", version, latency_ms=12.0, confidence=0.5)
        assert producer.flush()
        pipeline.wait_for_service()
        page = visitor.open(f"{pipeline.base}/?service=ranker&range=5m")
        expect(page.get_by_text(LIVE)).to_be_visible()
        seen: list[Any] = []

        def agree() -> bool:
            # The page is a tick behind the query while the covered part of the minute still grows.
            strip, table = figures_on(page)
            shown = {name: strip.get(name) for name in ("Requests", "Errors", "p95", "p99")}
            cells = {name: row[:5] for name, row in table.items()}
            seen[:] = [(shown, cells), figures_of_query(pipeline, formatter)]
            return bool(seen[0] == seen[1])

        eventually_equal(agree, seen)
        total = sum(times for *_, times in RECORDED)
        now = pipeline.ask("overview", service=SERVICE)
        assert now["minute"]["requests"] == total
        assert set(seen[0][1]) == {"POST /predict", "POST /embed"}
        models = page.get_by_role("region", name="Models")
        expect(models.get_by_role("heading", level=3)).to_have_text([re.compile("^ctr 7"), re.compile("^ctr 8")])
        expect(models.get_by_role("listitem").filter(has_text="ctr 7")).to_contain_text(re.compile(r"75\s%"))


def rows_on(page: Page) -> list[list[str]]:
    """Return the cells of the table of points, oldest first, without how many producers were missing."""
    table = page.get_by_role("table", name="Traffic, errors and duration by time")
    rows = [[plain(cell) for cell in line.split("\t")] for line in table.inner_text().split("\n") if line[:1].isdigit()]
    # Of yesterday's points the time begins with the day.
    return [[row[0][-8:], row[1], row[2], row[4], row[5], row[6]] for row in reversed(rows)]


def seconds_of_query(pipeline: RealPipeline, formatter: Page) -> dict[str, list[str]]:
    """Return the cells of each second that had requests, by its time, from `/query`."""
    closed_ms = pipeline.ask("overview", service=SERVICE)["closed_through_ms"] // SECOND_MS * SECOND_MS
    window: dict[str, Any] = {"from": closed_ms - 100 * SECOND_MS, "to": closed_ms, "step": 1}
    points = pipeline.ask("query", service=SERVICE, **window)["series"][0]["points"]
    rows = formatted(formatter, points, SECOND_MS)
    return {
        f"{datetime.fromtimestamp(point['t'] / 1_000, UTC):%H:%M:%S}": [*row.values()]
        for point, row in zip(points, rows, strict=True)
    }


def test_a_killed_console_comes_back_without_a_missing_or_repeated_point(
    visitor: Visitor, formatter: Page, pipeline: RealPipeline
) -> None:
    """SIGKILL, an honest page, the same port again: the rows are those of a query of one second."""
    with pipeline.workers(), pipeline.producer() as producer, contextlib.ExitStack() as restarted:
        with load(producer):
            with pipeline.console():
                pipeline.wait_for_service()
                page = visitor.open(f"{pipeline.base}/?service=ranker&range=5m&table=1&tz=UTC")
                expect(page.get_by_text(LIVE)).to_be_visible()
                expect(page.get_by_role("region", name="Verdict")).to_contain_text("All clear.")
            expect(page.get_by_text(re.compile("^Reconnecting"))).to_be_visible(timeout=allowed_ms(3_000))
            expect(page.get_by_role("region", name="Verdict")).to_contain_text(
                "No news since", timeout=allowed_ms(10_000)
            )
            expect(page.get_by_text("All clear")).to_have_count(0)
            restarted.enter_context(pipeline.console())
            expect(page.get_by_text(LIVE)).to_be_visible()
            expect(page.get_by_role("region", name="Verdict")).to_contain_text("All clear.")
        seen: list[Any] = []

        def agree() -> bool:
            shown = rows_on(page)
            assert len({row[0] for row in shown}) == len(shown)
            seen[:] = [{row[0]: row[1:] for row in shown if row[1] != "–"}, seconds_of_query(pipeline, formatter)]
            return bool(seen[0] == seen[1])

        eventually_equal(agree, seen)
    # The console was away until the figures were five seconds old, and requests went on meanwhile.
    assert len(seen[0]) > STALE_S


def test_a_stopped_aggregator_is_said_and_never_all_clear(visitor: Visitor, pipeline: RealPipeline) -> None:
    """The console answers and ticks all the while; the age of its figures is what speaks."""
    with pipeline.workers() as aggregator, pipeline.console(), pipeline.producer() as producer, load(producer):
        pipeline.wait_for_service()
        page = visitor.open(f"{pipeline.base}/?service=ranker&range=5m")
        verdict = page.get_by_role("region", name="Verdict")
        expect(verdict).to_contain_text("All clear.")
        aggregator.send_signal(signal.SIGSTOP)
        try:
            expect(verdict).to_contain_text("No news since", timeout=allowed_ms(10_000))
            expect(page.get_by_text(re.compile(r"^Figures are \d+\ss old"))).to_be_visible()
            expect(page.get_by_text("All clear")).to_have_count(0)
        finally:
            aggregator.send_signal(signal.SIGCONT)
        expect(page.get_by_text(LIVE)).to_be_visible()
        expect(verdict).to_contain_text("All clear.")
