"""What the console says of objectives: REST and ``/metrics``."""

import subprocess
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from barograph_console.slos.samples import MOST_SETS, slo_samples
from barograph_console.slos.view import MOST_ROWS, slos_document
from barograph_core.alerts.published_rules import PublishedRule, PublishedRules, PublishedSlo, PublishedWindows
from barograph_core.alerts.record import AlertState, Severity
from barograph_core.errors import StreamUnavailableError
from barograph_core.objectives.ledger import StoreNow
from barograph_core.objectives.status import ServiceObjectives, SloStatus
from tests.support import FakeClock
from tests.unit.console.exposition.test_routes import promtool
from tests.unit.console.fakes import NOW_MS, Console, FakeAlerts, FakePanes, FakeRules, panes_of, record, requests

HOUR_MS, DAY_MS = 3_600_000, 86_400_000


def slo(name: str = "speed", good: str = "duration_ms < 300", **facts: Any) -> PublishedRule:
    windows = (PublishedWindows(Severity.CRITICAL, 4.0, HOUR_MS, 300_000),)
    rule = PublishedRule(
        name=name,
        on="request",
        severity=Severity.CRITICAL,
        window_ms=300_000,
        when="count > 1",
        services=("ranker",),
        slo=PublishedSlo(good, 0.9, 30 * DAY_MS, 5, windows),
    )
    return replace(rule, **facts)


def console(*rules: PublishedRule, alerts: FakeAlerts | None = None) -> Console:
    """Return a console over a service with 6 fast requests, 3 slow ones and one that failed."""
    times = range(NOW_MS - 20_000, NOW_MS - 10_000, 1_000)
    rows = [
        (at_ms, "/slow" if index < 3 else "/a", 500 if index == 9 else 200, 400.0 if index < 3 else 20.0)
        for index, at_ms in enumerate(times)
    ]
    stored = {step_ms: panes_of([requests(*rows)], step_ms) for step_ms in (1_000, 10_000, 60_000, HOUR_MS)}
    return Console(
        panes=FakePanes(stored=stored),
        rules=FakeRules(PublishedRules.of(rules, 1)),
        alerts=alerts or FakeAlerts(),
        clock=FakeClock(NOW_MS),
    )


def get(made: Console, query: str = "") -> dict[str, Any]:
    answer = made.client().get(f"/api/v1/slos{query}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_an_objective_says_what_is_left_and_how_fast_it_burns() -> None:
    """3 of 10 are slow where one may be: twice too many, at three times the allowed rate."""
    (row,) = get(console(slo()))["slos"]
    assert (row["name"], row["service"], row["labels"], row["good"]) == ("speed", "ranker", {}, "duration_ms < 300")
    assert (row["events"], row["bad"], row["good_ratio"], row["in_doubt"], row["is_exact"]) == (10, 3, 0.7, 0, True)
    assert (row["budget_left_ratio"], row["burn_rate"], row["exhausted_in_ms"]) == (-2.0, 3.0, 0)
    assert row["text"] == "the budget for 30 days is spent and 200 % over; counted for 20.0 s so far"
    (pair,) = row["windows"]
    assert (pair["burn_rate"], pair["long_burn_rate"], pair["short_burn_rate"]) == (4.0, 3.0, 3.0)
    assert (pair["long_step_ms"], pair["short_step_ms"], row["step_ms"]) == (60_000, 1_000, HOUR_MS)
    assert (pair["short_events"], pair["is_burning"]) == (10, False)
    assert (row["burn_down"][-2], row["burn_down"][-1]) == (None, -2.0)


def test_the_least_budget_comes_first_and_an_alert_stands_with_its_own() -> None:
    """One row for each label set, with the alert of that one."""
    held = record(rule="routes", labels={"route": "/slow"}, severity=Severity.CRITICAL, state=AlertState.FIRING)
    made = console(slo("errors", "errors == 0"), slo("routes", by=("route",)), alerts=FakeAlerts(held=[held, record()]))
    found = get(made)
    assert [(row["name"], row["labels"], row["budget_left_ratio"]) for row in found["slos"]] == [
        ("routes", {"route": "/slow"}, -9.0),
        ("errors", {}, 0.0),
        ("routes", {"route": "/a"}, 1.0),
    ]
    assert found["total"] == 3
    assert [row["alert"] for row in found["slos"]] == [
        {"id": held.alert_id, "state": "firing", "severity": "critical"},
        None,
        None,
    ]


def test_a_bound_that_is_no_edge_says_where_events_are_counted() -> None:
    """Nobody needs to know what a bin is to see that 750 is counted at 752."""
    (row,) = get(console(slo(good="duration_ms < 750")))["slos"]
    assert (row["is_exact"], row["counted_at"], row["in_doubt"]) == (False, 752.0, 0)


def test_without_objectives_or_events_the_answer_says_so() -> None:
    """An empty list, or a whole budget of which nothing is known."""
    assert get(console())["slos"] == []
    assert get(console(slo(services=("other",))))["slos"] == []
    (row,) = get(console(slo(on="model", slo=replace(slo().slo, good="latency_ms < 5"))))["slos"]  # type: ignore[type-var]
    assert (row["events"], row["good_ratio"], row["burn_rate"], row["budget_left_ratio"]) == (0, None, None, 1.0)
    assert row["text"] == "no event within 30 days"


def test_one_service_can_be_asked_for_and_an_unknown_one_is_told() -> None:
    """As on every route."""
    assert len(get(console(slo()), "?service=ranker")["slos"]) == 1
    answer = console(slo()).client().get("/api/v1/slos?service=rankr")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_service")
    answer = console(slo()).client().get("/api/v1/slos?servce=ranker")
    assert answer.status_code == 422


def test_looks_within_seconds_of_each_other_read_nothing() -> None:
    """A hundred viewers and a scraper cost as much as one; later, only what is new is read."""
    made = console(slo())
    client = made.client()
    client.get("/api/v1/slos")
    asked = len(made.panes.asked)
    client.get("/api/v1/slos?service=ranker")
    client.get("/metrics")
    assert [one for one in made.panes.asked[asked:] if one[2] - one[1] > 120_000] == []
    made.clock.advance(6_000)
    client.get("/api/v1/slos?service=")
    assert len(made.panes.asked) > asked


def test_a_server_that_is_gone_is_told() -> None:
    """503, as everywhere; not an empty list."""
    made = console(slo())
    made.panes.error = StreamUnavailableError("unreachable")
    assert made.client().get("/api/v1/slos").status_code == 503


def samples_of(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("barograph_slo_")
    }


def test_metrics_have_the_figures_of_each_objective() -> None:
    """Plain gauges, right after any restart."""
    found = samples_of(console(slo()).client().get("/metrics").text)
    own = (("service", "ranker"), ("slo", "speed"))
    assert found == {
        ("barograph_slo_objective_ratio", own): 0.9,
        ("barograph_slo_budget_left_ratio", own): pytest.approx(-2.0),
        ("barograph_slo_events", own): 10.0,
        ("barograph_slo_bad_events", own): 3.0,
        ("barograph_slo_exhausted_seconds", own): 0.0,
        ("barograph_slo_burn_rate", (*own, ("window", "1h"))): pytest.approx(3.0),
        ("barograph_slo_burn_rate", (*own, ("window", "5m"))): pytest.approx(3.0),
    }


def test_promtool_finds_nothing_to_complain_of_in_objectives() -> None:
    """Also with labels of other letters, and with a label set."""
    text = console(slo(), slo("routes", by=("route", "région"))).client().get("/metrics").text
    assert 'route="/slow"' in text
    assert 'r_gion=""' in text
    done = subprocess.run([promtool(), "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def any_status() -> SloStatus:
    panes = console(slo()).panes
    found = ServiceObjectives("ranker", [slo(by=("route",))]).read(panes, StoreNow(panes.stored_steps, NOW_MS, NOW_MS))
    return found[0]


def test_of_very_many_label_sets_the_least_budgets_are_shown() -> None:
    """An answer and a scrape are bounded; the answer says how many there are."""
    one = any_status()
    many = [replace(one, left=1 - number / 10_000, labels={"route": f"/{number}"}) for number in range(1_200)]
    document = slos_document(many, [], NOW_MS)
    assert (len(document.slos), document.total) == (MOST_ROWS, 1_200)
    assert document.slos[0].labels == {"route": "/1199"}
    assert len({sample.labels["route"] for sample in slo_samples(many)}) == MOST_SETS
