import json
from collections.abc import Sequence

from barograph_core.pipeline.status import PipelineStatus
from barograph_core.store.pane_store import StoredPane
from tests.batches import Event, decoded, panes_by_start, request
from tests.unit.console.fakes import NOW_MS, Console, FakeAlerts, FakePanes, FakePipeline, record

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


def stored(events: Sequence[Event], step_ms: int, missing: int = 0) -> list[StoredPane]:
    panes = panes_by_start([decoded("request", events)], step_ms)
    return [StoredPane(start, 0, missing, pane) for start, pane in panes.items()]


NOW_EVENTS = [
    request(NOW_MS - 30_000, 10.0),
    request(NOW_MS - 29_000, 20.0, status=404),
    request(NOW_MS - 15_000, 30.0, status=500),
    request(NOW_MS - 14_000, 900.0, route="/slow"),
]
DAY_EVENTS = [request(NOW_MS - DAY - 61_000 + n * 100, 5.0) for n in range(6)]


def console() -> Console:
    steps = {step_ms: stored(NOW_EVENTS, step_ms, missing=1) for step_ms in (1_000, 10_000, MINUTE)}
    steps[MINUTE] = [*stored(DAY_EVENTS, MINUTE), *steps[MINUTE]]
    return Console(
        panes=FakePanes(stored=steps),
        alerts=FakeAlerts(held=[record()]),
        pipeline=FakePipeline(statuses=[PipelineStatus(NOW_MS, (), NOW_MS, {"ranker": NOW_MS}, (), ())]),
    )


def overview(query: str = "", of: Console | None = None) -> dict[str, object]:
    answer = (of or console()).client().get(f"/api/v1/overview?service=ranker{query}")
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


def test_an_overview_has_every_array_on_one_grid() -> None:
    """An hour of points of ten seconds; a point without a request is null, and never zero."""
    found = json.loads(json.dumps(overview()))
    assert (found["from_ms"], found["step_ms"], found["points"]) == (NOW_MS - HOUR, 10_000, 360)
    assert all(len(found["red"][name]) == 360 for name in found["red"])
    assert (len(found["heat"]["cols"]), len(found["before"]["requests"])) == (360, 360)
    assert found["red"]["requests"][355:] == [None, None, 2, 2, None]
    assert found["red"]["errors"][357:359] == [0, 1]
    assert found["red"]["e4xx"][357:359] == [1, 0]
    assert found["red"]["missing"][355:] == [0, 0, 1, 1, 0]
    assert [sum(column[1::2]) for column in found["heat"]["cols"][355:]] == [0, 0, 2, 2, 0]


def test_an_overview_compares_with_a_day_before() -> None:
    """Of a day ago only minutes are kept: six requests of a minute are one in each of its six points."""
    before = json.loads(json.dumps(overview()["before"]))
    assert (before["offset_ms"], before["step_ms"]) == (DAY, MINUTE)
    known = [count for count in before["requests"] if count is not None]
    assert (known, sum(known)) == ([1.0] * 6, 6)
    assert overview("&compare=none")["before"] is None
    assert overview("&compare=1h")["before"] is None


def test_the_minute_counts_what_closed_last() -> None:
    """Four requests, one failed; with what the same minute a day before was."""
    found = json.loads(json.dumps(overview()))
    minute = found["minute"]
    assert (minute["requests"], minute["errors"], minute["error_ratio"], minute["apdex_t_ms"]) == (4, 1, 0.25, 500)
    rows = [row[:4] for row in found["endpoints"]["rows"]]
    assert rows == [["GET", "/slow", 1, 0], ["GET", "/predict", 3, 1]]
    assert found["endpoints"]["total"] == 2
    spark = found["endpoints"]["spark"]
    assert (spark["step_ms"], [len(row) for row in spark["requests"]]) == (MINUTE, [30, 30])
    assert [row[-3:] for row in spark["requests"]] == [[None, None, 1], [None, 2, 1]]
    assert [row[-2:] for row in spark["errors"]] == [[None, 0], [0, 1]]


def test_a_minute_says_how_much_of_it_the_service_was_there_for() -> None:
    """First seen half a minute ago: figures per minute divide by that, and not by a minute."""
    young = Console(panes=FakePanes(stored={step_ms: stored(NOW_EVENTS, step_ms) for step_ms in (1_000, 10_000)}))
    covered_ms = [json.loads(json.dumps(overview(of=one)))["minute"]["covered_ms"] for one in (young, console())]
    assert covered_ms == [30_000, MINUTE]


def test_an_overview_narrows_to_an_endpoint() -> None:
    """Charts and minute are of the endpoint; the table still shows all, so that one can go on to another."""
    found = json.loads(json.dumps(overview("&route=GET+/slow")))
    assert found["route"] == "GET /slow"
    assert (found["minute"]["requests"], found["red"]["requests"][357:359]) == (1, [None, 1])
    assert len(found["endpoints"]["rows"]) == 2


def test_alerts_and_their_episodes_stand_beside_the_charts() -> None:
    found = json.loads(json.dumps(overview()))
    assert [alert["rule"] for alert in found["alerts"]] == ["high-error-rate"]
    assert [episode[0] for episode in found["episodes"]] == ["high-error-rate"]
    assert (found["silences"], found["thresholds"], found["markers"]) == ([], [], [])
    assert (found["epoch"], found["seq"]) == ("", 0)


def test_an_overview_of_a_service_without_events_knows_nothing() -> None:
    """Nulls where nothing is known, counts of zero where a closed minute is known to be empty."""
    found = json.loads(json.dumps(overview(of=Console(panes=FakePanes()))))
    assert set(found["red"]["requests"]) == {None}
    assert (found["before"], found["minute"]["requests"], found["minute"]["p95_ms"]) == (None, 0, None)
    assert (found["minute"]["before"], found["endpoints"]["rows"], found["models"]) == (None, [], [])


def test_a_wrong_question_is_refused() -> None:
    client = console().client()
    found = {
        query: client.get(f"/api/v1/overview?{query}").status_code
        for query in (
            "service=nope",
            "service=ranker&route=predict",
            "service=ranker&range=2h",
            "service=ranker&from=x",
        )
    }
    assert list(found.values()) == [404, 422, 422, 422]
