"""Fixtures of the alerter's tests: a clock that moves when told to, and a desk on a real server."""

import pytest

from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from tests.integration.alerter.desk import START, Desk
from tests.support import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture
def desk(real: Connection, keys: ShardKeys, clock: FakeClock) -> Desk:
    return Desk(real, keys, clock)
