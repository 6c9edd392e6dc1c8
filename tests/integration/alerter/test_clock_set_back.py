"""The server's clock was ahead and is right again: rules go on from the cursors that were set back with it."""

from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from tests.integration.alerter.desk import COUNTING, RATIO, SERVICE, STEP, Desk
from tests.support import FakeClock
from tests.unit.alerter.build import requests

HOUR_MS = 3_600_000


def leap(desk: Desk, ms: int) -> None:
    """Let the server's clock leap, ahead or back: panes go on from there."""
    desk.next_ms += ms
    desk.clock.set_back(-ms)


def test_rules_are_judged_again_at_once(connection: Connection, keys: ShardKeys, clock: FakeClock) -> None:
    """Not when the clock reaches the old frontier; what was judged before does not repeat."""
    desk = Desk(connection, keys, clock)
    alerter = desk.alerter(COUNTING)
    desk.close(requests(errors=1))
    leap(desk, HOUR_MS)
    desk.close(requests())
    alerter.work()
    leap(desk, 10 * STEP - HOUR_MS)
    for _ in range(5):
        desk.close(requests(errors=1))
        alerter.work()
    assert desk.told == []
    desk.close(requests(errors=9))
    alerter.work()
    assert desk.told == [("inactive", "firing", True, "")]
    assert int(desk.state()["closed_at"]) == desk.next_ms


def test_an_alert_that_fired_while_the_clock_was_ahead_resolves(
    connection: Connection, keys: ShardKeys, clock: FakeClock
) -> None:
    """Its breach is noted for a time that has not come yet: a verdict on an earlier window would count as stale."""
    desk = Desk(connection, keys, clock)
    alerter = desk.alerter(RATIO)
    leap(desk, HOUR_MS)
    for _ in range(5):
        desk.close(requests(errors=9))
        alerter.work()
    assert desk.told == [("inactive", "firing", True, "")]
    leap(desk, -HOUR_MS)
    for _ in range(10):
        desk.close(requests(9))
        alerter.work()
    assert desk.told == [("inactive", "firing", True, ""), ("firing", "resolved", True, "")]
    assert desk.records(SERVICE) == []
