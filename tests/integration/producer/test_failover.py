"""Two redis-servers and a failover that loses its tail: the producer brings it back."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from barograph_core.functions.library import ensure_library
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_text
from barograph_producer import Producer
from tests.integration.producer.proxy import FaultyProxy
from tests.integration.producer.reading import durations, producers
from tests.integration.producer.recording import numbers, producer_through, record, trouble
from tests.support import has_redis_server, redis_server, wait_until


@dataclass
class Pair:
    """A master, its replica, and the address that producers know."""

    master: Connection
    replica: Connection
    replica_url: str
    proxy: FaultyProxy

    def promote(self) -> None:
        """Make the replica a master of its own. What the old master takes from now on will be lost."""
        self.replica.command("REPLICAOF", "NO", "ONE")

    def demote(self) -> None:
        """Make the old master the new one's replica: it forgets its tail and is read-only."""
        port = self.replica_url.rpartition(":")[2].partition("/")[0]
        self.master.command("REPLICAOF", "127.0.0.1", port)

    def switch(self) -> None:
        """Send producers to the new master."""
        self.proxy.point_to(self.replica_url)


@pytest.fixture
def pair() -> Iterator[Pair]:
    if not has_redis_server():
        pytest.skip("redis-server is not installed")
    quick = ("--repl-diskless-sync-delay", "0")
    with redis_server(*quick) as master_url, redis_server(*quick) as replica_url:
        master, replica = Connection.open(master_url), Connection.open(replica_url)
        ensure_library(master)
        port = master_url.rpartition(":")[2].partition("/")[0]
        replica.command("REPLICAOF", "127.0.0.1", port)
        with FaultyProxy(master_url) as proxy:
            yield Pair(master, replica, replica_url, proxy)
        master.close()
        replica.close()


def replicated(pair: Pair) -> bool:
    return "master_link_status:up" in as_text(pair.replica.command("INFO", "replication")) and (
        pair.master.command("WAIT", 1, 100) == 1
    )


def lose_the_tail(pair: Pair, producer: Producer) -> None:
    """Ship 100 events that survive and 100 that only the old master has, then fail over."""
    wait_until(lambda: replicated(pair), what="the replica")
    record(producer, 0, 100)
    assert producer.flush()
    wait_until(lambda: replicated(pair), what="the replica")
    pair.promote()
    record(producer, 100, 200)
    assert producer.flush()
    pair.demote()


def test_a_failover_loses_no_event(pair: Pair, keys: ShardKeys) -> None:
    """READONLY is waited out, and the gap reply of the new master brings back what the failover lost."""
    producer = producer_through(pair.proxy, keys)
    lose_the_tail(pair, producer)
    record(producer, 200, 300)
    wait_until(lambda: trouble(producer) == "read_only", what="READONLY")
    pair.switch()
    wait_until(lambda: producer.stats().shipped == 300, what="the shipping")
    assert producer.close()
    assert durations(pair.replica, keys) == numbers(0, 300)
    assert producer.stats().lost == 0


def test_a_failover_in_a_quiet_hour_loses_no_event_either(pair: Pair, keys: ShardKeys) -> None:
    """No further batch comes: the heartbeat names what was confirmed, and the gap shows."""
    producer = producer_through(pair.proxy, keys)
    lose_the_tail(pair, producer)
    pair.switch()
    wait_until(lambda: len(durations(pair.replica, keys)) == 200, what="the lost tail")
    assert producer.close()
    assert durations(pair.replica, keys) == numbers(0, 200)


def test_a_failover_just_before_the_goodbye_loses_no_event(pair: Pair, keys: ShardKeys) -> None:
    """The goodbye, too, names what was confirmed."""
    producer = producer_through(pair.proxy, keys)
    lose_the_tail(pair, producer)
    pair.switch()
    producer.close(10)
    assert durations(pair.replica, keys) == numbers(0, 200)
    assert producers(pair.replica, keys) == 0
