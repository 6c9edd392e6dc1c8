"""The record of what was sent, as the deliveries stream of a real server holds it."""

from barograph_console.store.connection_pool import ConnectionPool
from barograph_console.store.redis_alerts import RedisAlerts
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.keyspace.layout import LayoutView
from barograph_core.server.connection import Connection
from tests.support import FakeClock


def add(real: Connection, keys: ShardKeys, at_ms: int, transition: str, channel: str) -> None:
    named = {"transition": transition, "channel": channel, "attempt": "1", "result": "sent", "reason": ""}
    fields = [text for pair in named.items() for text in pair]
    real.command("XADD", keys.deliveries, f"{at_ms}-0", *fields, "at_ms", at_ms)


def test_deliveries_are_read_newest_first_page_by_page(real: Connection, keys: ShardKeys, pool: ConnectionPool) -> None:
    """Of one transition and channel; an entry that cannot be read does not hide the others."""
    for at_ms in range(1, 6):
        add(real, keys, at_ms, f"t{at_ms % 2}", "slack" if at_ms < 5 else "mail")
    real.command("XADD", keys.deliveries, "9-0", "what", "ever")
    alerts = RedisAlerts(pool, LayoutView(keys.prefix, FakeClock()))
    page = alerts.deliveries(transitions=None, channel="", before=None, limit=2)
    assert [one.at_ms for one in page.deliveries] == [5, 4]
    rest = alerts.deliveries(transitions=None, channel="", before=page.next_before, limit=9)
    assert ([one.at_ms for one in rest.deliveries], rest.next_before) == ([3, 2, 1], None)
    odd = alerts.deliveries(transitions={"t1"}, channel="slack", before=None, limit=9)
    assert [(one.at_ms, one.transition, one.result) for one in odd.deliveries] == [(3, "t1", "sent"), (1, "t1", "sent")]


def test_an_alert_that_is_nowhere_is_not_found(real: Connection, keys: ShardKeys, pool: ConnectionPool) -> None:
    real.command("HSET", keys.closed, "ranker", 1_000)
    assert RedisAlerts(pool, LayoutView(keys.prefix, FakeClock())).find("0" * 16) is None
