"""Services of which nothing is heard any more are forgotten; those that live are not."""

from barograph_core.server.replies import as_int
from tests.support import append
from tests.unit.aggregator.test_aggregator import Pipeline, minutes_ago

MINUTE = 60_000


def services_after_a_sweep(pipeline: Pipeline) -> dict[str, int]:
    pipeline.clock.advance(2 * MINUTE)
    pipeline.handler.tick(pipeline.clock.now_ms())
    return pipeline.store.services()


def test_a_service_without_events_and_producers_is_forgotten() -> None:
    """Its panes stay, its cursor goes: no tick names it again."""
    pipeline = Pipeline(retire_after_ms=MINUTE)
    start = minutes_ago(pipeline, 5)
    pipeline.send((start, "/a", 200, 5.0))
    pipeline.run()
    assert services_after_a_sweep(pipeline) == {}
    assert len(pipeline.store.read("ranker", 1_000, start, start + MINUTE)) == 1


def test_a_quiet_service_with_a_producer_stays() -> None:
    """Its producer reports each second: it is quiet, not gone."""
    pipeline = Pipeline(retire_after_ms=MINUTE)
    pipeline.send((minutes_ago(pipeline, 5), "/a", 200, 5.0))
    append(pipeline.connection, pipeline.keys, {}, mode="heartbeat", seq=0, through_ms=pipeline.now_ms())
    pipeline.run()
    assert list(services_after_a_sweep(pipeline)) == ["ranker"]


def test_an_event_brings_a_forgotten_service_back() -> None:
    """It is as any service from then on."""
    pipeline = Pipeline(retire_after_ms=MINUTE)
    pipeline.send((minutes_ago(pipeline, 5), "/a", 200, 5.0))
    pipeline.run()
    services_after_a_sweep(pipeline)
    pipeline.send((pipeline.now_ms() - 5_000, "/a", 200, 5.0))
    pipeline.run()
    assert list(pipeline.store.services()) == ["ranker"]


def test_a_service_that_comes_back_with_an_old_event_goes_on_closing() -> None:
    """One instance delivers what it had kept and dies, another begins: nothing waits for stored panes to expire."""
    pipeline = Pipeline(retire_after_ms=MINUTE)
    start = minutes_ago(pipeline, 3)
    pipeline.send(*((start + second * 1_000, "/a", 200, 5.0) for second in range(10)))
    pipeline.run()
    services_after_a_sweep(pipeline)
    pipeline.send((start + 2_000, "/a", 200, 5.0))
    append(pipeline.connection, pipeline.keys, {}, mode="heartbeat", seq=0, through_ms=start + 3_000)
    pipeline.run()
    pipeline.send((pipeline.now_ms() - 3_000, "/a", 200, 5.0))
    pipeline.run()
    behind_ms = pipeline.now_ms() - pipeline.store.services()["ranker"]
    stored = pipeline.store.read("ranker", 1_000, start, start + 10_000)
    assert behind_ms < 5_000
    assert [pane.pane.requests for pane in stored] == [1, 1, 2, 1, 1, 1, 1, 1, 1, 1]


def test_how_far_a_retired_service_was_closed_is_forgotten_with_its_panes() -> None:
    """Else names of services would gather for ever."""
    pipeline = Pipeline(retire_after_ms=MINUTE, keep="1s:20s,10s:2h")
    pipeline.send((minutes_ago(pipeline, 5), "/a", 200, 5.0))
    pipeline.run()
    services_after_a_sweep(pipeline)
    retired = as_int(pipeline.connection.command("HGET", pipeline.keys.progress, "retired:ranker"))
    pipeline.clock.advance(2 * MINUTE)
    pipeline.connection.command("HSET", pipeline.keys.progress, "watermark_ms", retired + 31_000)
    pipeline.handler.tick(pipeline.clock.now_ms())
    assert pipeline.connection.command("HEXISTS", pipeline.keys.progress, "retired:ranker") == 0


def test_the_hour_of_a_forgotten_service_is_still_made() -> None:
    """Its roll-ups become due after it has left the list."""
    pipeline = Pipeline(retire_after_ms=MINUTE, keep="1s:15m,10s:2h")
    start = minutes_ago(pipeline, 5)
    pipeline.send((start, "/a", 200, 5.0))
    pipeline.handler.handle(pipeline.read(), is_redelivered=False)
    pipeline.handler.close_panes(0, start + 2_000, 0)
    pipeline.connection.command("HDEL", pipeline.keys.closed, "ranker")
    pipeline.handler.close_panes(0, start + MINUTE, 0)
    assert [pane.pane.requests for pane in pipeline.store.read("ranker", 10_000, start, start + MINUTE)] == [1]
