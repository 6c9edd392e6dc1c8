"""``/metrics``: what it shows can be read by Prometheus' own parser, and says what is lost."""

import gzip
import shutil
import subprocess
from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from barograph_console.exposition.minute_samples import busiest_routes
from barograph_core.events.kinds import Labels
from barograph_core.pipeline.account import EventsAccount
from barograph_core.pipeline.channels import ChannelStatus
from barograph_core.pipeline.closing import StuckClosing
from barograph_core.pipeline.probing.beats import Beat
from barograph_core.pipeline.services import ServiceTotals
from barograph_core.pipeline.status import GroupStatus, PipelineStatus, ProducerStatus, StreamStatus, WorkerStatus
from barograph_core.server.replies import EntryId
from barograph_core.store.usage import StepUsage, StoreUsage
from tests.support import IS_CI
from tests.unit.console.fakes import NOW_MS, Console, FakeAlerts, FakePanes, FakePipeline, panes_of, record, requests

GROUP = GroupStatus("aggregator", EntryId(5, 1), 3, False, 2, EntryId(4, 0), 1_200, ())
FACTS = {"commits": "12", "commit_ms_p50": "1.5", "commit_ms_p99": "9", "commit_ms_count": "12", "commit_ms_sum": "30"}
STATUS = PipelineStatus(
    at_ms=NOW_MS,
    streams=(StreamStatus("events", "baro:{0}:events", 7, 9, EntryId(1, 0), EntryId(9, 0), (GROUP,), 4_096),),
    watermark_ms=NOW_MS - 700,
    closed={},
    workers=(
        WorkerStatus("aggregator", 'h:1:"a"\\', 5, True, FACTS),
        WorkerStatus("aggregator", "h:2:b", 60_000, False, {}),
    ),
    producers=(ProducerStatus("ranker", "h:9:c", 0, 0, 5, {"buffer_full": 4}, {}, False, False, late=3, future=0),),
    account=EventsAccount(
        100, 60, 1, 9, 10, 20, 7, 450, is_counted=True, last_id=EntryId(9, 0), dead_counted=1, dead_events=11
    ),
    store=StoreUsage((StepUsage(1_000, 5_000, 2, 4, 9_000, 77),), 10_000),
    services=(ServiceTotals("ranker", {"buffer_full": 6}, 3, 2, 1, 4, 5),),
    channels=(ChannelStatus("hook", 2, 3, False, 1_500, {"sent": 7, "retry": 1, "dead": 8, "suppressed": 2}),),
    stuck=(StuckClosing("ranker", 1_000, 0, 45_000, 2, "foreign data"),),
    open_panes=9,
    heartbeats=(Beat(name="watch", every_ms=60_000, sent_ms=NOW_MS - 1_500, sent=3),),
)


def scraped(status: PipelineStatus = STATUS) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """Return sample name -> labels -> value, as Prometheus reads the answer."""
    answer = Console(pipeline=FakePipeline([status])).client().get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def value(name: str, **labels: str) -> float:
    return scraped()[name][tuple(sorted({"shard": "0", **labels}.items()))]


def test_the_account_is_there_with_what_is_lost() -> None:
    """An alert on `increase(barograph_entries_lost_total[5m]) > 0` is all it takes."""
    names = ("added", "committed", "dead", "lost")
    assert [value(f"barograph_entries_{name}_total") for name in names] == [100, 60, 1, 9]
    assert (value("barograph_entries_pending"), value("barograph_entries_unread")) == (10, 20)
    assert (value("barograph_events_lost_total"), value("barograph_events_dead_total")) == (450, 11)


def test_lag_and_memory_are_in_base_units() -> None:
    assert (value("barograph_lag_seconds"), value("barograph_watermark_age_seconds")) == (1.2, 0.7)
    assert value("barograph_stream_bytes", stream="events") == 4_096
    assert value("barograph_store_bytes", step_ms="1000") == 5_000
    assert value("barograph_store_dropped_blocks_total", step_ms="1000") == 4


def test_a_workers_figures_bear_its_name_whatever_is_in_it() -> None:
    """Quotes and backslashes in a name must not break the lines after it."""
    labels = {"stage": "aggregator", "worker": 'h:1:"a"\\'}
    assert value("barograph_worker_commits_total", **labels) == 12
    assert value("barograph_worker_commit_seconds", **labels, quantile="0.99") == 0.009
    assert value("barograph_worker_commit_seconds_sum", **labels) == 0.03
    assert value("barograph_workers", stage="aggregator") == 1


def test_producers_tell_what_they_dropped_and_what_came_too_late() -> None:
    labels = {"service": "ranker", "instance": "h:9:c"}
    assert value("barograph_producer_dropped_events_total", **labels, reason="buffer_full") == 4
    assert value("barograph_producer_late_events_total", **labels) == 3
    assert value("barograph_producers", service="ranker", state="live") == 1


def test_totals_of_services_and_channels_are_there_without_the_processes_that_counted() -> None:
    names = ("late_events", "future_events", "duplicate_batches", "shared_names")
    assert [value(f"barograph_service_{name}_total", service="ranker") for name in names] == [3, 2, 1, 4]
    assert value("barograph_service_dropped_events_total", service="ranker", reason="buffer_full") == 6
    assert value("barograph_service_open_revisions", service="ranker") == 5
    waiting = ("barograph_outbox_notifications", "barograph_outbox_age_seconds")
    assert [value(name, channel="hook") for name in waiting] == [3, 1.5]
    assert [value("barograph_deliveries_total", channel="hook", result=result) for result in ("sent", "dead")] == [7, 8]
    beats = ("barograph_heartbeats_sent_total", "barograph_heartbeat_age_seconds")
    assert [value(name, heartbeat="watch") for name in beats] == [3, 1.5]
    assert (value("barograph_stuck_closings"), value("barograph_open_panes")) == (1, 9)


def test_each_family_is_named_once_with_several_shards() -> None:
    """The format wants all samples of a name together, under one line of help and type."""
    pipeline = FakePipeline([STATUS, replace(STATUS, shard="7")])
    lines = Console(pipeline=pipeline).client().get("/metrics").text.splitlines()
    helps = [line.split(" ", 3)[2] for line in lines if line.startswith("# HELP")]
    assert len(helps) == len(set(helps)) > 15
    assert [line for line in lines if line.startswith("barograph_lag_seconds{")] == [
        'barograph_lag_seconds{shard="0"} 1.2',
        'barograph_lag_seconds{shard="7"} 1.2',
    ]


def test_before_anything_ran_there_is_an_answer() -> None:
    empty = PipelineStatus(NOW_MS, (), None, {}, (), ())
    assert set(scraped(empty)) == {
        "alertmanager_build_info",
        "barograph_build_info",
        "barograph_console_clients",
        "barograph_service_closed_age_seconds",
    }


MINUTE_MS = 60_000
LAST_MS = NOW_MS - NOW_MS % MINUTE_MS
OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"


def busy(routes: int = 2) -> Console:
    """Return a console whose last closed minute has one to three requests of each route, the first of which failed."""
    rows = [
        (LAST_MS - MINUTE_MS + 10 * (number + 1), f"/r{number}", 500 if at == 0 else 200, 20.0)
        for number in range(routes)
        for at in range(1 + number % 3)
    ]
    minute = panes_of([requests(*rows[at : at + 1_000]) for at in range(0, len(rows), 1_000)], MINUTE_MS)
    panes = FakePanes(stored={step: [] for step in (1_000, 10_000)} | {MINUTE_MS: minute})
    panes.closed = {"ranker": LAST_MS + 2 * MINUTE_MS}
    console = Console(panes=panes, pipeline=FakePipeline([STATUS]), alerts=FakeAlerts(held=[record()]))
    console.clock.advance(2 * MINUTE_MS)
    panes.stored[MINUTE_MS] = [replace(pane, start_ms=LAST_MS + MINUTE_MS) for pane in minute]
    panes.stored[10_000] = [replace(pane, start_ms=LAST_MS + MINUTE_MS) for pane in minute]
    return console


def families_of(client: TestClient) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(client.get("/metrics").text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def test_the_last_closed_minute_is_there_by_route() -> None:
    """Requests a second, share of errors and durations in seconds, of the whole minute and not of the open one."""
    found = families_of(busy().client())
    labels = (("method", "GET"), ("route", "/r1"), ("service", "ranker"))
    assert found["barograph_window_requests_per_second"][labels] == pytest.approx(2 / 60)
    assert found["barograph_window_error_ratio"][labels] == 0.5
    quantile = tuple(sorted([*labels, ("quantile", "0.95")]))
    assert found["barograph_window_duration_seconds"][quantile] == pytest.approx(0.02, rel=0.01)
    assert found["barograph_window_apdex_ratio"][(("service", "ranker"),)] == pytest.approx(1 / 3)


def test_a_young_services_rate_is_that_of_the_time_it_was_there() -> None:
    """Its first request came 20 s before the minute ended: to divide by all of the minute would show a third."""
    began_ms = LAST_MS + 2 * MINUTE_MS - 20_000
    rows = [(began_ms + 1_000 * number, "/r", 200, 20.0) for number in range(20)]
    stored = {step_ms: panes_of([requests(*rows)], step_ms) for step_ms in (1_000, 10_000, MINUTE_MS)}
    panes = FakePanes(stored=stored)
    panes.closed = {"ranker": LAST_MS + 2 * MINUTE_MS}
    console = Console(panes=panes, pipeline=FakePipeline([STATUS]))
    console.clock.advance(2 * MINUTE_MS)
    found = families_of(console.client())["barograph_window_requests_per_second"]
    assert list(found.values()) == [1.0]


def test_alerts_are_counted_by_rule_and_state() -> None:
    found = families_of(busy().client())["barograph_alerts"]
    assert found == {
        (("rule", "high-error-rate"), ("service", "ranker"), ("severity", "error"), ("state", "firing")): 1.0
    }


def test_a_minute_is_read_once_however_often_it_is_scraped() -> None:
    console = busy()
    client = console.client()
    client.get("/metrics")
    asked = len(console.panes.asked)
    for _ in range(5):
        client.get("/metrics")
    assert len(console.panes.asked) == asked


def test_a_silent_service_shows_its_age_and_no_old_figures() -> None:
    console = busy()
    console.clock.advance(10 * MINUTE_MS)
    found = families_of(console.client())
    assert "barograph_window_requests_per_second" not in found
    assert found["barograph_service_closed_age_seconds"][(("service", "ranker"),)] > 600


def test_of_very_many_routes_the_busiest_are_named_and_none_is_lost() -> None:
    """A thousand series at most; the sum over all is that of all requests."""
    found = families_of(busy(routes=1_100).client())["barograph_window_requests_per_second"]
    assert len(found) == 1_000
    assert sum(found.values()) == pytest.approx(sum(1 + number % 3 for number in range(1_100)) / 60)
    assert found[(("method", "other"), ("route", "other"), ("service", "ranker"))] > 0
    assert (("method", "GET"), ("route", "/r1097"), ("service", "ranker")) in found


def test_the_bound_holds_over_all_services() -> None:
    """The busiest routes of all services are named; each service has room for one more, the others."""
    counts: dict[str, dict[Labels, int]] = {
        f"s{number}": {(f"/r{route}", "GET"): number + route for route in range(100)} for number in range(20)
    }
    shown = busiest_routes(counts)
    assert sum(len(routes) for routes in shown.values()) + len(counts) <= 1_000
    assert ("/r99", "GET") in shown["s19"]
    assert ("/r0", "GET") not in shown["s0"]


def test_openmetrics_is_given_to_those_who_ask_for_it() -> None:
    """Read by the reference parser; the same figures as in the other format."""
    client = busy().client()
    answer = client.get("/metrics", headers={"Accept": OPENMETRICS})
    assert answer.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    families: Any = openmetrics.text_string_to_metric_families(answer.text)  # type: ignore[no-untyped-call]  # has no types
    found = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }
    plain = {
        (name, labels): value for name, members in families_of(client).items() for labels, value in members.items()
    }
    assert found == plain
    assert answer.text.endswith("# EOF\n")


def test_the_answer_is_compressed_for_those_who_take_that() -> None:
    client = busy(routes=200).client()
    with client.stream("GET", "/metrics", headers={"Accept-Encoding": "gzip"}) as answer:
        assert answer.headers["content-encoding"] == "gzip"
        packed = b"".join(answer.iter_raw())
    assert b"barograph_window_requests_per_second" in gzip.decompress(packed)


def promtool() -> str:
    """Return the path of promtool; without it a test is skipped on a laptop, and fails in CI."""
    found = shutil.which("promtool")
    if found is None and not IS_CI:
        pytest.skip("promtool is not installed")
    assert found is not None, "promtool is not installed, and in CI nothing may be skipped for that"
    return found


def test_promtool_finds_nothing_to_complain_of() -> None:
    text = busy(routes=20).client().get("/metrics").text
    done = subprocess.run([promtool(), "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
