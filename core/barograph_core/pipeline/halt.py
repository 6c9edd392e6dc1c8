"""Asks cheaply whether the pipeline of a shard moves on, for whoever asks each second."""

from typing import Final, Literal

from barograph_core.keyspace.keys import ShardKeys
from barograph_core.pipeline.closing import find_stuck, parse_stuck
from barograph_core.server.connection import Connection
from barograph_core.server.foreign_replies import as_count
from barograph_core.server.replies import as_bytes, as_list, as_now_ms
from barograph_core.store.closed import parse_closed

Halt = Literal["no_aggregator", "stuck"]

# A closer renews its lease twenty times a second; a new one takes it over within a second.
_LEASE_OVER_MS: Final = 30_000


def look_for_halt(connection: Connection, keys: ShardKeys) -> list[Halt]:
    """Return why nothing, or not everything, moves on; nothing before the first aggregator ran.

    Raises:
        BarographError: The server is gone or refuses.
    """
    time, progress, closed, report = connection.pipeline(
        [
            ("TIME",),
            ("HMGET", keys.progress, "watermark_ms", "closer_until_ms"),
            ("HGETALL", keys.closed),
            ("GET", keys.closing),
        ]
    )
    watermark, lease = as_list(progress)
    if lease is not None and as_now_ms(time) - as_count(lease) > _LEASE_OVER_MS:
        return ["no_aggregator"]
    cursors = parse_closed(closed)
    watermark_ms = None if watermark is None else as_count(watermark)
    is_stuck = find_stuck(None if report is None else parse_stuck(as_bytes(report)), cursors, watermark_ms)
    return ["stuck"] if is_stuck else []
