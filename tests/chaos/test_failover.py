"""A master dies ten times, each time its replica takes its place, and a worker dies with it."""

import signal
from pathlib import Path

import pytest

from barograph_core.functions.library import loaded_version
from barograph_core.server.connection import Connection
from tests.integration.scale.fleet import running_fleet
from tests.servers import running_sentinels
from tests.support import wait_until

SERVICES = [f"service-{number}" for number in range(3)]
FAILOVERS = 10


@pytest.mark.chaos
def test_counts_are_exact_through_failovers(tmp_path: Path) -> None:
    """What the old master took and the replica never saw is sent again: the producers still have it."""
    with running_sentinels(tmp_path) as watched, running_fleet(watched.url, "baro", tmp_path) as fleet:
        fleet.start()
        fleet.start()
        with fleet.load(SERVICES):
            wait_until(lambda: len(fleet.book[SERVICES[0]]) > 1_000, what="some load")
            for _ in range(FAILOVERS):
                watched.fail_over()
                fleet.end(fleet.workers[0], signal.SIGKILL)
                fleet.start()
                watched.come_back()
                wait_until(fleet.has_shipped_lately, timeout_s=30, what="the producers")
        fleet.settle(timeout_s=40)
        assert fleet.counted() == fleet.expected()
        connection = Connection.open(watched.url)
        assert loaded_version(connection) is not None
        connection.close()
