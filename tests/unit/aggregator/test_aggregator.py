"""The aggregator's handler on fakeredis: events to panes, panes to closed panes and roll-ups."""

import pytest

from barograph_aggregator.commit.commit import FencedCommitter
from barograph_aggregator.settings import AggregatorSettings
from barograph_aggregator.worker import AggregatorHandler
from barograph_core.events.encode import entry_fields
from barograph_core.keyspace.keys import AGGREGATOR_GROUP, ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import Entry, as_entries, as_hash, as_int, as_list
from barograph_core.steps import DEFAULT_KEEP, parse_keep
from barograph_core.store.pane_store import PaneStore
from barograph_core.workers.consumer import UnreadableEntryError
from barograph_core.workers.counters import WorkerCounters
from tests.batches import encoded, request
from tests.support import FakeClock, append, fake_connection, request_batch


class Pipeline:
    """One aggregator over a fakeredis whose clock is the machine's; event times are given."""

    def __init__(
        self, *, name: str = "mine", connection: Connection | None = None, keep: str = DEFAULT_KEEP, **settings: object
    ) -> None:
        self.connection = connection or fake_connection()
        self.keys = ShardKeys()
        self.steps = parse_keep(keep)
        self.settings = AggregatorSettings(**({"self_panes": False} | settings))  # type: ignore[arg-type]  # each test names one or two
        self.counters = WorkerCounters()
        self.name = name
        self.clock = FakeClock(self.now_ms())
        committer = FencedCommitter(
            self.connection, self.keys, group=AGGREGATOR_GROUP, consumer=name, step_ms=1_000, keep_metrics_ms=3_600_000
        )
        self.handler = AggregatorHandler(
            self.connection,
            self.keys,
            self.settings,
            steps=self.steps,
            consumer=name,
            committer=committer,
            clock=self.clock,
            counters=self.counters,
        )
        self.store = PaneStore(self.connection, self.keys, self.steps)
        self._seq = 0

    def now_ms(self) -> int:
        return as_int(as_list(self.connection.command("TIME"))[0]) * 1_000

    def send(self, *requests: tuple[int, str, int, float]) -> None:
        self._seq += 1
        append(self.connection, self.keys, request_batch(list(requests), seq=self._seq), seq=self._seq)

    def read(self) -> list[Entry]:
        command = ("XGROUP", "CREATE", self.keys.events, AGGREGATOR_GROUP, "0", "MKSTREAM")
        if not as_list(self.connection.command("XINFO", "GROUPS", self.keys.events)):
            self.connection.command(*command)
        reply = self.connection.command(
            "XREADGROUP", "GROUP", AGGREGATOR_GROUP, self.name, "STREAMS", self.keys.events, ">"
        )
        return [] if reply is None else as_entries(as_list(as_list(reply)[0])[1])

    def run(self) -> None:
        self.handler.handle(self.read(), is_redelivered=False)
        self.handler.tick(self.now_ms())


def minutes_ago(pipeline: Pipeline, minutes: int) -> int:
    """Return a time that many minutes ago, at the start of its minute."""
    return (pipeline.now_ms() // 60_000 - minutes) * 60_000


def test_events_become_closed_panes_of_their_own_time() -> None:
    """Event time decides the pane, not the time of arrival."""
    pipeline = Pipeline()
    start = minutes_ago(pipeline, 2)
    pipeline.send((start + 999, "/a", 200, 5.0), (start + 1_000, "/a", 500, 7.0))
    pipeline.run()
    panes = pipeline.store.read("ranker", 1_000, start, start + 60_000)
    assert [(pane.start_ms - start, pane.pane.requests, pane.pane.errors) for pane in panes] == [
        (0, 1, 0),
        (1_000, 1, 1),
    ]


def test_roll_ups_reach_the_coarsest_step_that_is_over() -> None:
    """1 s, 10 s and 1 min panes hold the same events."""
    pipeline = Pipeline()
    start = minutes_ago(pipeline, 2)
    pipeline.send((start + 1, "/a", 200, 5.0), (start + 15_000, "/a", 200, 7.0))
    pipeline.run()
    counts = {
        step: [pane.pane.requests for pane in pipeline.store.read("ranker", step, start, start + 60_000)]
        for step in (1_000, 10_000, 60_000)
    }
    assert counts == {1_000: [1, 1], 10_000: [1, 1], 60_000: [2]}


def test_a_late_event_revises_its_pane_and_every_roll_up() -> None:
    """Late but allowed: the next revision includes it."""
    pipeline = Pipeline()
    start = minutes_ago(pipeline, 2)
    pipeline.send((start + 1, "/a", 200, 5.0))
    pipeline.run()
    pipeline.send((start + 2, "/a", 200, 7.0))
    pipeline.run()
    found = [pipeline.store.read("ranker", step, start, start + 1)[0] for step in (1_000, 10_000, 60_000)]
    assert [(pane.revision, pane.pane.requests) for pane in found] == [(1, 2), (1, 2), (1, 2)]


def test_an_event_beyond_the_allowed_lateness_is_counted_and_dropped() -> None:
    """Lateness is entry time less event time: a function of the log alone."""
    pipeline = Pipeline(allowed_lateness_ms=60_000)
    now = pipeline.now_ms()
    pipeline.send((now - 200_000, "/a", 200, 5.0), (now - 10_000, "/a", 200, 5.0))
    pipeline.run()
    assert (pipeline.counters["events_late"], pipeline.counters["events_committed"]) == (1, 1)


def test_an_event_from_the_future_is_counted_and_dropped() -> None:
    """A producer whose clock is wrong cannot open panes for years ahead."""
    pipeline = Pipeline()
    pipeline.send((pipeline.now_ms() + 3_600_000, "/a", 200, 5.0))
    pipeline.run()
    assert (pipeline.counters["events_late"], pipeline.counters["events_committed"]) == (1, 0)


def test_a_pane_stays_open_until_the_watermark_has_passed_its_end() -> None:
    """What is still to come decides, not what has come."""
    pipeline = Pipeline(grace_ms=600_000)
    pipeline.send((pipeline.now_ms(), "/a", 200, 5.0))
    pipeline.run()
    assert pipeline.store.services() == {}


def test_an_unreadable_entry_is_named() -> None:
    """The loop buries it; the others are handed over again."""
    pipeline = Pipeline()
    pipeline.connection.command("XADD", pipeline.keys.events, "*", "v", "99")
    with pytest.raises(UnreadableEntryError, match="schema version"):
        pipeline.run()


def test_entries_claimed_away_are_left_to_their_new_owner() -> None:
    """The batch is rebuilt without them; nothing counts twice."""
    pipeline = Pipeline()
    start = minutes_ago(pipeline, 2)
    pipeline.send((start, "/a", 200, 5.0))
    pipeline.send((start, "/b", 200, 5.0))
    entries = pipeline.read()
    pipeline.connection.command("XCLAIM", pipeline.keys.events, AGGREGATOR_GROUP, "other", 0, str(entries[0].id))
    pipeline.handler.handle(entries, is_redelivered=False)
    assert (pipeline.counters["fence_rejections"], pipeline.counters["events_committed"]) == (1, 1)


def test_series_beyond_the_cap_are_folded_into_other() -> None:
    """Totals stay exact; the number of series stays bounded."""
    pipeline = Pipeline(series_cap=2)
    start = minutes_ago(pipeline, 2)
    pipeline.send(*((start, f"/{number}", 200, 5.0) for number in range(5)))
    pipeline.run()
    (found,) = pipeline.store.read("ranker", 1_000, start, start + 1_000)
    assert (len(found.pane.labels("request")), found.pane.requests, pipeline.counters["series_refused"]) == (3, 5, 3)


def test_a_closed_entry_tells_the_figures_in_plain_text() -> None:
    """redis-cli XRANGE is enough to see how the service is."""
    pipeline = Pipeline()
    start = minutes_ago(pipeline, 2)
    pipeline.send((start, "/a", 200, 10.0), (start, "/a", 503, 10.0))
    pipeline.run()
    entries = as_list(pipeline.connection.command("XRANGE", pipeline.keys.metrics, "-", "+"))
    fields = [as_hash(as_list(entry)[1]) for entry in entries]
    closed = next(field for field in fields if field["type"] == b"closed" and field["start_ms"] == str(start).encode())
    assert (closed["requests"], closed["errors"], closed["error_rate"], closed["p95_ms"]) == (b"2", b"1", b"0.5", b"10")
    assert closed["estimated"] == b"0"


def test_a_closed_entry_says_how_many_requests_are_estimates() -> None:
    """A sampled request counts as often as its weight says, and is known for it."""
    pipeline = Pipeline()
    start = minutes_ago(pipeline, 2)
    batch = encoded("request", [request(start, 10.0, weight=20), request(start, 10.0, status=500)])
    fields = entry_fields(batch, service="ranker", instance="host:1:0000000000000001", seq=1, through_ms=0)
    append(pipeline.connection, pipeline.keys, fields)
    pipeline.run()
    (pane,) = pipeline.store.read("ranker", 1_000, start, start + 1_000)
    assert (pane.pane.requests, pane.pane.errors, pane.pane.estimated) == (21, 1, 20)
    assert pipeline.counters["events_committed"] == 21


def test_a_dead_producer_leaves_panes_that_say_so() -> None:
    """Silence is not quiet while an instance is missing."""
    pipeline = Pipeline()
    now = pipeline.now_ms()
    pipeline.send((now - 10_000, "/a", 200, 5.0))
    append(pipeline.connection, pipeline.keys, {}, mode="heartbeat", seq=0, through_ms=now - 8_000)
    pipeline.run()
    pipeline.handler.tick(pipeline.now_ms())
    panes = pipeline.store.read("ranker", 1_000, now - 10_000, now)
    assert [pane.missing for pane in panes][:4] == [0, 0, 1, 1]


def test_after_a_long_pause_late_events_of_panes_that_live_still_count() -> None:
    """Panes live on from when they close, not from their own time: the server says which have expired."""
    pipeline = Pipeline(allowed_lateness_ms=600_000)
    start = minutes_ago(pipeline, 2)
    pipeline.send((start, "/a", 200, 5.0))
    pipeline.run()
    pipeline.clock.advance(3_600_000)
    pipeline.send((start, "/a", 200, 7.0))
    pipeline.run()
    (found,) = pipeline.store.read("ranker", 1_000, start, start + 1_000)
    assert (found.pane.requests, pipeline.counters["events_late"]) == (2, 0)


def test_a_flood_of_bad_entries_is_named_at_once() -> None:
    """The loop buries them all and hands the rest over once: one by one, a flood would take quadratic time."""
    pipeline = Pipeline()
    start = minutes_ago(pipeline, 2)
    for _ in range(10):
        pipeline.send((start, "/a", 200, 5.0))
        pipeline.connection.command("XADD", pipeline.keys.events, "*", "v", "99")
    entries = pipeline.read()
    with pytest.raises(UnreadableEntryError) as caught:
        pipeline.handler.handle(entries, is_redelivered=False)
    assert [entry.id for entry, _ in caught.value.entries] == [entry.id for entry in entries[1::2]]
    pipeline.handler.handle(entries[::2], is_redelivered=False)
    assert pipeline.counters["events_committed"] == 10


def test_services_of_one_read_are_kept_apart() -> None:
    """What is decoded and counted together is not added together."""
    pipeline = Pipeline()
    start = minutes_ago(pipeline, 2)
    for seq, (service, route) in enumerate([("ranker", "/a"), ("other", "/a"), ("ranker", "/b")], 1):
        batch = encoded("request", [request(start + seq * 700, 10.0, route)])
        fields = entry_fields(batch, service=service, instance=f"host:1:{service}", seq=seq, through_ms=0)
        instance = f"host:1:{service}"
        append(pipeline.connection, pipeline.keys, fields, service=service, instance=instance, seq=(seq + 1) // 2)
    pipeline.run()
    found = {
        service: [
            (pane.start_ms - start, pane.pane.labels("request"))
            for pane in pipeline.store.read(service, 1_000, start, start + 60_000)
        ]
        for service in ("other", "ranker")
    }
    assert found == {
        "other": [(1_000, [("/a", "GET")])],
        "ranker": [(0, [("/a", "GET")]), (2_000, [("/b", "GET")])],
    }


def test_processed_events_are_trimmed_and_no_others() -> None:
    pipeline = Pipeline()
    old_ms = pipeline.now_ms() - 2 * pipeline.settings.keep_events_ms
    for number in range(300):
        pipeline.connection.command("XADD", pipeline.keys.events, f"{old_ms}-{number + 1}", "v", "99")
    entries = pipeline.read()
    pipeline.connection.command(
        "XACK", pipeline.keys.events, AGGREGATOR_GROUP, *(str(entry.id) for entry in entries[:150])
    )
    pipeline.handler.tick(pipeline.now_ms())
    left = as_int(pipeline.connection.command("XLEN", pipeline.keys.events))
    pipeline.connection.command(
        "XACK", pipeline.keys.events, AGGREGATOR_GROUP, *(str(entry.id) for entry in entries[150:])
    )
    pipeline.clock.advance(1_000)
    pipeline.handler.tick(pipeline.now_ms() + 1_000)
    assert (150 <= left < 300, as_int(pipeline.connection.command("XLEN", pipeline.keys.events)) < 100) == (True, True)
