"""Producers in real processes: forks, exits, signals."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from tests.integration.producer.proxy import FaultyProxy
from tests.integration.producer.reading import batches, durations, producers
from tests.integration.producer.recording import numbers

HOSTS = Path(__file__).parent / "hosts"
# Beyond the exit's bound: the interpreter's own end, on a busy machine.
SPARE_S = 2.0


def run_host(name: str, *arguments: str) -> str:
    command = [sys.executable, str(HOSTS / name), *arguments]
    return subprocess.run(command, check=True, timeout=60, stdout=subprocess.PIPE, text=True).stdout


@pytest.mark.parametrize("how", ["fork", "multiprocessing", "spawn", "pool"])
def test_a_child_sends_nothing_twice_and_loses_nothing(
    how: str, valkey_url: str, real: Connection, keys: ShardKeys
) -> None:
    """The child is an instance of its own; the parent's buffer stays the parent's."""
    run_host("forking.py", valkey_url, keys.prefix, how)
    assert sorted(durations(real, keys)) == numbers(0, 150)
    assert len({batch.instance for batch in batches(real, keys)}) == 2
    assert producers(real, keys) == 0


def test_forks_while_threads_record_lose_and_double_nothing(valkey_url: str, real: Connection, keys: ShardKeys) -> None:
    """Twenty children, each forked at some point of the parent's recording and shipping; none hangs."""
    recorded = int(run_host("forking.py", valkey_url, keys.prefix, "storm"))
    found = durations(real, keys)
    assert len(found) == len(set(found)) == recorded + 20
    assert sorted(number for number in found if 100 <= number < 1_000_000) == numbers(100, 120)
    assert len({batch.instance for batch in batches(real, keys)}) == 21
    assert producers(real, keys) == 0


def test_a_process_of_a_moment_is_flushed_at_its_exit(valkey_url: str, real: Connection, keys: ShardKeys) -> None:
    """Nothing was shipped before the script ended; its exit ships it and says goodbye."""
    run_host("short.py", valkey_url, keys.prefix)
    assert durations(real, keys) == numbers(0, 40)
    assert producers(real, keys) == 0


def test_an_exit_with_a_silent_server_takes_no_longer_than_its_bound(
    proxy: FaultyProxy, real: Connection, keys: ShardKeys
) -> None:
    """The bound is ``exit_timeout_s`` and a quarter of a second, whatever the socket does."""
    proxy.is_silent = True
    printed = run_host("short.py", proxy.url, keys.prefix, "0.3")
    assert time.monotonic() - float(printed) < 0.3 + 0.25 + SPARE_S
    assert durations(real, keys) == []


@pytest.mark.parametrize(("how", "code"), [("exit", 0), ("asked", -signal.SIGTERM)])
def test_sigterm_to_a_script_loses_nothing(
    how: str, code: int, valkey_url: str, real: Connection, keys: ShardKeys
) -> None:
    """A script whose handler exits is flushed at its exit; one without a handler may ask the producer for one."""
    command = [sys.executable, str(HOSTS / "until_told.py"), valkey_url, keys.prefix, how]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == code
    assert durations(real, keys) == numbers(0, 40)
    assert producers(real, keys) == 0
