"""An entry from the future reaches the events stream: what follows counts, and the stream recovers without hands."""

import json
from pathlib import Path

import pytest

from barograph_core.errors import StreamUnavailableError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import read_now
from tests.integration.aggregator.running import Shard, running_aggregators
from tests.support import wait_until

EVENTS, ROUNDS = 3, 10
HOUR_MS = 3_600_000


def takes_a_batch(shard: Shard) -> bool:
    try:
        shard.send(1, EVENTS)
    except StreamUnavailableError:
        return False
    return True


@pytest.mark.parametrize(
    "entry_id", ["an hour ahead", "9223372036854775808-0", "18446744073709551615-18446744073709551614"]
)
def test_events_after_an_id_from_the_future_count(
    valkey_url: str, keys: ShardKeys, tmp_path: Path, entry_id: str
) -> None:
    """Not late, none twice; the stray entry is dead-lettered, the log says what happened, and ids are right again."""
    with running_aggregators(valkey_url, keys, tmp_path, count=2) as shard:
        shard.send(ROUNDS, EVENTS)
        ahead = f"{read_now(shard.connection) + HOUR_MS}-0" if entry_id == "an hour ahead" else entry_id
        shard.connection.command("XADD", keys.events, ahead, "x", "y")
        for _ in range(ROUNDS):
            wait_until(lambda: takes_a_batch(shard), what="the stream to take a batch")
        wait_until(lambda: shard.status().ids_ahead_ms == 0, what="the stream to begin again")
        shard.send(ROUNDS, EVENTS)
        shard.wait_until_done()
        account = shard.status().account
        assert account is not None
        assert (shard.requests(), account.dead, account.lost, account.surplus) == (3 * ROUNDS * EVENTS, 1, 0, 0)
        messages = {json.loads(line)["event"] for line in shard.log().splitlines() if "stream." in line}
        assert messages >= {"stream.ids_ahead", "stream.begun_again"}
