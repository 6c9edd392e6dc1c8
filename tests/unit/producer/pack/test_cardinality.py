"""The guard against too many label sets: what is folded, and which label is named for it."""

# The passes are made through the worker that the producer hides from its host.
# pyright: reportPrivateUsage=false

import json
import logging
from collections import Counter

import pytest

from barograph_core.events.encode import LabelSet
from barograph_core.events.kinds import KindName
from barograph_producer import Producer
from barograph_producer._pack.cardinality import MAX_NAMES, CardinalityReport
from tests.support import FakeClock
from tests.unit.producer.fake_server import FakeServer, series_of

ROUTES: list[tuple[KindName, LabelSet]] = [("request", (f"/{i}", method)) for i in range(5) for method in "ab"]
DEPTHS: list[tuple[KindName, LabelSet]] = [("custom", ("depth", "pool", "gpu", "user", str(i))) for i in range(19)]
PATHS: list[tuple[KindName, LabelSet]] = [("request", (f"/{i}", "GET")) for i in range(900)]


@pytest.mark.parametrize(
    ("kind", "labels", "name"),
    [
        ("request", ("/new", "a"), "request.route"),
        ("request", ("/0", "c"), "request.method"),
        ("request", ("/new", "c"), "request.route"),
        ("custom", ("depth", "pool", "gpu", "user", "77"), "custom.depth.user"),
        ("custom", ("depth", "pool", "tpu", "user", "3"), "custom.depth.pool"),
        ("custom", ("depth_of_77",), "custom.name"),
        ("custom", ("depth_of_77", "user", "3"), "custom.name"),
        ("custom", ("depth", "user_77", "1"), "custom.depth.user"),
        ("model", ("ctr", "7"), "custom.depth.user"),
    ],
)
def test_the_label_with_a_new_value_and_the_most_values_is_named(kind: KindName, labels: LabelSet, name: str) -> None:
    assert CardinalityReport(ROUTES + DEPTHS).blame(kind, labels) == name


def test_a_new_combination_of_known_values_names_the_label_with_the_most() -> None:
    admitted: list[tuple[KindName, LabelSet]] = [("request", (f"/{i}", "a")) for i in range(3)]
    assert CardinalityReport([*admitted, ("request", ("/0", "b"))]).blame("request", ("/1", "b")) == "request.route"


def test_who_merely_came_too_late_is_not_blamed() -> None:
    """A scanner's paths took the room; then a new version of the model finds none."""
    report = CardinalityReport([*PATHS, ("model", ("ctr", "1")), ("model", ("ctr", "2"))])
    assert report.blame("model", ("ctr", "3")) == "request.route"
    assert report.blame("custom", ("depth",)) == "request.route"


def test_what_explodes_later_is_found_out() -> None:
    """Many routes are in order; then one metric has a label for each user."""
    report = CardinalityReport([*PATHS, ("custom", ("depth", "user", "0"))])
    blamed = Counter(report.blame("custom", ("depth", "user", str(i))) for i in range(1, 10_001))
    assert blamed == {"request.route": 88, "custom.depth.user": 9_912}


def test_of_two_that_explode_both_are_named() -> None:
    report = CardinalityReport(PATHS)
    blamed = Counter[str]()
    for i in range(10_000):
        blamed[report.blame("request", (f"/new/{i}", "GET"))] += 1
        blamed[report.blame("custom", ("depth", "user", str(i)))] += 1
    assert blamed["request.route"] > 10_000
    assert blamed["custom.depth.user"] > 9_500


def test_free_labels_of_requests_are_named_too() -> None:
    admitted: list[tuple[KindName, LabelSet]] = [("request", ("/a", "GET", "tenant", str(i))) for i in range(5)]
    assert CardinalityReport(admitted).blame("request", ("/a", "GET", "tenant", "x")) == "request.tenant"


def test_the_names_that_are_given_are_bounded() -> None:
    """They go into the liveness hash each second."""
    admitted: list[tuple[KindName, LabelSet]] = [
        ("custom", (f"n{i}", "user", str(user))) for i in range(100) for user in range(20)
    ]
    report = CardinalityReport(admitted)
    given = Counter(report.blame("custom", (f"n{i}", "user", "x")) for i in range(100))
    assert len(given) == MAX_NAMES + 1
    assert given["__other__"] == 100 - MAX_NAMES


def test_folded_events_are_counted_and_reported_by_label(caplog: pytest.LogCaptureFixture) -> None:
    """In ``stats()``, in the liveness hash, and in the log at most once a minute; the totals stay right."""
    server, clock = FakeServer(), FakeClock()
    producer = Producer("ranker", connect=server.connect, clock=clock, sample_process=False, max_label_sets=10)
    producer._lifecycle.state.permit.clear()
    loop = producer._lifecycle.loop
    with caplog.at_level(logging.WARNING, "barograph_producer"):
        for batch in range(3):
            for i in range(100):
                producer.request(f"/users/{batch}-{i}", "GET", 200, 1.0)
            loop.make_pass()
            clock.advance(1_000)
        loop.make_pass()
    stats = producer.stats()
    assert stats.folded_by == {"request.route": 290}
    assert (stats.folded, stats.shipped, stats.lost) == (290, 300, 0)
    liveness = [call.liveness for call in server.calls if call.liveness]
    assert json.loads(liveness[-1])["folded_by"] == dict(stats.folded_by)
    routes = Counter(
        batch.labels[series][0]
        for batch in server.batches()
        if batch.kind.name == "request"
        for series in series_of(batch)
    )
    assert routes["__other__"] == 290
    logged = [record.message for record in caplog.records]
    assert logged == ["producer.labels_folded"]
