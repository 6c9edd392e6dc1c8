import json
import math
from collections.abc import Sequence

import pytest

from barograph_console.settings import ConsoleSettings
from barograph_core.events.encode import encode_batch
from barograph_core.events.kinds import KINDS
from barograph_core.pipeline.status import ServiceProducers
from barograph_core.store.pane_store import StoredPane
from tests.batches import encoded, request
from tests.unit.console.fakes import NOW_MS, Console, FakePanes, FakePipeline, panes_of, requests

ROWS = (
    (NOW_MS - 9_500, "/predict", 200, 10.0),
    (NOW_MS - 9_400, "/predict", 500, 30.0),
    (NOW_MS - 9_300, "/health", 200, 1.0),
    (NOW_MS - 4_500, "/predict", 200, 20.0),
)


def console_with_requests() -> Console:
    return Console(panes=FakePanes(stored={1_000: panes_of([requests(*ROWS)])}))


def test_a_query_returns_points_by_step() -> None:
    """Each point holds the counts, sums and percentiles of its own step, exactly."""
    answer = (
        console_with_requests()
        .client()
        .get("/api/v1/query", params={"service": "ranker", "kind": "request", "from": "-10s", "step": "5"})
    )
    points = answer.json()["series"][0]["points"]
    assert [(p["t"], p["count"], p["sum"], p["errors"]) for p in points] == [
        (NOW_MS - 10_000, 3, 41.0, 1),
        (NOW_MS - 5_000, 1, 20.0, 0),
    ]
    assert (points[0]["min"], points[0]["max"], points[1]["p99"]) == (1.0, 30.0, 20.0)
    assert points[0]["error_rate"] == 0.333333


def test_a_query_groups_by_labels() -> None:
    """`by=route` makes one series for each route, in the order of the labels."""
    answer = (
        console_with_requests()
        .client()
        .get("/api/v1/query", params={"service": "ranker", "from": "-10s", "step": "all", "by": "route"})
    )
    series = [(one["labels"], one["points"][0]["count"]) for one in answer.json()["series"]]
    assert series == [({"route": "/health"}, 1), ({"route": "/predict"}, 3)]


def test_figures_of_sampled_requests_are_marked_as_estimates() -> None:
    """A point or row that a sampled record went into is an estimate, and the others are exact."""
    rows = [request(NOW_MS - 2_000, 10.0, "/a", weight=10, tenant="x"), request(NOW_MS - 1_000, 10.0, "/b", tenant="y")]
    client = Console(panes=FakePanes(stored={1_000: panes_of([encoded("request", rows)])})).client()
    query = {"service": "ranker", "from": "-10s", "step": "all", "by": "tenant"}
    series = client.get("/api/v1/query", params=query).json()["series"]
    found = {one["labels"]["tenant"]: (one["points"][0]["count"], one["points"][0]["estimated"]) for one in series}
    assert found == {"x": (10, True), "y": (1, False)}
    current = client.get("/api/v1/current?service=ranker&window=10").json()
    assert (current["requests"], current["estimated"]) == (11, True)
    assert [(row["route"], row["estimated"]) for row in current["endpoints"]] == [("/a", True), ("/b", False)]
    assert client.get("/api/v1/services?window=10").json()["services"][0]["estimated"] is True


def test_a_query_can_be_narrowed_to_a_label() -> None:
    answer = (
        console_with_requests()
        .client()
        .get("/api/v1/query", params={"service": "ranker", "from": "-10s", "step": "all", "where": "route=/predict"})
    )
    assert [one["points"][0]["count"] for one in answer.json()["series"]] == [3]


def test_asked_quantiles_are_added_to_the_usual_ones() -> None:
    """`quantiles=0.9,0.999` adds p90 and p99_9."""
    answer = (
        console_with_requests()
        .client()
        .get("/api/v1/query", params={"service": "ranker", "from": "-10s", "step": "all", "quantiles": "0.9,0.999"})
    )
    assert {"p50", "p90", "p95", "p99", "p99_9"} <= set(answer.json()["series"][0]["points"][0])


def test_a_measure_no_event_had_is_null_and_never_nan() -> None:
    """A model without labels yet has no error: counts are 0, figures null, and the JSON is strict."""
    batch = encode_batch(KINDS["model"], [("ctr", "7")], [0], [NOW_MS - 2_000], [[8.0], None, None, [math.nan]])
    console = Console(panes=FakePanes(stored={1_000: panes_of([batch])}))
    answer = console.client().get(
        "/api/v1/query",
        params={"service": "ranker", "kind": "model", "measure": "absolute_error", "from": "-5s", "step": "all"},
    )
    point = json.loads(answer.text, parse_constant=lambda word: word)["series"][0]["points"][0]
    assert (point["count"], point["events"], point["sum"]) == (0, 1, 0.0)
    assert [point[name] for name in ("min", "max", "avg", "p50", "p99", "error_rate")] == [None] * 6


def test_the_answer_tells_what_it_covers() -> None:
    """Range, steps and missing instances stand beside the points."""
    stored = [StoredPane(pane.start_ms, 1, 2, pane.pane) for pane in panes_of([requests(*ROWS)])]
    console = Console(panes=FakePanes(stored={1_000: stored}))
    answer = console.client().get("/api/v1/query", params={"service": "ranker", "from": "-9300ms", "step": "1"}).json()
    assert (answer["from_ms"], answer["to_ms"], answer["step_ms"]) == (NOW_MS - 10_000, NOW_MS, 1_000)
    assert (answer["missing"], answer["measure"], answer["closed_through_ms"]) == (2, "duration_ms", NOW_MS)


def test_wrong_parameters_are_named() -> None:
    """Every mistake answers 422 with a code and the offending value."""
    client = console_with_requests().client()
    found: dict[str, tuple[int, str]] = {}
    for query in (
        "kind=requests",
        "measure=latency_ms",
        "by=rout",
        "where=route",
        "where=route=/a&where=route=/b",
        "step=0.5",
        "step=x",
        "from=now",
        "from=soon",
        "quantiles=2",
    ):
        answer = client.get(f"/api/v1/query?service=ranker&{query}")
        found[query] = (answer.status_code, answer.json()["code"])
    assert found == {
        "kind=requests": (422, "unknown_kind"),
        "measure=latency_ms": (422, "unknown_measure"),
        "by=rout": (422, "unknown_label"),
        "where=route": (422, "invalid_filter"),
        "where=route=/a&where=route=/b": (422, "invalid_filter"),
        "step=0.5": (422, "bad_step"),
        "step=x": (422, "invalid_parameter"),
        "from=now": (422, "empty_range"),
        "from=soon": (422, "invalid_parameter"),
        "quantiles=2": (422, "invalid_parameter"),
    }


def test_an_answer_has_a_bounded_number_of_series() -> None:
    """Too many series are refused with what to do about it, not cut silently."""
    many = requests(*[(NOW_MS - 2_000, f"/r{number}", 200, 1.0) for number in range(30)])
    console = Console(settings=ConsoleSettings(max_series=20), panes=FakePanes(stored={1_000: panes_of([many])}))
    answer = console.client().get("/api/v1/query?service=ranker&from=-5s&step=all&by=route")
    assert (answer.status_code, answer.json()["code"]) == (422, "too_many_series")


def test_an_unknown_service_is_not_found() -> None:
    answer = console_with_requests().client().get("/api/v1/query?service=nobody")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_service")


def test_a_missing_parameter_is_named() -> None:
    answer = console_with_requests().client().get("/api/v1/current")
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"where": "query.service", "message": "Field required", "suggestions": []}]


def test_current_shows_the_last_closed_window() -> None:
    """Requests, rate and percentiles of the service and of each endpoint, the busiest first."""
    answer = console_with_requests().client().get("/api/v1/current?service=ranker&window=10").json()
    assert (answer["requests"], answer["rps"], answer["errors"], answer["error_rate"]) == (4, 0.4, 1, 0.25)
    assert answer["status"] == {"200": 3, "500": 1}
    assert [(row["route"], row["method"], row["requests"]) for row in answer["endpoints"]] == [
        ("/predict", "GET", 3),
        ("/health", "GET", 1),
    ]


def test_current_shows_models_and_processes() -> None:
    """MAE counts only predictions whose truth is known."""
    model = encode_batch(
        KINDS["model"],
        [("ctr", "7")],
        [0, 0],
        [NOW_MS - 2_000, NOW_MS - 1_500],
        [[8.0, 10.0], [0.5, 0.7], None, [4.0, math.nan], [0.0, 1.0]],
    )
    system = encode_batch(
        KINDS["system"],
        [("host:1:ab", "process")],
        [0],
        [NOW_MS - 2_000],
        [[200.0], [50.0], None, None, [8.0], None, [0.5], *[None] * 5],
    )
    console = Console(panes=FakePanes(stored={1_000: panes_of([model, system])}))
    answer = console.client().get("/api/v1/current?service=ranker").json()
    row, process = answer["models"][0], answer["system"][0]
    assert (row["model"], row["version"], row["mae"], row["labelled"], row["events"]) == ("ctr", "7", 4.0, 1, 2)
    assert (row["errors"], row["error_rate"]) == (1, 0.5)
    assert (process["scope"], process["memory_mb"], process["disk_read_mb_per_s"], process["disk_percent"]) == (
        "process",
        200.0,
        0.5,
        None,
    )
    assert (answer["requests"], answer["error_rate"], answer["p95_ms"]) == (0, None, None)


def test_a_query_about_models_states_how_many_failed() -> None:
    """The rate is that of the events that state it; where none does, there is none."""
    labels, at_ms = [("ctr", "7"), ("ctr", "8")], NOW_MS - 2_000
    flags = [1.0, 0.0, math.nan, math.nan]
    columns = [[8.0] * 4, None, None, None, flags]
    model = encode_batch(KINDS["model"], labels, [0, 0, 0, 1], [at_ms] * 4, columns)
    console = Console(panes=FakePanes(stored={1_000: panes_of([model])}))
    query = "service=ranker&kind=model&measure=latency_ms&from=-10s&step=all&by=version"
    series = console.client().get(f"/api/v1/query?{query}").json()["series"]
    points = [one["points"][0] for one in series]
    assert [(point["events"], point["errors"], point["error_rate"]) for point in points] == [(3, 1, 0.5), (1, 0, None)]


def test_services_tell_who_is_missing() -> None:
    """A producer that has not reported for the newest closed pane shows; one silent for long is given up."""
    console = console_with_requests()
    producers = ServiceProducers((NOW_MS + 500, NOW_MS - 1, NOW_MS - 60_001), no_data_ms=60_000)
    console.pipeline = FakePipeline(producers={"ranker": producers})
    row = console.client().get("/api/v1/services?window=10").json()["services"][0]
    assert (row["service"], row["rps"], row["producers"]) == ("ranker", 0.4, 3)
    assert (row["missing_producers"], row["is_missing_producers"]) == (1, True)


def test_figures_that_lie_ready_are_not_merged_from_panes() -> None:
    """Of the whole service and of single series, at a roll-up's step; the newest panes may have no roll-up yet."""
    old = [(at_ms - 3_600_000, route, status, duration) for at_ms, route, status, duration in ROWS]
    panes = FakePanes(stored={10_000: panes_of([requests(*old)], 10_000)})
    query = {"service": "ranker", "from": "-61m", "to": "-59m", "step": "10"}
    for by, counts in (("", [4]), ("route", [1, 3])):
        series = Console(panes=panes).client().get("/api/v1/query", params={**query, "by": by}).json()["series"]
        assert [one["points"][0]["count"] for one in series] == counts
    assert panes.asked == []
    Console(panes=panes).client().get("/api/v1/query", params={**query, "step": "20"})
    assert len(panes.asked) == 1


def test_a_mistake_of_ours_is_not_blamed_on_the_caller() -> None:
    """Only what was asked wrongly is a 422: an error while the answer is made is the console's."""

    class BrokenPanes(FakePanes):
        def read(self, service: str, step_ms: int, from_ms: int, to_ms: int) -> Sequence[StoredPane]:
            raise ValueError(f"{service} {step_ms} {from_ms} {to_ms}")

    answer = Console(panes=BrokenPanes()).client().get("/api/v1/query?service=ranker&from=-10s&step=1")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")


@pytest.mark.parametrize("query", ["to=10000-01-01", "to=253402300800000", "from=1969-12-31", "from=-99999d"])
def test_a_time_beyond_the_calendar_is_refused(query: str) -> None:
    answer = console_with_requests().client().get(f"/api/v1/query?service=ranker&{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_parameter")


def test_a_plus_sign_that_nobody_escaped_is_forgiven() -> None:
    """It arrives as a space."""
    query = "from=2023-11-14T23:13:10+01:00&to=2023-11-14T23:13:20+01:00&step=all"
    answer = console_with_requests().client().get(f"/api/v1/query?service=ranker&{query}").json()
    assert (answer["from_ms"], answer["to_ms"]) == (NOW_MS - 10_000, NOW_MS)


@pytest.mark.parametrize("step", ["", "1", "10", "all"])
@pytest.mark.parametrize(
    ("closed_ms", "query"),
    [(NOW_MS - 120_000, "from=-1m"), (NOW_MS - 960_000, ""), (NOW_MS, f"from=0&to={NOW_MS - 100 * 86_400_000}")],
)
def test_a_range_without_a_stored_pane_has_no_series(closed_ms: int, query: str, step: str) -> None:
    """After the last closed pane, or before all that is kept: the store is not even asked."""
    panes = FakePanes(closed={"ranker": closed_ms})
    answer = Console(panes=panes).client().get(f"/api/v1/query?service=ranker&{query}&step={step}")
    assert (answer.status_code, answer.json()["series"], panes.asked) == (200, [], [])
