"""The modules without a page in them, imported as a browser does: words, the verdict, the URL, folding."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import now_ms
from tests.browser.fake_console import FakeConsole
from tests.browser.ranker import Ranker

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def blank(browser: Browser) -> Iterator[Page]:
    """A page of the console's own origin that does nothing by itself; evaluating needs what the policy forbids."""
    console = FakeConsole(Ranker(begun_ms=now_ms()))
    with console.running():
        context = browser.new_context(bypass_csp=True, timezone_id="Europe/Berlin")
        page = context.new_page()
        page.goto(f"{console.url}/static/mark-ok.svg")
        yield page
        context.close()


def run(page: Page, module: str, body: str) -> Any:
    return page.evaluate(f"async () => {{ const m = await import('/static/js/{module}.js'); return {body}; }}")


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("m.count(11734)", "11,734"),
        ("m.count(null)", "–"),
        ("m.count(m.perMinute(3193, 37000))", "5,178"),
        ("m.count(m.perMinute(3193, undefined))", "3,193"),
        ("m.count(m.perMinute(null, 37000))", "–"),
        ("m.words(m.percent(0.0017))", "0.17 %"),
        ("m.words(m.percent(0.131))", "13.1 %"),
        ("m.words(m.percent(0))", "0 %"),
        ("m.words(m.percent(1))", "100 %"),
        ("m.words(m.percent(0.00001))", "<0.01 %"),
        ("m.words(m.percent(NaN))", "–"),
        ("m.words(m.duration(0.42))", "0.42 ms"),
        ("m.words(m.duration(6.04))", "6.0 ms"),
        ("m.words(m.duration(231.4))", "231 ms"),
        ("m.words(m.duration(999.6))", "1.00 s"),
        ("m.words(m.duration(1180))", "1.18 s"),
        ("m.words(m.duration(61000))", "61.0 s"),
        ("m.span(45000)", "45 s"),
        ("m.span(150000)", "2.5 min"),
        ("m.span(660000)", "11 min"),
        ("m.span(7500000)", "2 h 5 min"),
        ("m.span(260000000)", "3 d"),
        ("m.short(10000)", "10k"),
        ("m.short(48211904)", "48.2M"),
        ("m.clean('a\\u202eb\\u0007c')", "a\ufffdb\ufffdc"),
        ("m.clean('x'.repeat(65536)).length", 200),
        ("m.clean('\\u0634')", "\u2068\u0634\u2069"),
    ],
)
def test_words_for_numbers(blank: Page, call: str, expected: str) -> None:
    found = run(blank, "words/format", call)
    assert (found.replace("\N{NO-BREAK SPACE}", " ") if isinstance(found, str) else found) == expected


@pytest.mark.parametrize(
    ("now", "before", "expected"),
    [
        (11_734, 11_814, "as a day before"),
        (1.81, 1.0, "+81 % on a day before"),
        (2.4, 1.0, "2.4× a day before"),
        (23.1, 1.0, "23× a day before"),
        (0.92, 1.0, "−8 % on a day before"),
        (0.1, 0.0, "none a day before"),
        (0.0, 0.0, "as a day before"),
    ],
)
def test_words_for_changes(blank: Page, now: float, before: float, expected: str) -> None:
    assert (
        run(blank, "words/change", f"m.change({now}, {before}, {{ago: 'a day before', worse: 'more'}}).words")
        == expected
    )


def test_a_process_is_named_as_short_as_can_be(blank: Page) -> None:
    """A second start of the same process id, or another name, keeps all of it."""
    a, b, again = "vm:25498:9ed0b750e01f0681", "vm:7:1d0b750e01f06810", "vm:7:2d0b750e01f06810"
    names = dict(run(blank, "panels/processes", f"[...m.shortNames({[a, b, again, 'api-3']!r})]"))
    assert names == {a: "vm:25498", b: b, again: again, "api-3": "api-3"}


def test_nothing_is_compared_with_nothing(blank: Page) -> None:
    assert run(blank, "words/change", "m.change(5, null, {ago: 'a day before', worse: 'more'}).words") == ""


NOW = 1_795_966_575_000


def alert(**changes: Any) -> dict[str, Any]:
    return {
        "id": "9f2c41aa07be5d13", "rule": "high-error-rate", "severity": "error", "state": "firing",
        "labels": {"route": "/predict"}, "summary": "POST /predict: 13.1 % errors", "started_at_ms": NOW - 670_000,
        "fired_at_ms": NOW - 660_000, "contributors": [], "ack": None, "silenced_by": [], "inhibited_by": [], **changes,
    }  # fmt: skip


VERDICT = """async (state) => {
  const { verdict } = await import('/static/js/words/verdict.js');
  const { Times } = await import('/static/js/words/times.js');
  const { severity, text } = verdict({ ...state, times: new Times('UTC') });
  return `${severity}: ${text}`;
}"""


def verdict(page: Page, **changes: Any) -> str:
    state: dict[str, Any] = {
        "service": "ranker", "now_ms": NOW, "refused": None, "closed_through_ms": NOW - 600, "alerts": [],
        "producers": {"live": 6, "known": 6, "silent_ms": None}, "alerters": 1, "rules": 14, "markers": [],
        "quiet_ms": 0,
        "minute": {"requests": 11_734, "error_ratio": 0.0017, "p95_ms": 98}, **changes,
    }  # fmt: skip
    found: str = page.evaluate(VERDICT, state)
    return found.replace("\N{NO-BREAK SPACE}", " ")


def test_the_first_sentence_that_holds_is_the_verdict(blank: Page) -> None:
    """Each line takes away what the one before it said."""
    acked = alert(ack={"actor": "mira"})
    slow = alert(id="2", severity="warning", summary="slow")
    errors = "POST /predict: 13.1 % errors for 11 min, since 15:25"
    marker = {"at_ms": NOW - 1_260_000, "kind": "release", "title": "ctr 8"}
    deploy = {"at_ms": NOW - 780_000, "kind": "deploy", "title": "api 2.15"}
    part = {"labels": {"version": "8"}, "of": "errors", "amount": 5, "share_ratio": 0.96}
    quiet = {"requests": 0, "error_ratio": None, "p95_ms": None}
    silent = {"live": 4, "known": 6, "silent_ms": 40_000}
    said = [
        verdict(blank, closed_through_ms=NOW - 5_001, alerts=[alert()]),
        verdict(blank, refused={"code": "out_of_memory", "detail": ""}, alerts=[alert()]),
        verdict(
            blank,
            alerts=[acked, slow, alert(contributors=[part], id="3")],
            markers=[marker],
        ),
        verdict(blank, alerts=[alert()], markers=[deploy, marker]),
        verdict(blank, alerts=[alert()], producers=silent),
        verdict(blank, alerts=[acked]),
        verdict(blank, producers=silent),
        verdict(blank, alerters=0),
        verdict(blank, rules=0),
        verdict(blank, rules=None),
        verdict(blank, minute=quiet, quiet_ms=180_000),
        verdict(blank),
    ]
    assert said == [
        "unknown: No news since 15:36:09. Below is how it was then.",
        "warning: The server is out of memory and refuses writes: give it more, or keep less.",
        f"error: {errors}, 10 min after release ctr 8; 96 % from model version 8. 1 more firing, 1 acknowledged.",
        f"error: {errors}, 2 min after deploy api 2.15.",
        f"error: {errors}. 2 of 6 producers went silent 40 s ago: figures are partial.",
        f"warning: {errors}; acknowledged by mira.",
        "warning: 2 of 6 producers went silent 40 s ago: figures are partial.",
        "warning: No alert fires, but nothing watches it. No alerter is running.",
        "warning: No alert fires, but nothing watches it. No rule is about this service.",
        "info: No alert fires. Whether anything watches it is not known yet.",
        "info: No request for 3 min. 14 rules watch ranker.",
        "ok: All clear. ranker serves 11,734 requests a minute, 0.17 % of them errors; p95 98 ms.",
    ]


def test_a_young_service_is_not_taken_for_a_quiet_one(blank: Page) -> None:
    """It was there for half of the minute, so a minute has twice as many requests."""
    minute = {"requests": 3_000, "covered_ms": 30_000, "error_ratio": 0.0, "p95_ms": 98}
    assert "serves 6,000 requests a minute" in verdict(blank, minute=minute)


def test_a_warning_alone_is_told_over_all_services(blank: Page) -> None:
    """With its own words: that the service which has a warning has a warning says nothing."""
    worst = alert(severity="warning", summary="host of vm is 94 % busy")
    cards = [{"service": "a", "worst": worst, "is_stale": False}, {"service": "b", "worst": None, "is_stale": False}]
    said = run(
        blank,
        "words/verdict_of_all",
        f"m.verdictOfServices({json.dumps(cards)}, {{is_live: true, now_ms: {NOW}, last_ms: {NOW}, times: null}}).text",
    )
    assert said.replace("\N{NO-BREAK SPACE}", " ") == (
        "1 of 2 services has a warning: a, host of vm is 94 % busy for 11 min."
    )


@pytest.mark.parametrize("at", [0, 3])
def test_a_single_minute_of_traffic_is_drawn(blank: Page, at: int) -> None:
    """A service that has just begun has one point: a line needs a length to be seen, inside the picture."""
    values = [7 if i == at else None for i in range(4)]
    drawn = run(
        blank,
        "charts/spark",
        f"((spark) => {{ spark.set({json.dumps(values)}); return spark.line.getAttribute('d'); }})"
        "(new m.Spark('rate', { width: 90, height: 50, area: true }))",
    )
    assert drawn == ("M0.0 4.0h15.0" if at == 0 else "M90.0 4.0h-15.0")


def test_a_silenced_alert_is_no_verdict(blank: Page) -> None:
    assert verdict(blank, alerts=[alert(silenced_by=["a"])]).startswith("ok: All clear.")


def test_a_contributor_that_repeats_the_labels_says_nothing(blank: Page) -> None:
    own = {"labels": {"route": "/predict"}, "of": "errors", "amount": 5, "share_ratio": 0.9}
    assert "from" not in verdict(blank, alerts=[alert(contributors=[own])])


def test_a_route_and_a_version_with_the_same_share_are_both_named(blank: Page) -> None:
    """Whoever is woken at night wants to know both."""
    parts = [
        {"labels": {"version": "8"}, "of": "errors", "amount": 96, "share_ratio": 0.96},
        {"labels": {"method": "POST", "route": "/predict"}, "of": "errors", "amount": 100, "share_ratio": 1.0},
        {"labels": {"instance": "api-3"}, "of": "errors", "amount": 41, "share_ratio": 0.41},
    ]
    said = verdict(blank, alerts=[alert(labels={}, contributors=parts)])
    assert said.endswith("; 100 % from POST /predict, 96 % from model version 8.")
    parts[0]["share_ratio"] = 0.9999
    said = verdict(blank, alerts=[alert(labels={}, contributors=parts)])
    assert said.endswith("; 100 % from POST /predict and model version 8.")


def test_an_alert_of_some_seconds_is_not_said_to_have_begun_at_a_minute(blank: Page) -> None:
    said = verdict(blank, alerts=[alert(fired_at_ms=NOW - 14_000, contributors=[])])
    assert said.startswith("error: POST /predict: 13.1 % errors for 14 s")
    assert "since" not in said


@pytest.mark.parametrize(
    "search",
    [
        "",
        "?service=ranker&range=24h",
        "?service=ranker&route=POST+/predict&alert=9f2c41aa07be5d13&theme=dark&sort=-p95",
        "?service=ranker&view=wall&tz=UTC",
        "?service=ranker&from=2026-11-29T15:00:00Z&to=2026-11-29T15:20:00Z",
        "?service=ranker&table=1",
    ],
)
def test_the_url_is_the_whole_state(blank: Page, search: str) -> None:
    found = run(blank, "state/url", f"m.format(m.parse({search!r}).view)")
    assert sorted(found.lstrip("?").split("&")) == sorted(search.lstrip("?").split("&"))


@pytest.mark.parametrize(
    "search", ["?range=2h", "?alert=xyz", "?sort=-nope", "?from=2026-11-29T15:00:00Z", "?from=b&to=a", "?theme=pink"]
)
def test_wrong_parameters_are_named(blank: Page, search: str) -> None:
    assert len(run(blank, "state/url", f"m.parse({search!r}).problems")) == 1


FOLD = (Path(__file__).parent / "scripts" / "fold.js").read_text()


def tick(seq: int, t: int, requests: int) -> dict[str, Any]:
    nothing = dict.fromkeys(("errors", "e4xx", "p50_ms", "p95_ms", "p99_ms"), 0)
    point = {"t": t, "requests": requests, **nothing, "heat": [1, requests]}
    closed = {"at_ms": t, "closed_through_ms": t + 1_000, "missing": 0, "points": {"1000": point}}
    return {"type": "tick", "service": "s", "seq": seq, **closed}


def fold(page: Page, *messages: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate(FOLD, list(messages))
    return found


def test_a_tick_moves_the_window_along(blank: Page) -> None:
    found = fold(blank, tick(11, 6_000, 6), tick(12, 7_000, 7))
    assert found["requests"] == [2, 3, 4, 5, 6, 7]
    assert found["from"] == 2_000
    assert found["heat"][-1] == [1, 7]


def test_a_point_replaces_and_a_repeat_changes_nothing(blank: Page) -> None:
    found = fold(blank, tick(11, 5_000, 50), tick(11, 5_000, 99), tick(12, 3_000, 30), tick(9, 5_000, 1))
    assert found["results"] == ["changed", "same", "changed", "same"]
    assert found["requests"] == [0, 1, 2, 30, 4, 50]


def test_a_missed_message_is_a_gap(blank: Page) -> None:
    found = fold(blank, tick(11, 6_000, 6), tick(13, 8_000, 8))
    assert found["results"] == ["changed", "gap"]
    assert found["seq"] == 11


def test_points_between_are_not_known_and_not_zero(blank: Page) -> None:
    assert fold(blank, tick(11, 8_000, 8))["requests"] == [3, 4, 5, None, None, 8]


def test_a_long_pause_leaves_only_what_is_known(blank: Page) -> None:
    assert fold(blank, tick(11, 600_000, 8))["requests"] == [None, None, None, None, None, 8]


def alert_message(seq: int, at_ms: int, state: str, fired_at_ms: int | None) -> dict[str, Any]:
    row = {"id": "a", "rule": "r", "severity": "error", "state": state, "started_at_ms": 90, "fired_at_ms": fired_at_ms}
    return {"type": "alert", "service": "s", "seq": seq, "at_ms": at_ms, "alert": row}


def test_an_alert_opens_and_ends_an_episode(blank: Page) -> None:
    states = (("pending", None), ("firing", 190), ("resolved", 190))
    found = fold(blank, *(alert_message(11 + i, 100 + 100 * i, *state) for i, state in enumerate(states)))
    assert found["alerts"] == []
    assert found["episodes"] == [["r", "error", 90, 190, 300, None, "a"]]


def silence_message(seq: int, **silenced: list[str]) -> dict[str, Any]:
    rows: list[dict[str, Any]] = [
        {"id": one, "matchers": []} for one in sorted({id_ for ids in silenced.values() for id_ in ids})
    ]
    return {"type": "silence", "service": "s", "seq": seq, "at_ms": 1, "silences": rows, "silenced": silenced}


def test_a_silence_mutes_alerts_and_its_end_lets_them_go(blank: Page) -> None:
    """Each message takes the place of all before, so one that comes twice does no harm."""
    firing, muted, over = alert_message(11, 100, "firing", 90), silence_message(12, a=["s1"]), silence_message(13)
    found = fold(blank, firing, muted, muted)
    assert (found["muted"], found["silences"]) == ({"a": ["s1"]}, ["s1"])
    found = fold(blank, firing, muted, over)
    assert (found["muted"], found["silences"]) == ({"a": []}, [])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"state": "pending", "pending_since_ms": NOW - 12_000, "for_ms": 30_000}, "12 s of 30 s"),
        ({"state": "pending", "pending_since_ms": NOW - 90_000, "for_ms": 30_000}, "30 s of 30 s"),
        ({"state": "pending", "started_at_ms": NOW - 12_000, "fired_at_ms": None}, "12 s"),
        ({"reason": "no_events"}, "11 min, no events"),
    ],
)
def test_words_for_how_long_and_why(blank: Page, changes: dict[str, Any], expected: str) -> None:
    shown = json.dumps(alert(**changes))
    said = run(blank, "words/alerts", f"m.lasting({shown}, {NOW}) + m.cause({shown})")
    assert said.replace("\N{NO-BREAK SPACE}", " ") == expected
