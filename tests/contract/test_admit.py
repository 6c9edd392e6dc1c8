"""baro_admit_1: which series of a service are kept apart."""

from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_int, as_list

DAY_MS = 86_400_000


def admit(connection: Connection, keys: ShardKeys, cap: int, *series: str) -> list[int]:
    reply = connection.call("baro_admit_1", [keys.series("ranker"), keys.progress], [cap, DAY_MS, *series])
    return [as_int(item) for item in as_list(reply)]


def test_a_series_is_admitted_up_to_the_cap(connection: Connection, keys: ShardKeys) -> None:
    """The decision is the service's, not the worker's, and stays."""
    assert admit(connection, keys, 2, "a", "b", "c") == [1, 1, 0]
    assert admit(connection, keys, 2, "c", "b") == [0, 1]


def test_a_series_that_is_gone_gives_up_its_place(connection: Connection, keys: ShardKeys) -> None:
    """Instances and versions come and go: without it, the cap would fill for good."""
    connection.command("ZADD", keys.series("ranker"), 1_000, "gone")
    admit(connection, keys, 2, "a")
    assert admit(connection, keys, 2, "b", "a", "c") == [1, 1, 0]


def test_when_places_were_last_given_up_is_kept(connection: Connection, keys: ShardKeys) -> None:
    """A replay of what was before then would decide otherwise, and must be able to say so."""
    connection.command("ZADD", keys.series("ranker"), 1_000, "gone")
    admit(connection, keys, 1, "gone", "refused")
    assert connection.command("HGET", keys.progress, "places_freed_ms") is None
    connection.command("ZADD", keys.series("ranker"), 1_000, "gone")
    admit(connection, keys, 1, "new")
    freed, now = connection.command("HGET", keys.progress, "places_freed_ms"), as_list(connection.command("TIME"))
    assert 0 <= as_int(now[0]) * 1_000 + 1_000 - as_int(freed) < 60_000


def test_a_series_that_is_asked_for_stays(connection: Connection, keys: ShardKeys) -> None:
    """Asking renews its place, however long ago it was admitted."""
    connection.command("ZADD", keys.series("ranker"), 1_000, "old")
    admit(connection, keys, 1, "old")
    assert admit(connection, keys, 1, "new", "old") == [0, 1]
