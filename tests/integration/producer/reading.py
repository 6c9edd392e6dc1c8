"""What lies on the events stream, decoded."""

from barograph_core.decode.batch import EventBatch, decode_batch
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_entries


def batches(real: Connection, keys: ShardKeys) -> list[EventBatch]:
    return [decode_batch(entry.fields) for entry in as_entries(real.command("XRANGE", keys.events, "-", "+"))]


def durations(real: Connection, keys: ShardKeys) -> list[float]:
    """Return every request's duration, in stream order: the tests number their requests by it."""
    return [
        float(value)
        for batch in batches(real, keys)
        if batch.kind.name == "request" and batch.columns[0] is not None
        for value in batch.columns[0]
    ]


def producers(real: Connection, keys: ShardKeys, service: str = "ranker") -> int:
    count = real.command("ZCARD", keys.producers(service))
    assert isinstance(count, int)
    return count
