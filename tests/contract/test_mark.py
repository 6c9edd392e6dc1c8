"""baro_mark_1: a marker and its entry are written together, once for each key."""

import json

import pytest

from barograph_core.errors import CommandRefusedError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.markers.marker import KIND, Marker
from barograph_core.server.connection import Connection
from barograph_core.server.link import Reply, Value
from barograph_core.server.replies import as_entries, as_hash, as_int, as_list


def mark(
    connection: Connection, keys: ShardKeys, key: str = "ci:1", *, at_ms: int = 1_000, most: int = 10, **changes: Value
) -> list[Reply]:
    marker = Marker(key=key, service="ranker", at_ms=at_ms, kind="deploy", title="api 2.15", actor="ci")
    args: list[Value] = [key, marker.to_json(), changes.get("at", at_ms), most, 60_000, *marker.to_fields()]
    return as_list(connection.call("baro_mark_1", [keys.markers("ranker"), keys.alerts], args))


def test_a_marker_is_written_with_its_entry(connection: Connection, keys: ShardKeys) -> None:
    assert mark(connection, keys) == [b"ok"]
    (entry,) = as_entries(connection.command("XRANGE", keys.alerts, "-", "+"))
    assert (entry.fields[b"kind"], entry.fields[b"marker"], entry.fields[b"title"]) == (
        KIND.encode(),
        b"deploy",
        b"api 2.15",
    )
    held = as_hash(connection.command("HGETALL", keys.markers("ranker")))
    assert Marker.from_json(held["ci:1"]) == Marker.from_fields(entry.fields)
    assert 0 < as_int(connection.command("PTTL", keys.markers("ranker"))) <= 60_000


def test_a_key_is_told_once(connection: Connection, keys: ShardKeys) -> None:
    """Its answer was lost: the second attempt finds what the first wrote."""
    mark(connection, keys, at_ms=1_000)
    status, held = mark(connection, keys, at_ms=2_000)
    assert status == b"held"
    assert isinstance(held, bytes)
    assert json.loads(held)["at_ms"] == 1_000
    assert as_int(connection.command("XLEN", keys.alerts)) == 1


def test_the_oldest_makes_room(connection: Connection, keys: ShardKeys) -> None:
    for number, at_ms in enumerate((3_000, 1_000, 2_000, 4_000)):
        mark(connection, keys, f"ci:{number}", at_ms=at_ms, most=3)
    assert sorted(as_hash(connection.command("HGETALL", keys.markers("ranker")))) == ["ci:0", "ci:2", "ci:3"]
    assert as_int(connection.command("XLEN", keys.alerts)) == 4


def test_what_somebody_garbled_makes_room_first(connection: Connection, keys: ShardKeys) -> None:
    """Nothing fails after the first write."""
    for name, text in (("nan", '{"at_ms": NaN}'), ("none", "{"), ("other", "[]")):
        connection.command("HSET", keys.markers("ranker"), name, text)
    for number in range(3):
        assert mark(connection, keys, f"ci:{number}", at_ms=1_000 + number, most=3) == [b"ok"]
    assert sorted(as_hash(connection.command("HGETALL", keys.markers("ranker")))) == ["ci:0", "ci:1", "ci:2"]


def test_what_is_no_marker_is_refused_before_anything_is_written(connection: Connection, keys: ShardKeys) -> None:
    with pytest.raises(CommandRefusedError, match="at_ms must be a whole number"):
        mark(connection, keys, at="soon")
    with pytest.raises(CommandRefusedError, match="cannot be written so"):
        mark(connection, keys, key="")
    connection.command("SET", keys.markers("ranker"), "a string")
    with pytest.raises(CommandRefusedError, match="holds a string"):
        mark(connection, keys)
    assert connection.command("EXISTS", keys.alerts) == 0
