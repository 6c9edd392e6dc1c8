from typing import Any

import pytest

from barograph_core.store.pane_store import StoredPane
from tests.batches import Event, decoded, panes_by_start, request
from tests.unit.console.fakes import NOW_MS, Console, FakePanes

MINUTE, DAY = 60_000, 86_400_000
# Versions are labels of the requests here; version 8 fails, and takes long.
INCIDENT = [
    *(request(NOW_MS - 30_000 + n, 10.0, version="7") for n in range(6)),
    *(request(NOW_MS - 20_000 + n, 900.0, "/slow", 500, version="8") for n in range(3)),
    request(NOW_MS - 10_000, 900.0, "/slow", 500, version="7"),
]
BEFORE = [request(NOW_MS - 90_000 + n, 10.0, status=500, version="7") for n in range(2)]
MODELS = [
    Event(("ctr", version), NOW_MS - 5_000, (8.0, value, None, None)) for version, value in (("7", 0.9), ("8", 0.1))
]


def console() -> Console:
    stored: dict[int, list[StoredPane]] = {}
    for step_ms in (1_000, 10_000, MINUTE):
        batches = [decoded("request", [*BEFORE, *INCIDENT]), decoded("model", MODELS)]
        stored[step_ms] = [StoredPane(start, 0, 0, pane) for start, pane in panes_by_start(batches, step_ms).items()]
    return Console(panes=FakePanes(stored=stored))


def get(path: str) -> Any:
    answer = console().client().get(f"/api/v1/{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_contributors_name_what_an_incident_is_made_of() -> None:
    """The version that failed stands out against the minute before, in which the other had all errors."""
    found = get("contributors?service=ranker&from=-1m&of=errors")
    assert (found["inside"]["amount"], found["before"]["amount"]) == (4, 2)
    shares = {(one["label"], one["value"]): (one["inside_ratio"], one["before_ratio"]) for one in found["shares"]}
    assert shares == {
        ("route", "/slow"): (1.0, 0.0),
        ("route", "/predict"): (0.0, 1.0),
        ("version", "8"): (0.75, 0.0),
        ("version", "7"): (0.25, 1.0),
        ("method", "GET"): (1.0, 1.0),
    }
    assert [one["label"] for one in found["shares"]][-1] == "method"


@pytest.mark.parametrize(
    ("query", "amount", "share"), [("count", 10, 0.6), ("time", 3_660.0, 0.0163934), ("slow&slow_ms=500", 4, 0.0)]
)
def test_contributors_of_other_amounts(query: str, amount: float, share: float) -> None:
    found = get(f"contributors?service=ranker&from=-1m&of={query}")
    (route,) = [one for one in found["shares"] if one["value"] == "/predict"]
    assert (found["inside"]["amount"], route["inside_ratio"]) == (amount, share)


def test_a_distribution_has_one_scale_for_all_series() -> None:
    """A confidence lies between 0 and 1."""
    found = get("distribution?service=ranker&by=version&from=-1m&bins=10")
    assert (found["edges"][0], found["edges"][-1], len(found["edges"])) == (0.0, 1.0, 11)
    assert [(one["labels"]["version"], one["mean"], one["counts"].index(1)) for one in found["series"]] == [
        ("7", 0.9, 9),
        ("8", 0.1, 1),
    ]


def test_a_distribution_of_nothing_has_no_scale() -> None:
    assert get("distribution?service=ranker&measure=absolute_error&from=-1m") == {"edges": [], "series": []}


def test_the_columns_of_a_heatmap_add_up_to_the_requests() -> None:
    found = get("heatmap?service=ranker&from=-2m")
    assert (found["step_ms"], found["points"], found["rows_per_octave"]) == (1_000, 120, 2)
    assert sum(sum(column[1::2]) for column in found["cols"]) == 12
    models = get("heatmap?service=ranker&kind=model&measure=confidence&from=-1m")
    assert sum(sum(column[1::2]) for column in models["cols"]) == 2


def test_tables_are_those_of_the_overview() -> None:
    """Each on its own, of the same minute."""
    overview = get("overview?service=ranker&compare=none")
    assert get("endpoints?service=ranker")["endpoints"]["rows"] == overview["endpoints"]["rows"]
    assert get("models?service=ranker")["models"] == overview["models"]
    assert get("system?service=ranker")["system"] == overview["system"] == []
    shown = get("endpoints?service=ranker&limit=1")["endpoints"]
    assert (len(shown["rows"]), len(shown["spark"]["requests"]), shown["total"]) == (1, 1, 2)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("heatmap?service=ranker&measure=latency", "unknown_measure"),
        ("distribution?service=ranker&by=a,b,c,d,e", "too_many_labels"),
        ("contributors?service=ranker&from=-40d", "too_much_work"),
        ("contributors?service=ranker&from=now", "empty_range"),
        ("heatmap?service=ranker&from=soon", "invalid_parameter"),
    ],
)
def test_a_wrong_question_is_refused(path: str, code: str) -> None:
    answer = console().client().get(f"/api/v1/{path}")
    assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_the_summary_of_the_pipeline_and_the_markers_answer() -> None:
    """Nobody is at work here, and no model has had a second version."""
    summary = get("pipeline/summary")
    assert [(one["stage"], one["state"]) for one in summary["stages"]][1:] == [
        ("aggregator", "down"),
        ("alerter", "down"),
        ("notifier", "down"),
    ]
    assert get("markers?service=ranker") == {"service": "ranker", "markers": []}


def row_console() -> Console:
    """Return a console whose two versions and one process are in the last minute and in the one a day before."""

    def events(at_ms: int, error: float, cpu: float) -> list[tuple[str, list[Event]]]:
        predictions = [
            Event(("ctr", version), at_ms, (latency_ms, 0.5, None, error, 0.0))
            for version, latency_ms in (("7", 8.0), ("7", 8.0), ("8", 16.0))
        ]
        return [("model", predictions), ("system", [Event(("api-3", "process"), at_ms, (868.0, cpu, *[None] * 10))])]

    begins_ms = NOW_MS - NOW_MS % MINUTE
    now = [decoded(kind, found) for kind, found in events(begins_ms + 1_000, 4.0, 71.0)]
    before = [decoded(kind, found) for kind, found in events(begins_ms - DAY - MINUTE + 1_000, 2.0, 35.5)]
    stored = {
        step_ms: [StoredPane(start, 0, 0, pane) for start, pane in panes_by_start([*before, *now], step_ms).items()]
        for step_ms in (1_000, 10_000, MINUTE)
    }
    for step_ms in (1_000, 10_000):
        stored[step_ms] = [pane for pane in stored[step_ms] if pane.start_ms > NOW_MS - DAY // 2]
    return Console(panes=FakePanes(stored=stored))


def test_versions_stand_beside_their_minute_before_and_their_half_hour() -> None:
    """Row by row: what was is null for a version that was not there, and never zero."""
    found = row_console().client().get("/api/v1/models?service=ranker").json()
    assert [(row["version"], row["mae"]) for row in found["models"]] == [("7", 4.0), ("8", 4.0)]
    assert [(row["events"], row["mae"], row["p95_ms"]) for row in found["before"]] == [(2, 2.0, 8.0), (1, 2.0, 16.0)]
    spark = found["spark"]
    assert [[value for value in row if value is not None] for row in spark["events"]] == [[2], [1]]
    assert [[value for value in row if value is not None] for row in spark["mae"]] == [[4.0], [4.0]]
    assert [[value for value in row if value is not None] for row in spark["p95_ms"]] == [[8.0], [16.0]]
    assert (spark["step_ms"], {len(row) for row in spark["errors"]}) == (MINUTE, {30})


def test_processes_stand_beside_their_minute_before_and_their_half_hour() -> None:
    found = row_console().client().get("/api/v1/system?service=ranker").json()
    assert [(row["instance"], row["cpu_percent"]) for row in found["system"]] == [("api-3", 71.0)]
    assert [(row["cpu_percent"], row["memory_mb"]) for row in found["before"]] == [(35.5, 868.0)]
    assert [value for value in found["spark"]["cpu_percent"][0] if value is not None] == [71.0]
    assert len(found["spark"]["memory_mb"][0]) == 30


def test_of_a_version_that_is_new_nothing_was_before() -> None:
    found = get("models?service=ranker")
    assert (len(found["models"]), found["before"]) == (2, [None, None])
