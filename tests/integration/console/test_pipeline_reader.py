"""Backlogs, workers and producers as they stand on a real server, after trims and deletes too."""

from collections.abc import Iterator, Sequence

import pytest

from barograph_core.functions.library import ensure_library
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.keyspace.layout_change import set_shards
from barograph_core.pipeline.reader import PipelineReader
from barograph_core.pipeline.status import GroupStatus
from barograph_core.server.connection import Connection
from barograph_core.server.link import Reply, Value
from barograph_core.server.replies import as_text
from tests.support import append, valkey_server

GROUP = "aggregator"


@pytest.fixture
def server(real_url: str) -> Iterator[Connection]:
    """Return a connection to each real server in turn."""
    opened = Connection.open(real_url)
    ensure_library(opened)
    yield opened
    opened.close()


def fill(connection: Connection, keys: ShardKeys, count: int) -> list[str]:
    return [as_text(connection.command("XADD", keys.events, "*", "n", number)) for number in range(count)]


def read(connection: Connection, keys: ShardKeys, count: int) -> None:
    connection.command("XREADGROUP", "GROUP", GROUP, "mine", "COUNT", count, "STREAMS", keys.events, ">")


def group_of(connection: Connection, keys: ShardKeys, *, count_limit: int = 1_000) -> GroupStatus:
    status = PipelineReader(connection, keys, count_limit=count_limit).read()
    return next(stream for stream in status.streams if stream.name == "events").groups[0]


def test_an_empty_prefix_has_empty_streams(server: Connection, keys: ShardKeys) -> None:
    """Before anything ran there is nothing, and no error."""
    status = PipelineReader(server, keys).read()
    assert [stream.length for stream in status.streams] == [0] * 5
    assert (status.watermark_age_ms, status.workers, status.producers, status.dead_letters) == (None, (), (), 0)


def test_unread_and_pending_entries_are_counted(server: Connection, keys: ShardKeys) -> None:
    """What was handed out and not acknowledged is pending; what was not handed out is unread."""
    fill(server, keys, 10)
    server.command("XGROUP", "CREATE", keys.events, GROUP, "0")
    read(server, keys, 4)
    group = group_of(server, keys)
    assert (group.unread, group.pending, group.is_capped) == (6, 4, False)
    assert [(consumer.name, consumer.pending) for consumer in group.consumers] == [("mine", 4)]
    assert group.oldest_pending is not None


def test_deleted_and_trimmed_entries_are_not_counted(server: Connection, keys: ShardKeys) -> None:
    """The server's lag is nil or wrong here; ids tell the truth."""
    ids = fill(server, keys, 10)
    server.command("XGROUP", "CREATE", keys.events, GROUP, "0")
    read(server, keys, 2)
    server.command("XDEL", keys.events, ids[5], ids[6])
    server.command("XTRIM", keys.events, "MAXLEN", 7)
    assert group_of(server, keys).unread == 6


def test_a_group_behind_the_whole_stream_has_all_of_it_unread(server: Connection, keys: ShardKeys) -> None:
    """After a trim past the last delivered id everything that is left is unread, without counting."""
    fill(server, keys, 10)
    server.command("XGROUP", "CREATE", keys.events, GROUP, "0")
    read(server, keys, 2)
    server.command("XTRIM", keys.events, "MAXLEN", 3)
    assert group_of(server, keys, count_limit=1).unread == 3


def test_a_long_backlog_is_counted_up_to_a_bound(server: Connection, keys: ShardKeys) -> None:
    """Behind a huge backlog the status stays cheap and says that it stopped counting."""
    fill(server, keys, 600)
    server.command("XGROUP", "CREATE", keys.events, GROUP, "0")
    read(server, keys, 1)
    group = group_of(server, keys, count_limit=500)
    assert (group.unread, group.is_capped) == (500, True)
    assert group_of(server, keys).unread == 599


def test_every_entry_of_the_events_stream_is_accounted_for(server: Connection, keys: ShardKeys) -> None:
    """What was deleted before anybody read it is what is missing from the sum."""
    ids = fill(server, keys, 10)
    server.command("XGROUP", "CREATE", keys.events, GROUP, "0")
    read(server, keys, 4)
    server.command("XDEL", keys.events, ids[8])
    account = PipelineReader(server, keys).read().account
    assert account is not None
    assert (account.added, account.pending, account.unread, account.lost) == (10, 4, 5, 1)


def test_entries_are_never_read_by_the_thousand(
    server: Connection, keys: ShardKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server reads each whole and stands still meanwhile: 100 ms for 1,000 of 60 kB, at every scrape."""
    called: dict[str, Sequence[Value]] = {}
    call = Connection.call

    def noted(
        self: Connection, function: str, names: Sequence[str], args: Sequence[Value] = (), *, read_only: bool = False
    ) -> Reply:
        called[function] = args
        return call(self, function, names, args, read_only=read_only)

    monkeypatch.setattr(Connection, "call", noted)
    PipelineReader(server, keys).read()
    set_shards(server, keys.prefix, 2)
    assert called["baro_account_1"][-1] == called["baro_services_1"][-1] == 100


def test_without_the_function_library_there_is_no_account() -> None:
    """The rest of the status is told all the same."""
    with valkey_server() as url:
        assert PipelineReader(Connection.open(url), ShardKeys()).read().account is None


def test_a_group_that_is_done_has_no_lag(server: Connection, keys: ShardKeys) -> None:
    ids = fill(server, keys, 3)
    server.command("XGROUP", "CREATE", keys.events, GROUP, "0")
    read(server, keys, 3)
    server.command("XACK", keys.events, GROUP, *ids)
    group = group_of(server, keys)
    assert (group.unread, group.pending, group.lag_ms) == (0, 0, 0)


def test_producers_tell_what_they_dropped_and_whether_they_are_missing(server: Connection, keys: ShardKeys) -> None:
    """A heartbeat carries the drop counters; one behind the newest closed pane is missing."""
    for instance, through_ms in (("host:1:aa", 5_000), ("host:2:bb", 9_000)):
        append(server, keys, {}, instance=instance, seq=0, previous=0, through_ms=through_ms, mode="heartbeat")
    server.command("HSET", keys.producer("host:1:aa"), "stats", '{"sent": 7, "dropped": {"overflow": 3}}')
    server.command("HSET", keys.closed, "ranker", 6_000)
    producers = {producer.instance: producer for producer in PipelineReader(server, keys).read().producers}
    assert (producers["host:1:aa"].sent, producers["host:1:aa"].drops) == (7, {"overflow": 3})
    assert (producers["host:1:aa"].is_missing, producers["host:2:bb"].is_missing) == (True, False)


def test_silent_producers_are_given_up_as_the_aggregators_are_set(server: Connection, keys: ShardKeys) -> None:
    """The closer leaves its setting in the shard: who only reads need not know it."""
    for instance, through_ms in (("host:1:aa", 5_000), ("host:2:bb", 9_000)):
        append(server, keys, {}, instance=instance, seq=0, previous=0, through_ms=through_ms, mode="heartbeat")
    server.command("HSET", keys.closed, "ranker", 10_000)
    before = PipelineReader(server, keys).producers_of(["ranker"])["ranker"].count_missing(10_000)
    server.command("HSET", keys.progress, "no_data_ms", 2_000)
    reader = PipelineReader(server, keys)
    after = reader.producers_of(["ranker"])["ranker"].count_missing(10_000)
    missing = [producer.instance for producer in reader.read().producers if producer.is_missing]
    assert (before, after, missing) == (2, 1, ["host:2:bb"])


def test_workers_are_alive_while_they_report(server: Connection, keys: ShardKeys) -> None:
    """One that has not reported for ten seconds is not alive any more, though it is still listed."""
    now_ms = PipelineReader(server, keys).read().at_ms
    server.command("ZADD", keys.workers, now_ms, "alerter:h:1:aa", now_ms - 60_000, "notifier:h:2:bb")
    server.command("HSET", keys.worker("alerter", "h:1:aa"), "evaluations", 5)
    workers = {worker.stage: worker for worker in PipelineReader(server, keys).read().workers}
    assert (workers["alerter"].name, workers["alerter"].is_alive) == ("h:1:aa", True)
    assert workers["alerter"].facts == {"evaluations": "5"}
    assert not workers["notifier"].is_alive
