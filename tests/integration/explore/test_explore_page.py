"""The analysis page, run by Streamlit's own AppTest over a console that runs: its figures are those of the REST API."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from barograph_cli import explore
from barograph_core.access.token import digest_of
from barograph_core.keyspace.keys import ShardKeys
from tests.integration.console.test_console_process import stage, url_in
from tests.integration.explore.running_console import HOSTILE_ROUTE, SERVICE, RunningConsole
from tests.support import free_port

pytest.importorskip("streamlit")

from streamlit.testing.v1 import AppTest, app_test

if TYPE_CHECKING:
    from barograph_cli.explore.tables import TableRow

Open = Callable[..., AppTest]
SCRIPT = Path(explore.__path__[0]) / "app.py"
RANGE = {"service": SERVICE, "from": "-900s"}


@pytest.fixture(scope="module", autouse=True)
def _clean_up() -> Iterator[None]:
    """Remove the folder that AppTest makes when it is imported: left to the interpreter's end, it causes a warning."""
    yield
    app_test.TMP_DIR.cleanup()


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch) -> Open:
    """Return what opens the page of a console at a section, and checks that it ran without an error of its own."""

    def open_(url: str, section: str = "Requests", **parameters: str) -> AppTest:
        monkeypatch.setenv("BAROGRAPH_CONSOLE_URL", url)
        page = AppTest.from_file(str(SCRIPT), default_timeout=60)
        for name, value in {"section": section, "range": "15m", **parameters}.items():
            page.query_params[name] = value
        page.run()
        assert [one.message for one in page.exception] == []
        return page

    return open_


def table(page: AppTest, place: int = 0) -> "list[TableRow]":
    """Return the rows of a table of the page."""
    return cast("list[TableRow]", page.dataframe[place].value.to_dict("records"))


def described(page: AppTest) -> list[str]:
    """Return what a screen reader says of each chart."""
    return [str(json.loads(chart.proto.spec)["description"]) for chart in page.get("vega_lite_chart")]


def text_of(page: AppTest) -> str:
    """Return what the page says, as it is read and not as it is marked up."""
    said = [*page.error, *page.info, *page.success, *page.warning, *page.markdown, *page.title, *page.header]
    return "\n".join(str(one.value) for one in said).replace("\\", "")


def points(console: RunningConsole, **parameters: str) -> list[dict[str, float]]:
    """Return the points of the only series of a query."""
    (series,) = console.get("/query", **(RANGE | parameters))["series"]
    return cast("list[dict[str, float]]", series["points"])


def test_the_figures_of_the_range_are_those_of_a_query(console: RunningConsole, open_page: Open) -> None:
    """Counts, share of errors and percentiles, over the chosen range."""
    (point,) = points(console, step="all")
    assert point["events"] == 400
    shown = {metric.label: metric.value for metric in open_page(console.url).metric}
    assert shown == {
        "Requests": "400",
        "Errors": f"{point['errors']:.0f}",
        "Failed": f"{100 * point['error_rate']:.1f} %",
        "p50": f"{point['p50']:.1f} ms",
        "p95": f"{point['p95'] / 1000:.2f} s",
        "p99": f"{point['p99'] / 1000:.2f} s",
    }


def test_the_points_of_the_charts_are_those_of_a_query(console: RunningConsole, open_page: Open) -> None:
    """Three charts and a table, all of one answer."""
    page = open_page(console.url)
    asked = points(console)
    assert len(asked) > 1
    assert [(row["requests"], row["errors"], row["p50_ms"], row["p95_ms"], row["p99_ms"]) for row in table(page)] == [
        (point["events"], point["errors"], point["p50"], point["p95"], point["p99"]) for point in asked
    ]
    assert described(page) == [
        "Requests per minute",
        "Errors, % of requests",
        "Duration, ms",
    ]


def test_the_endpoints_are_those_of_a_query_and_can_be_filtered(console: RunningConsole, open_page: Open) -> None:
    """One row each, the one that takes most time first."""
    page = open_page(console.url, "Endpoints")
    asked = console.get("/query", **RANGE, step="all", by="route")["series"]
    totals = {
        str(cast("dict[str, str]", one["labels"])["route"]): cast("list[dict[str, float]]", one["points"])[0]
        for one in asked
    }
    shown = table(page)
    assert [row["route"] for row in shown] == sorted(totals, key=lambda route: -totals[route]["sum"])
    for row in shown:
        point = totals[str(row["route"])]
        assert (row["requests"], row["errors"], row["p95_ms"]) == (point["events"], point["errors"], point["p95"])
    page.text_input(key="endpoints-filter").set_value("get PRED").run()
    assert [row["route"] for row in table(page)] == ["/predict"]
    assert "1 of 3 endpoints" in "".join(str(one.value) for one in page.caption)


def test_an_endpoint_has_charts_of_its_own(console: RunningConsole, open_page: Open) -> None:
    """Also one whose route looks like an image to whoever reads Markdown."""
    page = open_page(console.url, "Endpoints")
    page.selectbox(key="endpoint").set_value(f"GET {HOSTILE_ROUTE}").run()
    asked = points(console, where=f"route={HOSTILE_ROUTE}")
    assert [row["requests"] for row in table(page, 1)] == [point["events"] for point in asked]
    assert not any(HOSTILE_ROUTE in str(one.value) for one in page.markdown)


def test_models_are_compared_by_version(console: RunningConsole, open_page: Open) -> None:
    """MAE over the labelled predictions, how many those are, and the confidences."""
    page = open_page(console.url, "Models")
    asked = console.get("/query", **RANGE, kind="model", measure="absolute_error", by="version", step="all")["series"]
    expected = {
        cast("dict[str, str]", one["labels"])["version"]: cast("list[dict[str, float]]", one["points"])[0]
        for one in asked
    }
    shown = table(page)
    assert [row["version"] for row in shown] == ["7", "8"]
    for row in shown:
        point = expected[str(row["version"])]
        assert (row["predictions"], row["labelled"], row["mae"]) == (point["events"], point["count"], point["avg"])
        assert (row["errors"], row["error_ratio"]) == (point["errors"], point["error_rate"])
    assert [row["errors"] for row in shown] == [0, 13]
    assert described(page) == [
        "Mean absolute error, by version",
        "Failed predictions, by version",
        "Prediction, by version",
    ]
    assert sum(int(str(row["errors"])) for row in table(page, 1)) == 13


def test_a_measure_of_predictions_is_spread_as_the_console_says(console: RunningConsole, open_page: Open) -> None:
    """Over the whole range, bin by bin; another measure has bins of its own."""
    page = open_page(console.url, "Models")
    for measure in ("confidence", "absolute_error"):
        page.selectbox(key="distribution").set_value(measure).run()
        asked = console.get("/distribution", **RANGE, kind="model", measure=measure, by="version")
        edges = cast("list[float]", asked["edges"])
        expected = [
            (cast("dict[str, str]", one["labels"])["version"], low, high, count)
            for one in asked["series"]
            for low, high, count in zip(edges, edges[1:], cast("list[int]", one["counts"]), strict=False)
            if count
        ]
        assert [(row["version"], row["from"], row["to"], row["count"]) for row in table(page, 2)] == expected
    assert described(page)[-1] == "Absolute error, by version"


def test_processes_are_those_of_the_last_minute(console: RunningConsole, open_page: Open) -> None:
    page = open_page(console.url, "Processes")
    (asked,) = console.get("/current", service=SERVICE, window="60")["system"]
    (shown,) = table(page)
    assert (shown["instance"], shown["cpu_percent"], shown["memory_mb"]) == (
        "api-1",
        asked["cpu_percent"],
        asked["memory_mb"],
    )


def test_alerts_are_listed_with_their_history_which_can_be_filtered(console: RunningConsole, open_page: Open) -> None:
    """What fires now, and every change, by severity, state and word."""
    page = open_page(console.url, "Alerts")
    (active,) = table(page)
    assert (active["rule"], active["state"], active["value"]) == ("high-error-rate", "firing", 0.25)
    asked = console.get("/alerts/episodes", **RANGE)["episodes"]
    assert len(asked) == 2
    assert {(row["rule"], str(row["ended_at"]) != "NaT") for row in table(page, 1)} == {
        (one["rule"], one["end_ms"] is not None) for one in asked
    }
    assert [row["rule"] for row in table(page, 2)] == ["high-error-rate", "slow-responses"]
    page.text_input(key="history-filter").set_value("slow").run()
    assert [row["to"] for row in table(page, 2)] == ["resolved"]
    page.text_input(key="history-filter").set_value("").run()
    page.button_group(key="history-states").set_value(["firing"]).run()
    assert [row["rule"] for row in table(page, 2)] == ["high-error-rate"]


def test_a_table_without_rows_says_why(console: RunningConsole, open_page: Open) -> None:
    """A range before the first event."""
    page = open_page(console.url, range="custom", **{"from": "2026-01-01T00:00", "to": "2026-01-01T01:00"})
    assert "No request in this range." in text_of(page)


def test_a_console_that_is_gone_is_a_sentence_with_its_mend(open_page: Open) -> None:
    page = open_page(f"http://127.0.0.1:{free_port()}")
    assert "No console answers" in text_of(page)
    assert "barograph up" in text_of(page)


def test_a_console_that_asks_for_a_token_gets_the_one_of_the_environment(
    valkey_url: str, keys: ShardKeys, tmp_path: Path, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it, and with a wrong one, the page says how to make one; with it, it goes on."""
    common = ("--url", valkey_url, "--prefix", keys.prefix, "--read-token-sha256", digest_of("t" * 40))
    with stage("barograph_console", tmp_path / "log", "--port", "0", *common):
        url = url_in(tmp_path / "log")
        assert "asks for a token" in text_of(open_page(url))
        monkeypatch.setenv("BAROGRAPH_CONSOLE_TOKEN", "wrong")
        assert "refuses the token" in text_of(open_page(url))
        monkeypatch.setenv("BAROGRAPH_CONSOLE_TOKEN", "t" * 40)
        page = open_page(url)
    assert "Waiting for the first event" in text_of(page)
    assert "t" * 40 not in str(page.main)


def test_before_the_first_event_the_page_says_what_brings_one(
    valkey_url: str, keys: ShardKeys, tmp_path: Path, open_page: Open
) -> None:
    common = ("--url", valkey_url, "--prefix", keys.prefix)
    with stage("barograph_console", tmp_path / "log", "--port", "0", *common):
        page = open_page(url_in(tmp_path / "log"))
    assert "Waiting for the first event" in text_of(page)
    assert [one.value for one in page.code][1] == "barograph demo"


def test_a_server_that_is_gone_is_told_in_the_consoles_words(tmp_path: Path, open_page: Open) -> None:
    """503 of the console, which itself is there."""
    url = f"redis://127.0.0.1:{free_port()}/0"
    with stage("barograph_console", tmp_path / "log", "--port", "0", "--url", url):
        page = open_page(url_in(tmp_path / "log"))
    assert "cannot be reached" in text_of(page)
    assert "barograph status" in text_of(page)
