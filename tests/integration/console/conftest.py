"""The console over a real server, called in this process."""

from collections.abc import Callable, Iterator

import pytest
from fastapi.testclient import TestClient

from barograph_console.alertmanager.redis_pushes import RedisPushes
from barograph_console.app import create_app
from barograph_console.channels.redis_channels import RedisChannels
from barograph_console.settings import ConsoleSettings
from barograph_console.store.connection_pool import ConnectionPool
from barograph_console.store.ingest.redis_event_log import RedisEventLog
from barograph_console.store.ports import Ports
from barograph_console.store.redis_access import RedisAccess
from barograph_console.store.redis_alerts import RedisAlerts
from barograph_console.store.redis_markers import RedisMarkers
from barograph_console.store.redis_ports import RedisHealth, RedisPanes, RedisPipeline
from barograph_console.store.redis_rules import RedisRules
from barograph_console.store.redis_silences import RedisSilences
from barograph_core.clock import Clock
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.keyspace.layout import LayoutView
from barograph_core.server.connection import Connection
from tests.unit.console.fakes import STEPS

ClientAt = Callable[[Clock], TestClient]


@pytest.fixture
def pool(valkey_url: str) -> Iterator[ConnectionPool]:
    opened = ConnectionPool(lambda: Connection.open(valkey_url), size=3, wait_s=5.0)
    yield opened
    opened.close()


@pytest.fixture
def client_at(pool: ConnectionPool, keys: ShardKeys) -> ClientAt:
    """Return what makes a client of the console by a given clock."""

    def make(clock: Clock) -> TestClient:
        layouts = LayoutView(keys.prefix, clock)
        ports = Ports(
            RedisPanes(pool, layouts, STEPS),
            RedisAlerts(pool, layouts),
            RedisPipeline(pool, layouts),
            RedisHealth(pool, layouts, clock),
            RedisAccess(pool, keys.prefix),
            RedisRules(pool, keys.prefix, clock),
            RedisSilences(pool, layouts, clock),
            RedisPushes(pool, layouts, STEPS[0].step_ms, clock),
            RedisMarkers(pool, layouts),
            RedisEventLog(pool, keys.prefix),
            RedisChannels(pool, layouts),
        )
        return TestClient(create_app(ports, ConsoleSettings(), clock), base_url="http://localhost")

    return make
