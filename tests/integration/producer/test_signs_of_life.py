"""What a producer tells of itself while nothing is recorded."""

from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_producer import Producer
from tests.integration.producer.reading import batches, producers
from tests.support import wait_until


def test_goodbye_removes_the_instance(valkey_url: str, real: Connection, keys: ShardKeys) -> None:
    """A producer that said goodbye is not missing from any later pane; one that is idle claims each second."""
    producer = Producer("ranker", valkey_url, prefix=keys.prefix, sample_process=False)
    producer.start()
    wait_until(lambda: producers(real, keys) == 1, what="the heartbeat")
    score = real.command("ZSCORE", keys.producers("ranker"), producer.stats().instance)
    wait_until(
        lambda: real.command("ZSCORE", keys.producers("ranker"), producer.stats().instance) != score,
        timeout_s=3,
        what="the next heartbeat",
    )
    assert producer.close()
    assert producers(real, keys) == 0
    assert real.command("HGET", keys.producer(producer.stats().instance), "state") == b"goodbye"


def test_the_process_is_sampled(valkey_url: str, real: Connection, keys: ShardKeys) -> None:
    """An idle service still tells its memory, CPU and threads."""
    producer = Producer("ranker", valkey_url, prefix=keys.prefix, sample_every_ms=100)
    producer.start()
    wait_until(lambda: producer.stats().shipped >= 3, what="three samples")
    assert producer.close()
    instance = producer.stats().instance
    assert {batch.labels[0] for batch in batches(real, keys)} >= {(instance, "process")}
