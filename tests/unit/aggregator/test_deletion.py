"""A service is deleted while an aggregator works on its events: not half of it comes back."""

from barograph_core.server.replies import EntryId, as_int, as_list, as_text
from barograph_core.services.ending import ServiceEnd
from tests.support import append, request_batch
from tests.unit.aggregator.test_aggregator import Pipeline, minutes_ago


class Desk:
    """A pipeline with two services, and the end of one."""

    def __init__(self, **settings: object) -> None:
        self.pipeline = Pipeline(**settings)  # type: ignore[arg-type]  # as Pipeline takes them
        self.start = minutes_ago(self.pipeline, 2)
        self.end = ServiceEnd(self.pipeline.connection, self.pipeline.keys, "ranker")
        self._seq = 0

    def send(self, service: str, at: int = 0, route: str = "/secret") -> None:
        self._seq += 1
        fields = request_batch([(self.start + at, route, 200, 5.0)], seq=self._seq, service=service)
        append(self.pipeline.connection, self.pipeline.keys, fields, seq=self._seq, service=service)

    def handle(self) -> None:
        self.pipeline.handler.handle(self.pipeline.read(), is_redelivered=False)

    def requests(self, service: str) -> list[int]:
        panes = self.pipeline.store.read(service, 1_000, self.start, self.start + 60_000)
        return [pane.pane.requests for pane in panes]

    def unfinished(self) -> int:
        return as_int(as_list(self.pipeline.connection.command("XPENDING", self.pipeline.keys.events, "aggregator"))[0])

    def names(self) -> list[str]:
        found = map(as_text, as_list(self.pipeline.connection.command("KEYS", "*")))
        return sorted(name for name in found if "ranker" in name)


def test_entries_read_before_the_deletion_are_dropped_and_acknowledged() -> None:
    """Other services' events of the same commit count, and so do those the service sends afterwards."""
    desk = Desk()
    for service in ("ranker", "other", "ranker", "other"):
        desk.send(service)
    entries = desk.pipeline.read()
    desk.end.delete()
    desk.send("ranker", 1_000)
    entries += desk.pipeline.read()
    desk.pipeline.handler.handle(entries, is_redelivered=False)
    desk.pipeline.handler.tick(desk.pipeline.now_ms())
    assert (desk.requests("ranker"), desk.requests("other"), desk.unfinished()) == ([1], [2], 0)
    assert (desk.pipeline.counters["events_committed"], desk.pipeline.counters["events_late"]) == (3, 0)


def test_entries_not_read_yet_are_dropped_too() -> None:
    """The log before the deletion is one thing, read or not."""
    desk = Desk()
    desk.send("ranker")
    desk.send("other")
    desk.pipeline.read()
    desk.send("ranker")
    desk.end.delete()
    desk.handle()
    assert (desk.requests("ranker"), desk.pipeline.counters["events_committed"]) == ([], 0)


def test_a_closing_under_way_writes_nothing_of_a_deleted_service() -> None:
    """The closer took its watermark, and with it the number of deletions, before."""
    desk = Desk()
    desk.send("ranker")
    desk.handle()
    desk.end.delete()
    desk.send("ranker")
    desk.handle()
    desk.pipeline.handler.close_panes(0, desk.start + 2_000, 0)
    assert desk.requests("ranker") == []
    desk.pipeline.handler.close_panes(0, desk.start + 3_000, 1)
    assert desk.requests("ranker") == [1]


def test_after_a_deletion_no_key_bears_the_services_name() -> None:
    """Panes of every step, and what was still waiting to be rolled up."""
    desk = Desk()
    for at in (0, 1_000, 30_000):
        desk.send("ranker", at)
    desk.handle()
    desk.pipeline.handler.tick(desk.pipeline.now_ms())
    before = desk.names()
    desk.end.delete()
    assert (len(before) > 5, desk.end.finish_deletion(), desk.names()) == (True, None, [])


def test_the_series_cap_holds_after_a_deletion() -> None:
    """What a worker was told before the deletion holds no longer: its series have lost their places."""
    desk = Desk(series_cap=1)
    desk.send("ranker")
    desk.handle()
    desk.end.delete()
    desk.end.finish_deletion()
    desk.pipeline.handler.tick(desk.pipeline.now_ms())
    for route in ("/secret", "/other"):
        desk.send("ranker", 1_000, route)
        desk.handle()
    assert desk.pipeline.counters["series_refused"] == 1


def test_entries_after_a_deletion_ask_for_their_series_in_the_same_commit() -> None:
    """No tick lies between."""
    desk = Desk(series_cap=1)
    desk.send("ranker")
    desk.handle()
    desk.send("ranker", 1_000)
    entries = desk.pipeline.read()
    desk.end.delete()
    desk.send("ranker", 2_000)
    desk.pipeline.handler.handle([*entries, *desk.pipeline.read()], is_redelivered=False)
    assert desk.pipeline.connection.command("ZCARD", desk.pipeline.keys.series("ranker")) == 1


def test_two_deletions_in_one_commit() -> None:
    """Each is found in its turn."""
    desk = Desk()
    for service in ("ranker", "other", "third"):
        desk.send(service)
    entries = desk.pipeline.read()
    desk.end.delete()
    ServiceEnd(desk.pipeline.connection, desk.pipeline.keys, "other").delete()
    desk.pipeline.handler.handle(entries, is_redelivered=False)
    assert (desk.pipeline.counters["events_committed"], desk.unfinished()) == (1, 0)


def test_an_unfinished_deletion_is_ended_by_the_sweep() -> None:
    """The command that began it may have been killed."""
    desk = Desk()
    desk.send("ranker")
    entries = desk.pipeline.read()
    deleted = desk.end.delete()
    desk.pipeline.handler.handle(entries, is_redelivered=False)
    desk.pipeline.handler.tick(desk.pipeline.now_ms())
    fields = map(as_text, as_list(desk.pipeline.connection.command("HKEYS", desk.pipeline.keys.progress)))
    assert (deleted.entry_id > EntryId(0, 0), [name for name in fields if "deleted" in name]) == (True, [])
