"""A server without memory left takes events again as soon as the pipeline has drained it."""

from pathlib import Path

from barograph_core.errors import StreamUnavailableError
from barograph_core.keyspace.keys import ShardKeys
from tests.integration.aggregator.running import Shard, running_aggregators
from tests.support import valkey_server, wait_until

ROOM_BYTES = 2_000_000
BATCH_EVENTS = 400
MOST_BATCHES = 5_000


def takes_a_batch(shard: Shard) -> bool:
    try:
        shard.send(1, BATCH_EVENTS)
    except StreamUnavailableError as error:
        if error.reason != "out_of_memory":
            raise
        return False
    return True


def test_a_full_server_opens_again_when_it_is_drained(keys: ShardKeys, tmp_path: Path) -> None:
    """Entries that have done their work go before their time, and the log says so; nothing that is unread goes."""
    with valkey_server() as url, running_aggregators(url, keys, tmp_path) as shard:
        sent = 100
        shard.send(sent, BATCH_EVENTS)
        shard.wait_until_done()
        memory = shard.status().server_memory
        assert memory is not None
        with shard.frozen():
            shard.connection.command("CONFIG", "SET", "maxmemory", memory.used_bytes + ROOM_BYTES)
            while takes_a_batch(shard):
                sent += 1
                assert sent < MOST_BATCHES
        wait_until(lambda: takes_a_batch(shard), timeout_s=15, what="the server to take events again")
        sent += 1
        shard.wait_until_done()
        account = shard.status().account
        assert account is not None
        assert (shard.requests(), account.lost) == (sent * BATCH_EVENTS, 0)
        assert "events.dropped_early" in shard.log()


def test_a_server_with_room_keeps_processed_entries(keys: ShardKeys, tmp_path: Path) -> None:
    """They can be replayed for an hour."""
    with valkey_server(maxmemory=500_000_000) as url, running_aggregators(url, keys, tmp_path) as shard:
        shard.send(300)
        shard.wait_until_done()
        wait_until(lambda: shard.status().watermark_ms is not None, what="a tick")
        assert shard.connection.command("XLEN", keys.events) == 300
        assert "events.dropped_early" not in shard.log()
