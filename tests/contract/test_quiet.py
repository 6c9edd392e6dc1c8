"""The quiet channels of an alert: read and noted by baro_transition_1, on every kind of server."""

import pytest

from barograph_core.errors import CommandRefusedError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.link import Reply, Value
from barograph_core.server.replies import as_hash, as_list, as_text

FIRING = ["transition", "t1", "to", "firing"]
NEVER, LAPSED = 10**13, 1


def transition(
    connection: Connection, keys: ShardKeys, mode: str, *, version: int, tag: str = "error:300000:7", flap_over: int = 0
) -> Reply:
    args: list[Value] = ["alerter", "mine", "ranker", version, "", "", "", 86_400_000, 0]
    args += ["a", "state", mode, tag, flap_over, len(FIRING), *FIRING]
    names = [keys.state("ranker"), keys.metrics, keys.alerts, keys.quiet("a")]
    return as_list(as_list(connection.call("baro_transition_1", names, args))[2])[0]


def lay(connection: Connection, keys: ShardKeys, **channels: str) -> None:
    for channel, value in channels.items():
        connection.command("HSET", keys.quiet("a"), channel, value)


def last(connection: Connection, keys: ShardKeys) -> dict[str, bytes]:
    ((_, fields),) = map(as_list, as_list(connection.command("XREVRANGE", keys.alerts, "+", "-", "COUNT", 1)))
    return as_hash(fields)


def test_an_announcement_names_the_channels_that_are_muted(connection: Connection, keys: ShardKeys) -> None:
    """In order; the others are noted as told of this episode."""
    lay(
        connection,
        keys,
        b=f"{NEVER} error 300000 5 firing",
        a=f"{NEVER} critical 300000 5 resolved",
        lapsed=f"{LAPSED} error 300000 5 firing",
        milder=f"{NEVER} warning 300000 5 firing",
        other_setting=f"{NEVER} error 60000 5 firing",
        unreadable="whatever",
    )
    assert transition(connection, keys, "announce", version=0) == b"0"
    assert last(connection, keys) == {
        "transition": b"t1",
        "to": b"firing",
        "notify": b"1",
        "reason": b"",
        "muted": b"a,b",
    }
    held = {name: as_text(value) for name, value in as_hash(connection.command("HGETALL", keys.quiet("a"))).items()}
    assert held["lapsed"] == f"{LAPSED} error 300000 7 firing"
    assert held["a"] == f"{NEVER} critical 300000 5 resolved"


def test_an_override_mutes_no_channel(connection: Connection, keys: ShardKeys) -> None:
    lay(connection, keys, b=f"{NEVER} critical 300000 5 firing")
    assert transition(connection, keys, "override", version=0) == b"1"
    assert "muted" not in last(connection, keys)


def test_a_recall_waits_until_a_muted_channel_is_free(connection: Connection, keys: ShardKeys) -> None:
    """While none is, nothing is written, not even the state; each is recalled once."""
    lay(connection, keys, a=f"{NEVER} error 300000 5 firing", b=f"{NEVER} error 300000 5 resolved")
    assert transition(connection, keys, "recall", version=0) == b"x"
    assert connection.command("EXISTS", keys.alerts) == 0
    assert connection.command("HEXISTS", keys.state("ranker"), "alert:a") == 0
    assert transition(connection, keys, "recall", version=1, flap_over=1) == b"0"
    assert (last(connection, keys)["reason"], last(connection, keys)["muted"]) == (b"reminder", b"a")
    assert transition(connection, keys, "recall", version=2, flap_over=1) == b"x"
    lay(connection, keys, a=f"{LAPSED} error 300000 5 firing")
    assert transition(connection, keys, "recall", version=3) == b"1"
    assert "muted" not in last(connection, keys)


@pytest.mark.parametrize("tag", ["error:300000", "awful:300000:7", "error:x:7", ""])
@pytest.mark.parametrize("mode", ["announce", "override", "recall"])
def test_a_wrong_tag_applies_nothing(connection: Connection, keys: ShardKeys, mode: str, tag: str) -> None:
    with pytest.raises(CommandRefusedError, match="do not add up"):
        transition(connection, keys, mode, version=0, tag=tag)
    assert connection.command("EXISTS", keys.state("ranker"), keys.alerts) == 0


def test_a_key_of_another_type_applies_nothing(connection: Connection, keys: ShardKeys) -> None:
    connection.command("SET", keys.quiet("a"), "error:300000")
    with pytest.raises(CommandRefusedError, match="is not a cooldown key"):
        transition(connection, keys, "announce", version=0)
    assert connection.command("EXISTS", keys.state("ranker"), keys.alerts) == 0
