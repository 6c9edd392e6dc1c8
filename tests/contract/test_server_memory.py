"""What a server says of its memory, and what follows from it."""

import pytest

from barograph_core.server.connection import Connection
from barograph_core.server.memory import ServerMemory, read_memory
from tests.support import fake_connection


@pytest.mark.parametrize(
    ("policy", "bound_bytes", "can_evict"),
    [("noeviction", 100, False), ("volatile-lru", 100, True), ("allkeys-lfu", 100, True), ("volatile-ttl", 0, False)],
)
def test_a_server_evicts_with_a_policy_and_a_bound(policy: str, bound_bytes: int, can_evict: bool) -> None:
    """Without a bound the policy never comes into effect."""
    assert ServerMemory(policy, bound_bytes, 7).can_evict is can_evict


def test_a_server_that_does_not_say_is_no_fault() -> None:
    """Some services do not let a user ask."""
    assert read_memory(fake_connection()) is None


def test_a_real_server_says_its_policy_and_memory(real_url: str) -> None:
    """Redis and Valkey name the facts alike."""
    connection = Connection.open(real_url)
    memory = read_memory(connection)
    connection.close()
    assert memory is not None
    assert (memory.policy, memory.bound_bytes, memory.used_bytes > 100_000) == ("noeviction", 0, True)
