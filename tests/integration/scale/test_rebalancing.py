"""Workers join and leave, and shards are added, while events come in: counts stay exact."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from barograph_cli.manage.shards import run as run_shards
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_list
from tests.integration.scale.fleet import Fleet, running_fleet
from tests.support import wait_until

SERVICES = [f"service-{number}" for number in range(6)]


@pytest.fixture
def fleet(valkey_url: str, keys: ShardKeys, tmp_path: Path) -> Iterator[Fleet]:
    with running_fleet(valkey_url, keys.prefix, tmp_path, "--shards", "4") as running:
        yield running


def consumers_that_hold(fleet: Fleet, count: int) -> bool:
    """Say whether each shard has ``count`` live aggregators."""
    connection = Connection.open(fleet.url)
    counts = [len(as_list(connection.command("ZRANGE", keys.workers, 0, -1))) for keys in fleet.layout().shards]
    connection.close()
    return counts == [count] * len(counts)


def test_workers_join_and_leave_over_four_shards(fleet: Fleet) -> None:
    """One leaves in order, one dies; those that stay take their entries over, on every shard."""
    first, second = fleet.start(), fleet.start()
    assert len(fleet.layout().tags) == 4
    wait_until(lambda: consumers_that_hold(fleet, 2), what="two on each shard")
    with fleet.load(SERVICES):
        wait_until(lambda: sum(map(len, fleet.book.values())) > 2_000, what="some load")
        third = fleet.start()
        fleet.end(first)
        wait_until(lambda: sum(map(len, fleet.book.values())) > 5_000, what="some load")
        fleet.end(second, signal.SIGKILL)
        fleet.start()
        wait_until(lambda: sum(map(len, fleet.book.values())) > 8_000, what="some load")
        fleet.end(third, signal.SIGKILL)
        wait_until(lambda: sum(map(len, fleet.book.values())) > 10_000, what="some load")
    fleet.settle()
    assert fleet.counted() == fleet.expected()
    assert len({fleet.layout().tag_of(service) for service in SERVICES}) > 1


def change(fleet: Fleet, *arguments: str) -> None:
    assert run_shards([*arguments, "--url", fleet.url, "--prefix", fleet.prefix]) == 0


def test_shards_are_added_and_taken_away_under_load(
    valkey_url: str, keys: ShardKeys, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From one to four to two: services stay where they are, new ones are spread, nothing is lost or double."""
    with running_fleet(valkey_url, keys.prefix, tmp_path) as fleet:
        fleet.start()
        fleet.start()
        early, late, last = SERVICES[:2], SERVICES[2:4], ["a-shard-of-its-own"]
        with fleet.load(early):
            wait_until(lambda: len(fleet.book[early[0]]) > 400, what="some load")
            change(fleet, "set", "4")
            with fleet.load(late):
                wait_until(lambda: len(fleet.book[late[0]]) > 400, what="some load")
                change(fleet, "pin", *last)
                change(fleet, "set", "2")
                with fleet.load(last):
                    wait_until(lambda: len(fleet.book[last[0]]) > 400, what="some load")
        fleet.settle()
        assert fleet.counted() == fleet.expected()
        layout = fleet.layout()
        assert {layout.tag_of(service) for service in early} == {"0"}
        for service in fleet.book:
            assert fleet.streams_of(service) == {layout.tag_of(service)}, "a service lives on one shard"
        assert [producer.stats().lost for producer in fleet.producers.values()] == [0] * len(fleet.producers)
        assert layout.tag_of(*last) not in {layout.tag_of(service) for service in (*early, *late)}
    assert "epoch 3" in capsys.readouterr().out


def test_the_layout_of_a_server_without_one_is_shown(valkey_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_shards(["show", "--json", "--url", valkey_url, "--prefix", "nobody-was-here"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["epoch"], [shard["tag"] for shard in shown["shards"]]) == (0, ["0"])
