"""Lists the services of a shard: how far each is closed, and whether producers report for it."""

from dataclasses import dataclass
from typing import Final

from barograph_core.alerts.state import alert_ids
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection, read_now
from barograph_core.server.foreign_replies import as_scores
from barograph_core.server.replies import as_int, as_list, as_text
from barograph_core.store.closed import parse_closed

# A producer that has not reported for this long does not count as live; it reports each second.
LIVE_MS: Final = 10_000


@dataclass(frozen=True, slots=True)
class ListedService:
    """One service that is not retired.

    Attributes:
        closed_age_ms: Age of the end of its newest closed pane.
        heard_age_ms: Age of its newest event, ``None`` when no pane with an event has closed yet.
        producers: Number of producers that have not said goodbye.
        live: Number of these that reported within the last ten seconds.
        alerts: Number of alerts pending, firing or muted.
    """

    service: str
    shard: str
    closed_age_ms: int
    heard_age_ms: int | None
    producers: int
    live: int
    alerts: int


def list_services(connection: Connection, keys: ShardKeys) -> list[ListedService]:
    """Return the services of one shard, ordered by name."""
    now_ms = read_now(connection)
    closed, heard = connection.pipeline([["HGETALL", keys.closed], ["ZRANGE", keys.heard, 0, -1, "WITHSCORES"]])
    newest = as_scores(heard)
    listed: list[ListedService] = []
    for service, through in sorted(parse_closed(closed).items()):
        producers, live, state = connection.pipeline(
            [
                ["ZCARD", keys.producers(service)],
                ["ZCOUNT", keys.producers(service), now_ms - LIVE_MS, "+inf"],
                ["HKEYS", keys.state(service)],
            ]
        )
        heard_ms = newest.get(service)
        listed.append(
            ListedService(
                service=service,
                shard=keys.tag,
                closed_age_ms=max(0, now_ms - through),
                heard_age_ms=None if heard_ms is None else max(0, now_ms - heard_ms),
                producers=as_int(producers),
                live=as_int(live),
                alerts=len(alert_ids(map(as_text, as_list(state)))),
            )
        )
    return listed
