"""Which series are kept apart is read from the live prefix, never decided there."""

from barograph_cli.history.log.selection import LogEntry
from barograph_cli.history.rebuild.series_decisions import SeriesBeyondCap, SeriesCopy
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.replies import EntryId, as_list
from barograph_core.store.blocks import series_name
from tests.support import FakeClock, fake_connection

SOURCE, TARGET = ShardKeys("live"), ShardKeys("new")
ENTRIES = [LogEntry(EntryId(number, 0), {b"service": name}) for number, name in enumerate((b"a", b"b", b"a"), 1)]


def test_the_list_of_a_service_is_there_before_its_first_event() -> None:
    """Whoever folds it then finds every place taken as it was."""
    live, fresh = fake_connection(), fake_connection()
    live.command("ZADD", SOURCE.series("a"), 5, "one", 7, "two")
    copy = SeriesCopy(live, SOURCE, fresh, TARGET, FakeClock())
    first = next(iter(copy.before(ENTRIES)))
    assert (first, as_list(fresh.command("ZRANGE", TARGET.series("a"), 0, -1))) == (ENTRIES[0], [b"one", b"two"])


def test_a_copied_series_does_not_lapse_while_others_are_folded() -> None:
    live, fresh, clock = fake_connection(), fake_connection(), FakeClock()
    live.command("ZADD", SOURCE.series("a"), 5, "one")
    list(SeriesCopy(live, SOURCE, fresh, TARGET, clock).before(ENTRIES))
    assert fresh.command("ZSCORE", TARGET.series("a"), "one") == str(clock.now_ms()).encode()


def test_a_service_whose_full_list_is_gone_is_named() -> None:
    """A retired service leaves none: what was __other__ then nobody knows."""
    live, fresh = fake_connection(), fake_connection()
    live.command("ZADD", SOURCE.series("a"), 5, "one")
    copy = SeriesCopy(live, SOURCE, fresh, TARGET, FakeClock())
    list(copy.before(ENTRIES))
    fresh.command("ZADD", TARGET.series("b"), 1, "new")
    assert (copy.decided_anew(cap=1), copy.decided_anew(cap=2)) == (["b"], [])


def test_a_series_counts_as_other_when_it_is_not_on_a_full_list() -> None:
    live = fake_connection()
    live.command("ZADD", SOURCE.series("a"), 5, series_name("request", ("/a", "GET")))
    asked = [("/a", "GET"), ("/b", "GET")]
    verdicts = [[SeriesBeyondCap(live, SOURCE, cap)("a", "request", labels) for labels in asked] for cap in (1, 2)]
    assert verdicts == [["own", "other"], ["own", "own"]]


def test_a_series_counts_as_folded_when_what_it_is_folded_into_is_on_its_list() -> None:
    live = fake_connection()
    live.command("ZADD", SOURCE.series("a"), 5, "one")
    live.command("ZADD", SOURCE.folded("a"), 5, series_name("custom", ("queue", "tenant", "__other__")))
    place_of = SeriesBeyondCap(live, SOURCE, 1)
    asked = [("queue", "tenant", "t1"), ("queue", "tenant", "__other__"), ("queue", "zone", "a"), ("queue",)]
    assert [place_of("a", "custom", labels) for labels in asked] == ["folded", "folded", "other", "other"]
