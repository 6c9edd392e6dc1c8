"""baro_tell_1: the pipeline's own figures and the note of what they told are one step, and one of two that tell."""

import pytest

from barograph_core.errors import CommandRefusedError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.link import Reply
from barograph_core.server.replies import as_int


def tell(connection: Connection, keys: ShardKeys, before: str, told: str, end_ms: int | str = 2_000) -> int:
    names = [keys.parts("barograph", 1_000), keys.open, keys.progress]
    args = [end_ms, "barograph:1000:1000", b"mark and pane", before, told]
    return as_int(connection.call("baro_tell_1", names, args))


def parts(connection: Connection, keys: ShardKeys) -> Reply:
    return connection.command("LRANGE", keys.parts("barograph", 1_000), 0, -1)


def test_a_part_its_pane_and_the_note_come_together(connection: Connection, keys: ShardKeys) -> None:
    assert tell(connection, keys, "", "7 lost") == 1
    assert parts(connection, keys) == [b"mark and pane"]
    assert connection.command("ZSCORE", keys.open, "barograph:1000:1000") == b"2000"
    assert connection.command("HGET", keys.progress, "told") == b"7 lost"


def test_who_counted_from_an_older_note_writes_nothing(connection: Connection, keys: ShardKeys) -> None:
    """What it would tell has been told."""
    tell(connection, keys, "", "7 lost")
    assert tell(connection, keys, "", "8 lost") == 0
    assert (parts(connection, keys), connection.command("HGET", keys.progress, "told")) == (
        [b"mark and pane"],
        b"7 lost",
    )


def test_a_wrong_argument_writes_nothing(connection: Connection, keys: ShardKeys) -> None:
    with pytest.raises(CommandRefusedError, match="whole number"):
        tell(connection, keys, "", "7 lost", end_ms="soon")
    assert connection.command("EXISTS", keys.open, keys.progress, keys.parts("barograph", 1_000)) == 0
