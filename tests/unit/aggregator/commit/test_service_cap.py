"""Services of a shard: a bounded number, whatever names producers send."""

from barograph_aggregator.commit.service_cap import ServiceCap
from barograph_core.keyspace.keys import ShardKeys
from tests.support import FakeClock, fake_connection

KEYS = ShardKeys()


def test_services_beyond_the_cap_are_refused_and_those_that_are_there_are_not() -> None:
    """What is monitored stays monitored."""
    connection = fake_connection()
    connection.command("HSET", KEYS.closed, "old", 1_000)
    cap = ServiceCap(connection, KEYS, 3, FakeClock())
    assert cap.refused(["old", "a", "b", "c"]) == {"c"}
    assert cap.refused(["old", "a", "b"]) == set()
    assert cap.refused([f"x{number}" for number in range(100)]) == {f"x{number}" for number in range(100)}


def test_a_place_that_becomes_free_is_given_again() -> None:
    """A service that was retired or deleted makes room, within a second."""
    connection, clock = fake_connection(), FakeClock()
    connection.command("HSET", KEYS.closed, "old", 1_000)
    cap = ServiceCap(connection, KEYS, 1, clock)
    assert cap.refused(["new"]) == {"new"}
    connection.command("HDEL", KEYS.closed, "old")
    assert cap.refused(["new"]) == {"new"}
    clock.advance(1_000)
    assert cap.refused(["new"]) == set()
