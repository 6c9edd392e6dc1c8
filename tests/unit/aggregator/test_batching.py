"""How many entries a commit has: one at once when idle, many under load, never more than the bound."""

from barograph_aggregator.commit import Commit
from barograph_aggregator.settings import AggregatorSettings
from barograph_aggregator.worker import AggregatorHandler
from barograph_core.consumer import Consumer, ConsumerSettings
from barograph_core.keys import AGGREGATOR_GROUP, ShardKeys
from barograph_core.self_metrics import Counters
from barograph_core.steps import DEFAULT_KEEP, parse_keep
from barograph_core.stream import EntryId, as_int, as_list
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

    def __init__(self) -> None:
        self.connection, self.keys, self.recorder = fake_connection(), ShardKeys(), Recorder()
        clock, counters, settings = FakeClock(1_000_000), Counters(), AggregatorSettings()
        handler = AggregatorHandler(
            self.connection,
            self.keys,
            settings,
            steps=parse_keep(DEFAULT_KEEP),
            consumer="mine",
            committer=self.recorder,
            clock=clock,
            counters=counters,
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
            counters=counters,
            settings=ConsumerSettings(count=settings.commit_entries, tick_ms=1),
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
    stage.send(2_100)
    for _ in range(3):
        stage.consumer.make_pass()
    assert stage.recorder.sizes == [1_000, 1_000, 100]
