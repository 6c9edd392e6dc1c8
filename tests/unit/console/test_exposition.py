"""``/metrics``: what it shows can be read by Prometheus' own parser, and says what is lost."""

from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families

from barograph_core.events_account import EventsAccount
from barograph_core.pipeline_status import GroupStatus, PipelineStatus, ProducerStatus, StreamStatus, WorkerStatus
from barograph_core.store_usage import StepUsage, StoreUsage
from barograph_core.stream import EntryId
from tests.unit.console.fakes import NOW_MS, Console, FakePipeline

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
    account=EventsAccount(100, 60, 1, 9, 10, 20, 7, 450, is_counted=True, last_id=EntryId(9, 0)),
    store=StoreUsage((StepUsage(1_000, 5_000, 2, 4, 9_000, 77),), 10_000),
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
    assert value("barograph_events_lost_total") == 450


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
    assert scraped(empty) == {}
