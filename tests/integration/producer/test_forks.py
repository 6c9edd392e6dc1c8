"""Forks that Python does not see, forks at random moments, and greenlets in place of threads."""

import importlib.util
import subprocess
import sys

import pytest

from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from tests.integration.producer.reading import batches, durations, producers
from tests.integration.producer.test_processes import run_host
from tests.support import IS_CI

# Of each of the two ways to fork.
ROUNDS = 50
SHIP_AND_PRINT_NEW_MODULES = """
import sys
from barograph_producer import Producer
producer = Producer("ranker", sys.argv[1], prefix=sys.argv[2])
before = set(sys.modules)
producer.request("/predict", "POST", 200, 1.0)
assert producer.flush(5) and producer.close(5)
print(sorted(set(sys.modules) - before))
"""


@pytest.mark.parametrize("how", ["python", "c"])
def test_a_child_forked_at_any_moment_ships_all_of_its_events(
    how: str, valkey_url: str, real: Connection, keys: ShardKeys
) -> None:
    """The parent starts, connects or ships; no child hangs, and parent and child are instances of their own."""
    run_host("random_forks.py", valkey_url, keys.prefix, how, str(ROUNDS))
    assert len(durations(real, keys)) == ROUNDS * (7 + 3)
    assert len({batch.instance for batch in batches(real, keys)}) == ROUNDS * 2
    assert producers(real, keys) == 0


@pytest.mark.parametrize("how", ["gevent", "eventlet"])
def test_a_shipper_that_became_a_greenlet_stops_no_other(
    how: str, valkey_url: str, real: Connection, keys: ShardKeys
) -> None:
    """The shipper once waited for a real lock, for 250 ms at a time, and all other greenlets with it."""
    if importlib.util.find_spec(how) is None:
        assert not IS_CI, f"{how} is not installed, and in CI nothing may be skipped for that"
        pytest.skip(f"{how} is not installed")
    assert float(run_host("late_patch.py", valkey_url, keys.prefix, how)) < 100
    assert len(durations(real, keys)) == 60


@pytest.mark.usefixtures("real")
def test_the_shipping_thread_imports_nothing(valkey_url: str, keys: ShardKeys) -> None:
    """A fork during an import would leave the child with half of a module."""
    url = valkey_url.replace("127.0.0.1", "localhost")
    command = [sys.executable, "-c", SHIP_AND_PRINT_NEW_MODULES, url, keys.prefix]
    assert subprocess.run(command, check=True, timeout=60, capture_output=True, text=True).stdout == "[]\n"
