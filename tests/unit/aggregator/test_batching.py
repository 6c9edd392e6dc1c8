"""How many entries a commit has: one at once when idle, many under load, never more than the bound."""

from barograph_aggregator.commit.commit import Commit
from barograph_aggregator.commit.pane_count import MOST_PANES
from barograph_aggregator.settings import AggregatorSettings
from barograph_aggregator.worker import AggregatorHandler
from barograph_core.keyspace.keys import AGGREGATOR_GROUP, ShardKeys
from barograph_core.server.connection import read_now
from barograph_core.server.replies import EntryId, as_int, as_list
from barograph_core.steps import DEFAULT_KEEP, parse_keep
from barograph_core.workers.consumer import Consumer, ConsumerSettings
from barograph_core.workers.counters import WorkerCounters
from tests.support import FakeClock, append, fake_connection, request_batch


class Recorder:
    """Takes every commit and remembers what it held."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.parts: list[int] = []

    def commit(self, commit: Commit) -> list[EntryId]:
        self.sizes.append(len(commit.entry_ids))
        self.parts.append(len(commit.parts))
        return []


class Stage:
    """One aggregator behind the consumer loop, over a fakeredis."""

    def __init__(self, settings: AggregatorSettings | None = None) -> None:
        self.connection, self.keys, self.recorder = fake_connection(), ShardKeys(), Recorder()
        clock, self.counters = FakeClock(1_000_000), WorkerCounters()
        handler = AggregatorHandler(
            self.connection,
            self.keys,
            settings or AggregatorSettings(),
            steps=parse_keep(DEFAULT_KEEP),
            consumer="mine",
            committer=self.recorder,
            clock=clock,
            counters=self.counters,
        )
        self.consumer = Consumer(
            self.connection,
            stage="aggregator",
            stream=self.keys.events,
            group=AGGREGATOR_GROUP,
            name="mine",
            keys=self.keys,
            handler=handler,
            clock=clock,
            counters=self.counters,
            settings=ConsumerSettings(tick_ms=1),
        )
        self.connection.command("XGROUP", "CREATE", self.keys.events, AGGREGATOR_GROUP, "0", "MKSTREAM")
        self._seq = 0
        self._start_ms = as_int(as_list(self.connection.command("TIME"))[0]) * 1_000

    def send(self, entries: int) -> None:
        for _ in range(entries):
            self._seq += 1
            fields = request_batch([(self._start_ms, "/a", 200, 5.0)], seq=self._seq)
            append(self.connection, self.keys, fields, seq=self._seq)


def test_an_entry_that_comes_alone_is_committed_at_once() -> None:
    """Nothing waits for company: an alert must not be late for the sake of a batch."""
    stage = Stage()
    stage.send(1)
    stage.consumer.make_pass()
    assert stage.recorder.sizes == [1]


def test_what_gathered_meanwhile_is_one_commit() -> None:
    """The longer a commit takes, the more the next one holds: the batch adapts to the load by itself."""
    stage = Stage()
    stage.send(1)
    stage.consumer.make_pass()
    stage.send(400)
    stage.consumer.make_pass()
    assert (stage.recorder.sizes, stage.recorder.parts) == ([1, 400], [1, 1])


def test_a_commit_has_at_most_a_thousand_entries() -> None:
    """One function call blocks the server, so that a backlog goes in pieces."""
    stage = Stage()
    stage.send(1)
    stage.consumer.make_pass()
    stage.send(2_100)
    for _ in range(3):
        stage.consumer.make_pass()
    assert stage.recorder.sizes == [1, 1_000, 1_000, 100]


def test_a_commit_makes_a_bounded_number_of_panes() -> None:
    """Events of a thousand times in each entry would be a call with a million keys, which blocks the server."""
    stage = Stage()
    now_ms = read_now(stage.connection)
    for seq in range(1, 7):
        times = [now_ms - 1_000 * (seq * 80 + second) for second in range(80)]
        requests = [(time_ms, "/a", 200, 1.0) for time_ms in times]
        for service in ("a", "b", "c", "d", "e", "f", "g", "h"):
            batch = request_batch(requests, service=service, instance=f"h:1:{service}", seq=seq)
            append(stage.connection, stage.keys, batch, service=service, instance=f"h:1:{service}", seq=seq)
    stage.consumer.make_pass()
    assert sum(stage.recorder.sizes) == 48
    assert sum(stage.recorder.parts) == 48 * 80
    assert max(stage.recorder.parts) <= MOST_PANES


def test_events_of_services_beyond_the_cap_are_counted_and_dropped() -> None:
    """A producer that makes up names takes the places of no others."""
    stage = Stage(AggregatorSettings(service_cap=2))
    now_ms = read_now(stage.connection)
    for service in ("a", "b", "c", "d"):
        batch = request_batch([(now_ms, "/a", 200, 1.0)] * 3, service=service, instance=f"h:1:{service}")
        append(stage.connection, stage.keys, batch, service=service, instance=f"h:1:{service}")
    stage.consumer.make_pass()
    assert (stage.recorder.sizes, stage.recorder.parts) == ([4], [2])
    assert (stage.counters["events_committed"], stage.counters["events_refused"]) == (6, 6)
