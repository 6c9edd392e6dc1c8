"""The pipeline on a Cluster of three nodes that die and come back, one after the other."""

from functools import partial
from pathlib import Path

import pytest

from barograph_core.server.slots import hash_slot
from tests.integration.scale.fleet import Fleet, running_fleet
from tests.servers import running_cluster
from tests.support import wait_until

SERVICES = [f"service-{number}" for number in range(12)]
DURABLE = ("--appendonly", "yes", "--appendfsync", "always", "--cluster-require-full-coverage", "no")


def has_recorded(fleet: Fleet, count: int) -> bool:
    return len(fleet.book[SERVICES[0]]) > count


@pytest.mark.chaos
def test_counts_are_exact_though_nodes_die_and_come_back(tmp_path: Path) -> None:
    """Shards on the other nodes go on; those of the dead one wait in the producers."""
    with (
        running_cluster(tmp_path, 3, *DURABLE) as cluster,
        running_fleet(cluster.url, "baro", tmp_path, "--shards", "6") as fleet,
    ):
        fleet.start()
        fleet.start()
        tags = fleet.layout().tags
        assert sorted(hash_slot(tag) * 3 // 16_384 for tag in tags) == [0, 0, 1, 1, 2, 2]
        with fleet.load(SERVICES):
            wait_until(partial(has_recorded, fleet, 1_000), what="some load")
            # As a node that was added later, it has no library: the workers bring it.
            cluster.nodes[0].command("FUNCTION", "FLUSH")
            for victim in (*cluster.nodes, *cluster.nodes):
                victim.kill()
                wait_until(partial(has_recorded, fleet, len(fleet.book[SERVICES[0]]) + 1_000), what="some load")
                victim.start()
                wait_until(fleet.has_shipped_lately, timeout_s=30, what="the node")
        fleet.settle(timeout_s=40)
        assert fleet.counted() == fleet.expected()
        assert [producer.stats().lost for producer in fleet.producers.values()] == [0] * len(SERVICES)
