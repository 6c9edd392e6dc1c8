"""baro_transition_1: alert state, cooldown, entry and acknowledgement move together."""

import pytest

from barograph_core.errors import CommandRefusedError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.link import Reply, Value
from barograph_core.server.replies import as_hash, as_list, as_text

GROUP = "alerter"


def transition(
    connection: Connection,
    keys: ShardKeys,
    *changes: tuple[str, str, str, list[str]],
    version: int = 0,
    closed: tuple[Value, Value] = ("", ""),
    provisional_at: Value = "",
    ids: tuple[str, ...] = (),
    claim_ms: Value = 60_000,
) -> list[Reply]:
    args: list[Value] = [GROUP, "mine", "ranker", version, *closed, provisional_at, 86_400_000, len(ids), *ids]
    for alert_id, state, mode, fields in changes:
        args += [alert_id, state, mode, "error:300000", claim_ms, len(fields), *fields]
    names = [keys.state("ranker"), keys.metrics, keys.alerts, *(keys.cooldown(change[0]) for change in changes)]
    return as_list(connection.call("baro_transition_1", names, args))


def alerts(connection: Connection, keys: ShardKeys) -> list[dict[str, bytes]]:
    return [as_hash(as_list(item)[1]) for item in as_list(connection.command("XRANGE", keys.alerts, "-", "+"))]


FIRING = ["transition", "t1", "to", "firing"]


def test_a_firing_is_written_with_its_state(connection: Connection, keys: ShardKeys) -> None:
    """One call, one version, one entry that notifies."""
    reply = transition(connection, keys, ("a", '{"state":"firing"}', "claim", FIRING))
    assert reply == [b"ok", b"1", [b"1"]]
    assert connection.command("HGET", keys.state("ranker"), "alert:a") == b'{"state":"firing"}'
    assert alerts(connection, keys) == [{"transition": b"t1", "to": b"firing", "notify": b"1", "reason": b""}]


def test_a_second_firing_within_the_cooldown_is_written_but_quiet(connection: Connection, keys: ShardKeys) -> None:
    """Transitions are always written; the cooldown only mutes them."""
    transition(connection, keys, ("a", "x", "claim", FIRING))
    assert transition(connection, keys, ("a", "x", "claim", FIRING), version=1)[2] == [b"0"]
    assert (alerts(connection, keys)[1]["notify"], alerts(connection, keys)[1]["reason"]) == (b"0", b"cooldown")


def test_worse_news_breaks_the_cooldown(connection: Connection, keys: ShardKeys) -> None:
    """A rise in severity is never muted."""
    transition(connection, keys, ("a", "x", "claim", FIRING))
    assert transition(connection, keys, ("a", "x", "break", FIRING), version=1)[2] == [b"1"]


def test_a_reminder_waits_for_the_cooldown_to_lapse(connection: Connection, keys: ShardKeys) -> None:
    """While the key lives nothing is written, not even the state."""
    transition(connection, keys, ("a", "first", "claim", FIRING))
    assert transition(connection, keys, ("a", "second", "remind", FIRING), version=1)[2] == [b"x"]
    assert connection.command("HGET", keys.state("ranker"), "alert:a") == b"first"
    connection.command("DEL", keys.cooldown("a"))
    assert transition(connection, keys, ("a", "second", "remind", FIRING), version=2)[2] == [b"1"]
    assert alerts(connection, keys)[-1]["reason"] == b"reminder"


def test_an_outdated_state_is_refused(connection: Connection, keys: ShardKeys) -> None:
    """Of two alerters that saw the same pane, one writes; the other loads again."""
    transition(connection, keys, ("a", "x", "claim", FIRING), closed=("", 2_000))
    reply = transition(connection, keys, ("a", "y", "claim", FIRING), version=0, closed=("", 2_000))
    assert reply == [b"stale", b"1", b"2000"]
    assert len(alerts(connection, keys)) == 1


def test_the_closed_cursor_moves_by_compare_and_set(connection: Connection, keys: ShardKeys) -> None:
    """One step at a time, from where it is."""
    transition(connection, keys, closed=("", 2_000))
    assert transition(connection, keys, version=1, closed=(1_000, 3_000))[0] == b"stale"
    assert transition(connection, keys, version=1, closed=(2_000, 3_000))[0] == b"ok"
    assert connection.command("HGET", keys.state("ranker"), "closed_at") == b"3000"


def test_the_provisional_cursor_only_grows(connection: Connection, keys: ShardKeys) -> None:
    """An evaluation that was overtaken cannot set it back."""
    transition(connection, keys, provisional_at=5_000)
    transition(connection, keys, version=1, provisional_at=4_000)
    assert connection.command("HGET", keys.state("ranker"), "provisional_at") == b"5000"


def test_an_empty_state_deletes_the_alert(connection: Connection, keys: ShardKeys) -> None:
    """An inactive alert has no field."""
    transition(connection, keys, ("a", "x", "none", []))
    assert transition(connection, keys, ("a", "", "none", []), version=1)[2] == [b"-"]
    assert connection.command("HEXISTS", keys.state("ranker"), "alert:a") == 0


def test_a_hint_claimed_away_applies_nothing(connection: Connection, keys: ShardKeys) -> None:
    """The fence is the same as the aggregator's."""
    entry_id = as_text(connection.command("XADD", keys.metrics, "*", "type", "closed"))
    connection.command("XGROUP", "CREATE", keys.metrics, GROUP, "0")
    connection.command("XREADGROUP", "GROUP", GROUP, "other", "STREAMS", keys.metrics, ">")
    reply = transition(connection, keys, ("a", "x", "claim", FIRING), ids=(entry_id,))
    assert reply == [b"lost", entry_id.encode()]
    assert connection.command("EXISTS", keys.state("ranker"), keys.alerts) == 0


@pytest.mark.parametrize("mode", ["none", "clear"])
def test_fields_stand_as_given_when_the_cooldown_is_not_asked(
    connection: Connection, keys: ShardKeys, mode: str
) -> None:
    """A resolution says for itself whether it notifies; ``clear`` also ends the cooldown."""
    connection.command("SET", keys.cooldown("a"), "x")
    transition(connection, keys, ("a", "", mode, ["to", "resolved", "notify", "1", "reason", ""]))
    assert alerts(connection, keys) == [{"to": b"resolved", "notify": b"1", "reason": b""}]
    assert connection.command("EXISTS", keys.cooldown("a")) == (1 if mode == "none" else 0)


@pytest.mark.parametrize("claim_ms", [0, "nan", "1.5"])
def test_a_wrong_life_of_a_cooldown_key_applies_nothing(
    connection: Connection, keys: ShardKeys, claim_ms: Value
) -> None:
    """SET would refuse it after other changes have been written: it is checked before the first."""
    with pytest.raises(CommandRefusedError, match="do not add up"):
        transition(connection, keys, ("a", "x", "none", FIRING), ("b", "x", "claim", FIRING), claim_ms=claim_ms)
    assert connection.command("EXISTS", keys.state("ranker"), keys.alerts) == 0


@pytest.mark.parametrize(
    ("mode", "given", "expected"),
    [("announce", ["reason", "late"], b"late"), ("announce", [], b""), ("recall", [], b"reminder")],
)
def test_the_reason_of_a_firing_stands_as_given(
    connection: Connection, keys: ShardKeys, mode: str, given: list[str], expected: bytes
) -> None:
    """The server adds one only where there is none."""
    fields = [*FIRING, *given]
    args: list[Value] = [
        GROUP,
        "mine",
        "ranker",
        0,
        "",
        "",
        "",
        86_400_000,
        0,
        "a",
        "x",
        mode,
        "error:300000:1000",
        0,
        len(fields),
    ]
    names = [keys.state("ranker"), keys.metrics, keys.alerts, keys.quiet("a")]
    connection.call("baro_transition_1", names, [*args, *fields])
    (entry,) = alerts(connection, keys)
    assert (entry["notify"], entry["reason"]) == (b"1", expected)


def flapped(connection: Connection, keys: ShardKeys, version: int, flaps: str) -> list[Reply]:
    args: list[Value] = [GROUP, "mine", "ranker", version, "", "", "", 86_400_000, 0]
    args += ["a", "{}", "none", "", 0, flaps, len(FIRING), *FIRING]
    names = [keys.state("ranker"), keys.metrics, keys.alerts, keys.quiet("a")]
    return as_list(connection.call("baro_transition_2", names, args))


def test_how_often_an_alert_fired_is_written_with_its_state(connection: Connection, keys: ShardKeys) -> None:
    """A dash leaves it as it is, an empty text deletes it; a stale call writes nothing."""
    state = keys.state("ranker")
    assert flapped(connection, keys, 0, "counted")[0] == b"ok"
    assert connection.command("HGET", state, "flaps:a") == b"counted"
    assert flapped(connection, keys, 1, "-")[0] == b"ok"
    assert flapped(connection, keys, 1, "")[0] == b"stale"
    assert connection.command("HGET", state, "flaps:a") == b"counted"
    assert flapped(connection, keys, 2, "")[0] == b"ok"
    assert connection.command("HGET", state, "flaps:a") is None
    assert connection.command("HGET", state, "alert:a") == b"{}"
