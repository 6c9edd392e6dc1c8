from collections.abc import Sequence
from typing import Any

import pytest

from barograph_console.reading import panes as pane_pieces
from barograph_console.reading import work
from barograph_console.settings import ConsoleSettings
from barograph_core.events.kinds import OTHER_LABEL
from barograph_core.store.pane_store import PackedPane
from tests.batches import encoded, request
from tests.unit.console.fakes import NOW_MS, Console, FakePanes, panes_of, requests

ROWS = (
    (NOW_MS - 9_500, "/predict", 200, 10.0),
    (NOW_MS - 9_400, "/predict", 503, 30.0),
    (NOW_MS - 9_300, "/health", 404, 1.0),
    (NOW_MS - 4_500, "/predict", 500, 20.0),
)
TENANTS = [request(NOW_MS - 2_000, 10.0, "/a", tenant="x"), request(NOW_MS - 1_000, 10.0, "/b")]


def console(**changes: Any) -> Console:
    return Console(panes=FakePanes(stored={1_000: panes_of([requests(*ROWS)])}), **changes)


def get(query: str, of: Console | None = None) -> dict[str, Any]:
    found: dict[str, Any] = (of or console()).client().get(f"/api/v1/query?service=ranker&from=-10s&{query}").json()
    return found


def test_requests_are_told_apart_by_their_status() -> None:
    """`by=status` counts each code; of one code nothing is known of the durations, so these are null."""
    series = get("step=5&by=status")["series"]
    assert [
        (one["labels"], [(p["t"] - NOW_MS, p["events"], p["errors"]) for p in one["points"]]) for one in series
    ] == [
        ({"status": "200"}, [(-10_000, 1, 0)]),
        ({"status": "404"}, [(-10_000, 1, 0)]),
        ({"status": "500"}, [(-5_000, 1, 1)]),
        ({"status": "503"}, [(-10_000, 1, 1)]),
    ]
    point = series[0]["points"][0]
    assert [point[name] for name in ("count", "sum", "avg", "p95")] == [None] * 4


def test_a_class_of_status_stands_beside_other_labels() -> None:
    series = get("step=all&by=status_class,route")["series"]
    assert [(*one["labels"].values(), one["points"][0]["events"]) for one in series] == [
        ("2xx", "/predict", 1),
        ("4xx", "/health", 1),
        ("5xx", "/predict", 2),
    ]


@pytest.mark.parametrize(
    ("query", "events"),
    [("where=status=503", 1), ("where=status_class=5xx", 2), ("where=status_class=5xx&where=route=/health", None)],
)
def test_requests_are_narrowed_to_a_status(query: str, events: int | None) -> None:
    """During an incident `where=status=500` must not answer that there are no errors."""
    series = get(f"step=all&{query}")["series"]
    assert [one["points"][0]["events"] for one in series] == ([] if events is None else [events])


def test_a_label_that_no_series_has_is_refused() -> None:
    """The empty answer would look like no events; a label that some series have is fine."""
    of = Console(panes=FakePanes(stored={1_000: panes_of([encoded("request", TENANTS)])}))
    for query in ("by=tenent", "where=tenent=x"):
        problem = get(f"step=all&{query}", of)
        assert (problem["status"], problem["code"]) == (422, "unknown_label")
        assert "did you mean 'tenant'?" in problem["detail"]
    assert [one["labels"] for one in get("step=all&by=tenant", of)["series"]] == [{"tenant": ""}, {"tenant": "x"}]


def test_a_quiet_range_has_no_unknown_labels() -> None:
    """Where there is no series at all, nothing says which labels there could be."""
    assert get("step=all&by=tenant", Console(panes=FakePanes()))["series"] == []


def test_fields_are_chosen_and_sent_as_columns() -> None:
    answer = get("step=5&fields=events,p95&format=columns")
    (series,) = answer["series"]
    assert series == {
        "labels": {},
        "columns": {"t": [NOW_MS - 10_000, NOW_MS - 5_000], "events": [3, 1], "p95": [10.0625, 20.0]},
    }
    assert get("step=5&fields=p59")["code"] == "unknown_field"


def test_an_answer_is_sent_as_a_table() -> None:
    """A quote and a comma in a label stay in their cell."""
    rows = requests((NOW_MS - 1_000, '/a,"b"', 200, 2.0), (NOW_MS - 1_000, "/c", 500, 4.0))
    of = Console(panes=FakePanes(stored={1_000: panes_of([rows])}))
    answer = of.client().get(
        "/api/v1/query?service=ranker&from=-10s&step=all&by=route&fields=events,sum,errors&format=csv"
    )
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.text.splitlines() == [
        "route,t,events,sum,errors",
        f'"/a,""b""",{NOW_MS - 10_000},1,2.0,0',
        f"/c,{NOW_MS - 10_000},1,4.0,1",
    ]


def test_the_busiest_series_are_asked_for() -> None:
    answer = get("step=all&by=route&top=1")
    assert ([one["labels"] for one in answer["series"]], answer["total_series"]) == ([{"route": "/predict"}], 2)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("by=a,b,c,d,e", "too_many_labels"),
        ("&".join(f"where=a{n}=1" for n in range(11)), "too_many_filters"),
        ("quantiles=" + ",".join(f"0.{n}" for n in range(11, 22)), "invalid_parameter"),
        ("where=status=5", ""),
        ("where=status=error", "invalid_filter"),
        ("where=status_class=500", "invalid_filter"),
    ],
)
def test_a_question_is_bounded(query: str, code: str) -> None:
    assert get(f"step=all&{query}").get("code", "") == code


def test_a_service_at_its_cap_of_series_is_asked_by_route() -> None:
    """The series that took all others in stands beside as many as may be kept apart."""
    rows = [(NOW_MS - 2_000, f"/r{number}", 200, 1.0) for number in range(20)]
    other = (NOW_MS - 2_000, OTHER_LABEL, 200, 1.0)
    of = Console(
        settings=ConsoleSettings(max_series=20), panes=FakePanes(stored={1_000: panes_of([requests(*rows, other)])})
    )
    assert len(get("step=all&by=route", of)["series"]) == 21


class CountedPanes(FakePanes):
    """Counts the panes that are read at once."""

    most = 0

    def read_packed(self, service: str, step_ms: int, from_ms: int, to_ms: int) -> Sequence[PackedPane]:
        found = super().read_packed(service, step_ms, from_ms, to_ms)
        self.most = max(self.most, len(found))
        return found


def busy_panes(count: int) -> CountedPanes:
    batches = [requests(*[(NOW_MS - 1_000 * n, f"/r{r}", 200, 1.0) for r in range(50)]) for n in range(1, count + 1)]
    return CountedPanes(stored={1_000: panes_of(batches)})


def test_panes_are_merged_as_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the range is, only so many series are in memory at once; the answer is the same."""
    monkeypatch.setattr(pane_pieces, "_FIRST_PANES", 16)
    monkeypatch.setattr(pane_pieces, "_PIECE_BYTES", 20_000)
    panes = busy_panes(60)
    found = (
        Console(panes=panes)
        .client()
        .get(f"/api/v1/query?service=ranker&from={NOW_MS - 60_000}&step=15&quantiles=0.9")
        .json()
    )
    assert sum(point["count"] for point in found["series"][0]["points"]) == 3_000
    assert panes.most == 16


def test_work_is_estimated_before_it_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first panes the size of the others is known well enough to refuse them unread."""
    monkeypatch.setattr(work, "MOST_BYTES", 20_000)
    monkeypatch.setattr(pane_pieces, "_FIRST_PANES", 16)
    panes = busy_panes(60)
    found = Console(panes=panes).client().get(f"/api/v1/query?service=ranker&from={NOW_MS - 60_000}&step=15").json()
    assert (found["status"], found["code"], len(panes.asked)) == (422, "too_much_work", 1)


def test_a_rate_divides_by_what_was_there() -> None:
    """A service that began ten seconds ago has a rate over ten seconds, not over a minute."""
    of = Console(panes=FakePanes(stored={1_000: panes_of([requests(*ROWS)])}))
    assert of.client().get("/api/v1/services").json()["services"][0]["rps"] == 0.4
    early = requests((NOW_MS - 300_000, "/predict", 200, 1.0))
    panes = FakePanes(stored={1_000: panes_of([requests(*ROWS)]), 10_000: panes_of([early], 10_000)})
    assert Console(panes=panes).client().get("/api/v1/services").json()["services"][0]["rps"] == 0.0666667


@pytest.mark.parametrize("path", ["query?step=1", "heatmap?kind=request", "contributors?of=count"])
def test_an_answer_that_stays_as_it_is_may_be_kept(path: str) -> None:
    """As soon as no late event can reach its range, and not by a guess of how late events come."""
    of = Console(panes=FakePanes(stored={1_000: panes_of([requests(*ROWS)])}))
    client, fixed = of.client(), f"&service=ranker&from={NOW_MS - 60_000}&to={NOW_MS - 1_000}"

    def kept(query: str) -> str:
        return str(client.get(f"/api/v1/{path}{query}").headers["cache-control"])

    assert kept(fixed) == "private, no-cache"
    of.panes.settled = NOW_MS - 1_001
    assert kept(fixed) == "private, no-cache"
    of.panes.settled = NOW_MS - 1_000
    assert kept(fixed) == "private, max-age=3600"
    assert kept("&service=ranker&from=-1m") == "private, no-cache"
