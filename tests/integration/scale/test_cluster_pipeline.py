"""The whole pipeline on a Cluster: every stage and every command finds every shard."""

import json
from collections.abc import Iterator

import pytest

from barograph_cli.look.status import run as run_status
from barograph_cli.manage.service import run as run_service
from barograph_console.store.connection_pool import ConnectionPool
from barograph_console.store.redis_alerts import RedisAlerts
from barograph_console.store.redis_ports import RedisHealth, RedisPanes
from barograph_core.clock import SystemClock
from barograph_core.functions.library import LIBRARY_VERSION
from barograph_core.keyspace.layout import LayoutView
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_hash, as_list
from tests.integration.scale.fleet import STEPS, Fleet, running_fleet
from tests.servers import Cluster, running_cluster
from tests.support import wait_until

SERVICES = [f"service-{number}" for number in range(4)]
RULE = """
[alerter]
default_rules = false

[[rule]]
name = "slow"
on = "request"
by = []
window = "1s"
when = "duration_ms.max > 1"
severity = "error"
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture(scope="module")
def fleet(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("fleet")
    config = folder / "barograph.toml"
    config.write_text(RULE)
    with running_fleet(cluster.url, "baro", folder, "--shards", "4", "--config", str(config)) as running:
        for stage in ("aggregator", "alerter", "notifier"):
            running.start(stage)
        with running.load(SERVICES):
            wait_until(lambda: len(running.book[SERVICES[0]]) > 700, what="some load")
        running.settle()
        yield running


@pytest.fixture
def pool(cluster: Cluster) -> Iterator[ConnectionPool]:
    opened = ConnectionPool(lambda: Connection.open(cluster.url), size=2, wait_s=5.0)
    yield opened
    opened.close()


def delivered(fleet: Fleet) -> set[str]:
    """Return the services whose firing alert was sent."""
    connection = Connection.open(fleet.url)
    found: set[str] = set()
    for keys in fleet.layout().shards:
        sent = as_list(connection.command("XRANGE", keys.deliveries, "-", "+"))
        results = {as_hash(as_list(entry)[1])["result"] for entry in sent}
        alerts = [as_hash(as_list(entry)[1]) for entry in as_list(connection.command("XRANGE", keys.alerts, "-", "+"))]
        if results == {b"sent"}:
            found |= {alert["service"].decode() for alert in alerts if alert["to"] == b"firing"}
    connection.close()
    return found


def test_counts_are_exact_on_every_shard(fleet: Fleet) -> None:
    assert fleet.counted() == fleet.expected()
    assert len({fleet.layout().tag_of(service) for service in SERVICES}) > 1


def test_alerts_fire_and_are_delivered_from_every_shard(fleet: Fleet) -> None:
    wait_until(lambda: delivered(fleet) >= set(SERVICES), what="an alert of each service")
    assert delivered(fleet) >= set(SERVICES)


def test_the_console_finds_all_services_and_alerts(fleet: Fleet, pool: ConnectionPool) -> None:
    layouts = LayoutView(fleet.prefix, SystemClock())
    assert set(RedisPanes(pool, layouts, STEPS).services()) >= set(SERVICES)
    wait_until(lambda: delivered(fleet) >= set(SERVICES), what="an alert of each service")
    history = RedisAlerts(pool, layouts).history(before=None, limit=100, service="")
    assert {entry.transition.service for entry in history.entries} >= set(SERVICES)
    assert RedisHealth(pool, layouts, SystemClock()).problems() == []


def test_status_accounts_for_every_entry_of_every_shard(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_status(["--json", "--url", fleet.url]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["library"] == LIBRARY_VERSION
    groups = [shard["streams"][0]["groups"] for shard in told["shards"]]
    assert [[group["unread"] + group["pending"] for group in found] for found in groups] == [[0]] * 4


def test_services_are_listed_with_their_shard(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_service(["list", "--json", "--url", fleet.url]) == 0
    told = {one["service"]: one["shard"] for one in json.loads(capsys.readouterr().out)}
    assert {name: told[name] for name in SERVICES} == {name: fleet.layout().tag_of(name) for name in SERVICES}
