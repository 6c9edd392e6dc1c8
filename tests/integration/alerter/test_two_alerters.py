"""Several alerters at once: whoever is first writes, the others look again."""

import threading

import pytest

from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from tests.integration.alerter.desk import SERVICE, START, Alerter, Desk, rules_of
from tests.support import FakeClock
from tests.unit.alerter.build import requests

RULES = """
[[rule]]
name = "errors"
on = "request"
window = "1s"
when = "errors >= 5"
cooldown = "0s"
"""
EPISODES = 15


@pytest.mark.parametrize("alerters", [3])
def test_alerters_that_race_tell_each_transition_once(
    real: Connection, valkey_url: str, keys: ShardKeys, alerters: int
) -> None:
    """Correct by compare-and-set alone: no leader, no lock."""
    clock = FakeClock(START)
    desk = Desk(real, keys, clock)
    desk.close(requests(ok=1))
    desk.alerter(RULES).work()
    done = threading.Event()
    failures: list[BaseException] = []
    stale: list[int] = []

    def race(number: int) -> None:
        connection = Connection.open(valkey_url)
        try:
            racer = Alerter(connection, keys, rules_of(RULES), clock, f"racer{number}")
            while not done.is_set():
                racer.judge.judge(SERVICE)
                racer.work()
            racer.work()
            racer.judge.judge(SERVICE)
            stale.append(racer.counters["stale_states"])
        except BaseException as error:  # noqa: BLE001 - shown by the assertion below
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=race, args=(number,)) for number in range(alerters)]
    for thread in threads:
        thread.start()
    for _ in range(EPISODES):
        desk.close(requests(errors=9))
        desk.close(requests(ok=9))
    done.set()
    for thread in threads:
        thread.join(timeout=60)
    assert failures == []
    assert [after for _, after, _, _ in desk.told] == ["firing", "resolved"] * EPISODES
    assert len({entry.transition for entry in desk.entries}) == 2 * EPISODES
    assert desk.pending_hints == 0
    assert len(stale) == alerters
