"""The aggregators' group is destroyed and set back under load: every event counts once."""

from pathlib import Path

from barograph_core.keyspace.keys import AGGREGATOR_GROUP, ShardKeys
from tests.integration.aggregator.running import running_aggregators
from tests.support import wait_until

ROUNDS, BATCHES, EVENTS = 6, 60, 3


def test_a_group_destroyed_under_load_loses_and_repeats_nothing(
    valkey_url: str, keys: ShardKeys, tmp_path: Path
) -> None:
    """Two aggregators are at work on it each time."""
    with running_aggregators(valkey_url, keys, tmp_path, count=2) as shard:
        for _ in range(ROUNDS):
            shard.send(BATCHES, EVENTS)
            shard.connection.command("XGROUP", "DESTROY", keys.events, AGGREGATOR_GROUP)
            wait_until(shard.group_exists, what="the group")
        shard.wait_until_done()
        account = shard.status().account
        assert account is not None
        assert (shard.requests(), account.surplus, account.lost) == (ROUNDS * BATCHES * EVENTS, 0, 0)
        assert "group.made_again" in shard.log()


def test_a_group_set_back_under_load_repeats_nothing(valkey_url: str, keys: ShardKeys, tmp_path: Path) -> None:
    """What is read once more is refused by the commit, and the group is set forward."""
    with running_aggregators(valkey_url, keys, tmp_path, count=2) as shard:
        for _ in range(ROUNDS):
            shard.send(BATCHES, EVENTS)
            shard.connection.command("XGROUP", "SETID", keys.events, AGGREGATOR_GROUP, "0")
        shard.wait_until_done()
        account = shard.status().account
        assert account is not None
        assert (shard.requests(), account.surplus, account.lost) == (ROUNDS * BATCHES * EVENTS, 0, 0)
