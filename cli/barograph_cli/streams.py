"""The streams of a shard by the names that people use."""

from typing import Literal

from barograph_core.keys import ShardKeys

StreamName = Literal["events", "metrics", "alerts", "deliveries", "dead"]


def stream_keys(keys: ShardKeys) -> dict[StreamName, str]:
    """Return the key of each stream."""
    return {
        "events": keys.events,
        "metrics": keys.metrics,
        "alerts": keys.alerts,
        "deliveries": keys.deliveries,
        "dead": keys.dead,
    }
