"""Key names: one hash tag a shard, even shares of a Cluster."""

import pytest

from barograph_core.events.kinds import is_service_name
from barograph_core.keyspace.keys import ShardKeys, shard_tag
from barograph_core.server.slots import crc16, hash_slot


def test_the_checksum_is_the_one_of_redis_cluster() -> None:
    """The reference value of the Redis Cluster specification."""
    assert crc16("123456789") == 0x31C3


def test_one_shard_has_the_tag_zero() -> None:
    """Keys of the common case read well."""
    assert ShardKeys(tag=shard_tag(0, 1)).events == "baro:{0}:events"


@pytest.mark.parametrize("nodes", [3, 4, 6])
def test_twelve_shards_lie_evenly_on_equal_nodes(nodes: int) -> None:
    """No node carries more shards than another."""
    share = 16_384 / nodes
    load = [0] * nodes
    for index in range(12):
        load[int(hash_slot(shard_tag(index, 12)) / share)] += 1
    assert load == [12 // nodes] * nodes


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a,b", "x" * 65, "ok\n"])
def test_a_bad_service_name_is_recognised(name: str) -> None:
    """Names stand in keys and in comma-separated fields."""
    assert not is_service_name(name)


def test_a_bad_prefix_is_refused() -> None:
    """A brace in the prefix would move the hash tag."""
    with pytest.raises(ValueError, match="prefix"):
        ShardKeys(prefix="a{b}")
