"""What the server refuses of one service, or while it is full, stops nothing else."""

from collections.abc import Sequence

import pytest

from barograph_aggregator.commit.lateness import OutOfBounds, Sender, report
from barograph_core.errors import StreamUnavailableError
from barograph_core.keyspace.keys import AGGREGATOR_GROUP, ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.link import Reply, Value
from barograph_core.server.replies import as_entries, as_int, as_list
from barograph_core.workers.consumer import Consumer, ConsumerSettings
from tests.support import append, request_batch
from tests.unit.aggregator.test_aggregator import Pipeline, minutes_ago


class Stage:
    """An aggregator behind the consumer loop, and a service one of whose keys holds foreign data."""

    def __init__(self) -> None:
        self.pipeline = pipeline = Pipeline()
        self.start = minutes_ago(pipeline, 2)
        self.consumer = Consumer(
            pipeline.connection,
            stage="aggregator",
            stream=pipeline.keys.events,
            group=AGGREGATOR_GROUP,
            name=pipeline.name,
            keys=pipeline.keys,
            handler=pipeline.handler,
            clock=pipeline.clock,
            counters=pipeline.counters,
            # fakeredis has the machine's clock: on a slow one the consumer would claim its own entries.
            settings=ConsumerSettings(tick_ms=1, claim_idle_ms=3_600_000),
        )
        pipeline.connection.command("XGROUP", "CREATE", pipeline.keys.events, AGGREGATOR_GROUP, "0", "MKSTREAM")
        self._seq = 0

    def send(self, service: str) -> None:
        self._seq += 1
        fields = request_batch([(self.start, "/a", 200, 5.0)], seq=self._seq, service=service)
        append(self.pipeline.connection, self.pipeline.keys, fields, seq=self._seq, service=service)

    def make_passes(self, count: int) -> None:
        for _ in range(count):
            self.consumer.make_pass()
            self.pipeline.clock.advance(500)

    def requests(self, service: str) -> int:
        panes = self.pipeline.store.read(service, 1_000, self.start, self.start + 1_000)
        return sum(pane.pane.requests for pane in panes)

    def dead(self) -> list[tuple[bytes, bytes]]:
        entries = as_entries(self.pipeline.connection.command("XRANGE", self.pipeline.keys.dead, "-", "+"))
        return [(entry.fields[b"service"], entry.fields[b"dead_attempts"]) for entry in entries]

    def pending(self) -> int:
        command = ("XPENDING", self.pipeline.keys.events, AGGREGATOR_GROUP)
        return as_int(as_list(self.pipeline.connection.command(*command))[0])


def foreign_keys(keys: ShardKeys, start_ms: int) -> dict[str, str]:
    return {"series": keys.series("bad"), "parts": keys.parts("bad", start_ms)}


@pytest.mark.parametrize("kind", ["series", "parts"])
def test_a_service_with_foreign_data_under_its_keys_does_not_stop_the_others(kind: str) -> None:
    """Their events are committed at once and their panes close; its own go to the dead-letter stream."""
    stage = Stage()
    stage.pipeline.connection.command("SET", foreign_keys(stage.pipeline.keys, stage.start)[kind], "x")
    for service in ("bad", "good", "bad", "good"):
        stage.send(service)
    stage.make_passes(1)
    held = stage.pending()
    stage.make_passes(6)
    assert (held, stage.pending(), stage.dead()) == (2, 0, [(b"bad", b"5"), (b"bad", b"5")])
    assert (stage.requests("good"), stage.requests("bad")) == (2, 0)


def test_what_a_service_sends_is_counted_once_its_key_is_mended() -> None:
    """Until it is given up, it waits."""
    stage = Stage()
    key = stage.pipeline.keys.series("bad")
    stage.pipeline.connection.command("SET", key, "x")
    stage.send("bad")
    stage.send("good")
    stage.make_passes(2)
    stage.pipeline.connection.command("DEL", key)
    stage.make_passes(2)
    assert (stage.requests("bad"), stage.requests("good"), stage.dead()) == (1, 1, [])


def test_a_foreign_key_that_all_commits_need_does_not_empty_the_log_into_the_dead_letters() -> None:
    """The fault is not of the entries: one at a time is tried until it is given up, the others wait."""
    stage = Stage()
    for _ in range(10):
        stage.send("good")
    stage.pipeline.connection.command("SET", stage.pipeline.keys.metrics, "x")
    stage.make_passes(12)
    stage.pipeline.connection.command("DEL", stage.pipeline.keys.metrics)
    stage.make_passes(2)
    assert (stage.requests("good"), len(stage.dead())) == (8, 2)


class Full(Connection):
    """A server that refuses what is written to it in pipelines."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def pipeline(self, commands: Sequence[Sequence[Value]]) -> list[Reply]:
        raise StreamUnavailableError(self._reason, str(commands[0][0]))


def test_a_full_server_that_refuses_the_reports_of_late_events_stops_nothing() -> None:
    """The panes are committed by then, and ticks are what empties it."""
    dropped = OutOfBounds()
    dropped.late[Sender("ranker", "host:1:aa")] = 3
    report(Full("out_of_memory"), ShardKeys(), dropped)
    with pytest.raises(StreamUnavailableError, match="unreachable"):
        report(Full("unreachable"), ShardKeys(), dropped)
