"""A server that drops keys that expire: producers send nothing twice, and everybody says what is wrong."""

import contextlib
import json
import subprocess
import sys
from pathlib import Path

from barograph_core.errors import BarographError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.replies import as_int
from barograph_producer import Producer
from tests.integration.aggregator.running import running_aggregators
from tests.support import valkey_server

FIRST, SECOND = 100, 10
ROOM_BYTES = 200_000


def test_an_evicted_sequence_makes_no_event_count_twice(keys: ShardKeys, tmp_path: Path) -> None:
    """volatile-lru under real pressure, from a neighbour that fills the server."""
    with (
        valkey_server(**{"maxmemory-policy": "volatile-lru"}) as url,
        running_aggregators(url, keys, tmp_path) as shard,
    ):
        producer = Producer(service="ranker", url=url, prefix=keys.prefix, sample_process=False)
        record(producer, FIRST)
        connection = shard.connection
        (sequence,) = [key for key in shard.all_keys() if ":seq:" in key]
        used = next(memory for memory in [shard.status().server_memory] if memory is not None).used_bytes
        connection.command("CONFIG", "SET", "maxmemory", used + ROOM_BYTES)
        with contextlib.suppress(BarographError):
            for number in range(200):
                connection.command("SET", f"session:{number}", "x" * 20_000)
        # At once: the next heartbeat finds the number again.
        was_evicted = as_int(connection.command("EXISTS", sequence)) == 0
        memory = shard.status().server_memory
        document = json.loads(_command("status", "--json", "--url", url, "--prefix", keys.prefix).stdout)
        table = _command("status", "--url", url, "--prefix", keys.prefix).stdout
        connection.command("CONFIG", "SET", "maxmemory", 0)
        record(producer, SECOND)
        account, newest = shard.status().account, as_int(connection.command("GET", sequence))
        shipped = producer.stats().shipped
        producer.close()
        assert was_evicted
        assert account is not None
        # Entries ever added: as many as numbers, though a full server may have dropped those that are processed.
        assert (account.added, shipped) == (newest, FIRST + SECOND)
        assert memory is not None
        assert memory.can_evict
        assert document["shards"][0]["server_memory"]["policy"] == "volatile-lru"
        assert "drops keys" in table


def test_a_worker_logs_at_its_start_that_the_server_evicts(keys: ShardKeys, tmp_path: Path) -> None:
    """An error: what follows from it is seen in figures only, and not as what it is."""
    options = {"maxmemory-policy": "allkeys-lru", "maxmemory": 500_000_000}
    with valkey_server(**options) as url:
        installed = _command("install", "--url", url, "--prefix", keys.prefix)
        with running_aggregators(url, keys, tmp_path) as shard:
            lines = [json.loads(line) for line in shard.log().splitlines() if "server.can_evict" in line]
    assert [(line["level"], line["maxmemory_policy"]) for line in lines] == [("error", "allkeys-lru")]
    assert "set it to noeviction" in installed.stderr


def record(producer: Producer, count: int) -> None:
    for _ in range(count):
        producer.request("/a", "GET", 200, 1.0)
    assert producer.flush(10.0)


def _command(*words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "barograph_cli", *words]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
