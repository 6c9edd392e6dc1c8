"""The pipeline's own figures as panes: there at once, whatever the backlog, and judged by rules like any other."""

import logging
from collections.abc import Callable, Sequence
from typing import Final

import pytest

from barograph_aggregator.close.pane_queue import OpenPane
from barograph_aggregator.self_panes.writer import SelfPanes, ShardSnapshot
from barograph_core.errors import CommandRefusedError, StreamUnavailableError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.keyspace.layout import Layout, self_service, spread_tags
from barograph_core.panes.pane import Pane
from barograph_core.pipeline.account import EventsAccount
from barograph_core.server.connection import Connection
from barograph_core.server.link import Reply, Value
from barograph_core.server.replies import EntryId
from barograph_core.store.parts import unmarked
from tests.support import fake_connection
from tests.unit.aggregator.test_aggregator import Pipeline

NOW_MS = 1_700_000_000_400
ACCOUNT = EventsAccount(100, 60, 1, 2, 7, 30, 2, 900, is_counted=True, last_id=EntryId(NOW_MS, 0))


def snapshot(
    server_ms: int = NOW_MS, *, oldest_ms: int | None = None, account: EventsAccount | None = None
) -> ShardSnapshot:
    return ShardSnapshot(server_ms, server_ms - 40_000, oldest_ms, account, 5_000, 7_000)


class Written:
    """Takes the panes instead of a closer."""

    def __init__(self) -> None:
        self.connection, self.keys = fake_connection(), ShardKeys()
        self.opened: list[OpenPane] = []
        self.panes = self.make_worker()

    def make_worker(self, connection: Connection | None = None) -> SelfPanes:
        return SelfPanes(connection or self.connection, self.keys, self.opened.append, step_ms=1_000)

    def values(self) -> dict[str, tuple[int, float]]:
        """Return count and sum of each value of the newest pane."""
        newest = self.opened[-1]
        parts = self.connection.command("LRANGE", self.keys.parts(newest.service, newest.start_ms), 0, -1)
        assert isinstance(parts, list)
        pane = Pane.merge([Pane.unpack(unmarked(part)) for part in parts if isinstance(part, bytes)])
        return {" ".join(row.labels): (row.count, row.measures["value"].sum) for row in pane.series("custom")}

    def report(self, connection: Connection, name: str, stage: str = "aggregator", **facts: float) -> None:
        connection.command("ZADD", self.keys.workers, NOW_MS, f"{stage}:{name}")
        connection.command("HSET", self.keys.worker(stage, name), *(item for pair in facts.items() for item in pair))


def test_a_second_has_one_pane_with_the_figures_of_its_end() -> None:
    """Looked at twenty times a second, told once."""
    desk = Written()
    desk.panes.write(snapshot(oldest_ms=NOW_MS - 30_000, account=ACCOUNT))
    desk.panes.write(snapshot(NOW_MS + 500, oldest_ms=NOW_MS, account=ACCOUNT))
    assert desk.opened == [OpenPane(1_700_000_000_000, 1_000, "barograph")]
    values = desk.values()
    assert values["barograph.lag_ms"] == (1, 30_000.0)
    assert values["barograph.watermark_age_ms"] == (1, 40_000.0)
    assert (values["barograph.unread_entries"], values["barograph.pending_entries"]) == ((1, 30.0), (1, 7.0))
    assert (values["barograph.events_bytes"], values["barograph.store_bytes"]) == ((1, 5_000.0), (1, 7_000.0))


def test_losses_are_told_as_what_came_on_top() -> None:
    """So that `value.sum > 0` is an alert on any loss, which ends when nothing more is lost."""
    desk = Written()
    desk.panes.write(snapshot(account=ACCOUNT))
    later = EventsAccount(200, 60, 1, 12, 7, 120, 9, 4_900, is_counted=True, last_id=EntryId(NOW_MS, 0))
    desk.panes.write(snapshot(NOW_MS + 1_000, account=later))
    values = desk.values()
    assert (values["barograph.entries_lost"], values["barograph.events_lost"]) == ((1, 10.0), (1, 4_000.0))


def lost(entries: int) -> EventsAccount:
    return EventsAccount(200, 60, 1, entries, 7, 120, 9, entries * 500, is_counted=True, last_id=EntryId(NOW_MS, 0))


def test_losses_are_told_once_whoever_closes() -> None:
    """The closing lease goes from one worker to another and back: nobody tells from where it stopped itself."""
    desk = Written()
    one, other = desk.panes, desk.make_worker()
    told: list[float] = []
    for second, (worker, entries) in enumerate([(one, 0), (other, 7), (other, 9), (one, 9), (one, 10)]):
        worker.write(snapshot(NOW_MS + second * 1_000, account=lost(entries)))
        told.append(desk.values().get("barograph.events_lost", (0, 0.0))[1])
    assert told == [0.0, 3_500.0, 1_000.0, 0.0, 500.0]


class Interrupted(Connection):
    """A connection to the same server: somebody else comes before a call."""

    def __init__(self, connection: Connection, before: Callable[[], None]) -> None:
        super().__init__(connection._link)
        self._before = before

    def call(self, function: str, keys: Sequence[str], args: Sequence[Value] = (), *, read_only: bool = False) -> Reply:
        self._before()
        return super().call(function, keys, args, read_only=read_only)


def test_of_two_that_close_at_once_one_tells() -> None:
    """A worker that is stopped in the midst of telling does not tell the same again when it goes on."""
    desk = Written()
    desk.panes.write(snapshot(account=lost(0)))
    later = snapshot(NOW_MS + 1_000, account=lost(4))
    slow = desk.make_worker(Interrupted(desk.connection, lambda: desk.panes.write(later)))
    slow.write(later)
    assert desk.values()["barograph.events_lost"] == (1, 2_000.0)
    assert [opened.end_ms for opened in desk.opened] == [1_700_000_000_000, 1_700_000_001_000]


def test_after_a_flush_the_worker_that_remembers_tells_on() -> None:
    """The losses of that very moment are the ones to be told."""
    desk = Written()
    desk.panes.write(snapshot(account=lost(3)))
    desk.connection.command("DEL", desk.keys.progress)
    desk.panes.write(snapshot(NOW_MS + 1_000, account=lost(5)))
    assert desk.values()["barograph.events_lost"] == (1, 1_000.0)


def test_every_aggregator_counts_and_the_worst_can_be_asked_for() -> None:
    desk = Written()
    desk.report(desk.connection, "one", commit_ms_p99=2.5, events_late=5)
    desk.report(desk.connection, "one", "alerter", evaluation_errors=7)
    desk.report(desk.connection, "two", commit_ms_p99=40.0, events_late=100)
    desk.panes.write(snapshot())
    desk.report(desk.connection, "one", commit_ms_p99=2.5, events_late=8)
    desk.report(desk.connection, "two", commit_ms_p99=41.0, events_late=101)
    desk.report(desk.connection, "new", events_late=1_000)
    desk.report(desk.connection, "one", "alerter", evaluation_errors=9)
    desk.panes.write(snapshot(NOW_MS + 1_000))
    values = desk.values()
    assert (values["barograph.events_late"], values["barograph.commit_ms_p99"]) == ((1, 4.0), (2, 43.5))
    assert (values["barograph.aggregators"], values["barograph.evaluation_errors"]) == ((1, 3.0), (1, 2.0))


def test_a_pane_that_cannot_be_closed_stops_nothing_and_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """Somebody's key under our name must not hold up the work that this only tells of."""
    desk = Written()

    def refuse(opened: OpenPane) -> None:
        raise CommandRefusedError(f"{opened.service} holds a string")

    panes = SelfPanes(desk.connection, desk.keys, refuse, step_ms=1_000)
    with caplog.at_level(logging.ERROR):
        panes.write(snapshot())
        panes.write(snapshot(NOW_MS + 1_000))
    assert [record.message for record in caplog.records] == ["self_panes.cannot_close"]


def test_what_a_full_server_refused_is_told_when_it_has_room() -> None:
    """The figures move with the pane that tells them, or not at all."""
    desk = Written()
    refusals = [False, True, False]

    def refuse() -> None:
        if refusals.pop(0):
            raise StreamUnavailableError("out_of_memory")

    worker = desk.make_worker(Interrupted(desk.connection, refuse))
    for second, entries in enumerate([0, 2, 3]):
        worker.write(snapshot(NOW_MS + second * 1_000, account=lost(entries)))
    assert desk.values()["barograph.events_lost"] == (1, 1_500.0)


def test_a_full_server_that_refuses_the_figures_stops_nothing() -> None:
    """It takes the work that empties it, and that must go on; gone, it is told to the loop like anywhere else."""
    desk = Written()
    reasons = ["out_of_memory", "unreachable"]

    def refuse(opened: OpenPane) -> None:
        del opened
        raise StreamUnavailableError(reasons.pop(0))

    panes = SelfPanes(desk.connection, desk.keys, refuse, step_ms=1_000)
    panes.write(snapshot())
    with pytest.raises(StreamUnavailableError, match="unreachable"):
        panes.write(snapshot(NOW_MS + 1_000))


@pytest.mark.parametrize("shards", [1, 3, 16])
def test_each_shard_has_a_service_that_lives_on_it(shards: int) -> None:
    """The console looks for a service where its name leads."""
    layout = Layout("baro", tags=spread_tags(shards))
    names = [self_service(layout, tag) for tag in layout.tags]
    assert [layout.tag_of(name) for name in names] == list(layout.tags)
    assert len(set(names)) == shards


def test_the_panes_come_behind_a_backlog_too() -> None:
    """As events they would wait in it: the alert on a lag would come when the lag is over."""
    pipeline = Pipeline(self_panes=True)
    pipeline.send((pipeline.now_ms() - 60_000, "/a", 200, 5.0))
    pipeline.read()
    before = pipeline.store.services()
    pipeline.handler.tick(pipeline.now_ms())
    through_ms = pipeline.store.services()["barograph"]
    stored = pipeline.store.read("barograph", 1_000, through_ms - 1_000, through_ms)
    assert (before, len(stored), stored[0].revision) == ({}, 1, 0)
    assert ("barograph.lag_ms",) in [row.labels for row in stored[0].pane.series("custom")]


def test_without_the_setting_there_is_no_such_service() -> None:
    pipeline = Pipeline(self_panes=False)
    pipeline.send((pipeline.now_ms(), "/a", 200, 5.0))
    pipeline.read()
    pipeline.handler.tick(pipeline.now_ms())
    assert pipeline.store.services() == {}


class _Evicting(Connection):
    """A connection to the same server, which drops keys when its memory is full."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection._link)

    def masters(self) -> list[Connection]:
        return [self]

    def command(self, *args: Value) -> Reply:
        if args[:2] == ("INFO", "memory"):
            return b"maxmemory:100\r\nmaxmemory_policy:allkeys-lru\r\nused_memory:5\r\n"
        return super().command(*args)


def test_a_server_that_drops_keys_is_a_figure() -> None:
    """Rules watch it (``memory-policy``): nothing else would count what is lost."""
    desk = Written()
    desk.make_worker(_Evicting(desk.connection)).write(snapshot())
    assert desk.values()["barograph.can_evict"] == (1, 1.0)


def test_notifications_that_were_given_up_are_reported_once() -> None:
    """Their growth by channel, over all notifiers: an alert about a channel must not go through it."""
    desk = Written()
    for name, dead in (("n1:hook", 2), ("n2:hook", 0), ("n1:mail", 7)):
        desk.report(desk.connection, name, "notifier", at_ms=NOW_MS, deliveries_dead=dead)
    desk.panes.write(snapshot())
    for name, dead in (("n1:hook", 5), ("n2:hook", 1), ("n1:mail", 7)):
        desk.report(desk.connection, name, "notifier", at_ms=NOW_MS, deliveries_dead=dead)
    desk.panes.write(snapshot(NOW_MS + 1_000))
    assert desk.values()["barograph.deliveries_dead channel hook"] == (1, 4.0)
    assert desk.values()["barograph.deliveries_dead channel mail"] == (1, 0.0)


def reported(desk: Written, service: str, *through_ms: int) -> None:
    """Note producers of a service by their newest reports."""
    desk.connection.command("HSET", desk.keys.closed, service, NOW_MS)
    for number, at_ms in enumerate(through_ms):
        desk.connection.command("ZADD", desk.keys.producers(service), at_ms, f"host:{number}")


SILENT: Final = "barograph.producer_silent producers_of "


def test_a_service_whose_producers_are_gone_without_a_goodbye_is_reported() -> None:
    """Not one that is only quiet, or has one that lives, or said goodbye, or is gone for days, or is a drill's."""
    desk = Written()
    reported(desk, "killed", NOW_MS - 61_000, NOW_MS - 500_000)
    reported(desk, "half", NOW_MS - 1_000, NOW_MS - 500_000)
    reported(desk, "stopped")
    reported(desk, "long-gone", NOW_MS - 86_400_000)
    reported(desk, "just", NOW_MS - 59_000)
    reported(desk, "_drill", NOW_MS - 61_000)
    desk.panes.write(snapshot())
    assert {name for name in desk.values() if name.startswith(SILENT)} == {f"{SILENT}killed"}
    assert desk.values()[f"{SILENT}killed"] == (1, 1.0)


def test_a_service_with_producers_again_is_reported_as_such_for_a_minute() -> None:
    """So that its alert ends at once; then its series is gone."""
    desk = Written()
    reported(desk, "killed", NOW_MS - 61_000)
    desk.panes.write(snapshot())
    reported(desk, "killed", NOW_MS + 9_500)
    desk.panes.write(snapshot(NOW_MS + 9_000))
    assert desk.values()[f"{SILENT}killed"] == (1, 1.0)
    desk.panes.write(snapshot(NOW_MS + 11_000))
    assert desk.values()[f"{SILENT}killed"] == (1, 0.0)
    reported(desk, "killed", NOW_MS + 71_000)
    desk.panes.write(snapshot(NOW_MS + 72_000))
    assert f"{SILENT}killed" not in desk.values()
