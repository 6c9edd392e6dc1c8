"""Real notifier processes between a real server and a real receiver."""

import json
import signal
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from barograph_core.alerts.transition import Transition
from barograph_core.errors import BarographError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_hash, as_int, as_list
from tests.integration.notifier.receiver import Receiver, running_receiver
from tests.support import wait_until
from tests.unit.notifier.samples import FIRING, RESOLVED, transition

GROUP = "notifier:hook"


@pytest.fixture
def receiver() -> Generator[Receiver]:
    with running_receiver() as running:
        yield running


class Notifiers:
    """Starts ``python -m barograph_notifier`` and stops what it started."""

    def __init__(self, url: str, keys: ShardKeys, config: Path) -> None:
        self.url, self.keys, self.config = url, keys, config
        self.processes: list[subprocess.Popen[str]] = []

    def start(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "barograph_notifier", "--url", self.url, "--prefix", self.keys.prefix),
                *("--config", str(self.config), "--retry-first-ms", "50", "--poll-ms", "50"),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "barograph notifier ready\n"
        return process

    def stop_all(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.communicate(timeout=60)


@pytest.fixture
def notifiers(valkey_url: str, keys: ShardKeys, tmp_path: Path, receiver: Receiver) -> Generator[Notifiers]:
    config = tmp_path / "barograph.toml"
    config.write_text(
        f'[[channel]]\nname = "hook"\ntype = "webhook"\nurl = "{receiver.url}"\nallow_private = true\ntimeout = "2s"\n'
        '[[channel]]\nname = "screen"\ntype = "console"\n'
    )
    running = Notifiers(valkey_url, keys, config)
    yield running
    running.stop_all()


def has_group(connection: Connection, keys: ShardKeys) -> bool:
    try:
        groups = as_list(connection.command("XINFO", "GROUPS", keys.alerts))
    except BarographError:
        return False
    return len(groups) == 2


def write(connection: Connection, keys: ShardKeys, *transitions: Transition) -> None:
    for one in transitions:
        connection.command("XADD", keys.alerts, "*", *one.to_fields())


def statuses(receiver: Receiver) -> list[str]:
    return [json.loads(got.body)["status"] for got in receiver.received]


def results(connection: Connection, keys: ShardKeys, channel: bytes = b"hook") -> list[bytes]:
    rows = as_list(connection.command("XRANGE", keys.deliveries, "-", "+"))
    notes = [as_hash(as_list(row)[1]) for row in rows]
    return [note["result"] for note in notes if note["channel"] == channel]


def test_an_alert_reaches_webhook_and_console_and_the_worker_stops_in_order(
    real: Connection, keys: ShardKeys, receiver: Receiver, notifiers: Notifiers
) -> None:
    """One process, both channels, a group each; SIGTERM ends it with exit code 0."""
    process = notifiers.start()
    wait_until(lambda: has_group(real, keys), what="the groups")
    receiver.answers = [(503, {}, b""), (200, {}, b"")]
    write(real, keys, transition(FIRING))
    wait_until(lambda: results(real, keys) == [b"retry", b"sent"], what="the delivery")
    write(real, keys, transition(RESOLVED, number=2))
    wait_until(
        lambda: len(results(real, keys)) == 3 and len(results(real, keys, b"screen")) == 2, what="the resolution"
    )
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert statuses(receiver) == ["firing", "firing", "resolved"]
    assert [line.split()[1] for line in out.splitlines()] == ["FIRING", "RESOLVED"]
    assert [json.loads(line)["event"] for line in err.splitlines()][-1] == "worker.stopped"


def test_two_notifiers_deliver_each_transition_once_though_one_is_killed(
    real: Connection, keys: ShardKeys, receiver: Receiver, notifiers: Notifiers
) -> None:
    """Side by side, one of them killed half-way and replaced: nothing is lost and nothing recorded twice.

    A request may arrive twice if the kill falls between answer and record; its key shows that.
    """
    victim = notifiers.start()
    notifiers.start()
    wait_until(lambda: has_group(real, keys), what="the groups")
    alerts = [f"a{number}" for number in range(120)]
    for alert in alerts[:60]:
        write(real, keys, transition(FIRING, alert=alert))
    wait_until(lambda: len(results(real, keys)) >= 10, what="the first deliveries")
    victim.kill()
    victim.wait(timeout=60)
    notifiers.start()
    for alert in alerts[60:]:
        write(real, keys, transition(FIRING, alert=alert))
    wait_until(lambda: results(real, keys).count(b"sent") == 120, what="every delivery", timeout_s=30)
    assert as_int(as_list(real.command("XPENDING", keys.alerts, GROUP))[0]) == 0
    assert results(real, keys) == [b"sent"] * 120
    bodies = [json.loads(got.body) for got in receiver.received]
    assert {body["alert"]["id"] for body in bodies} == set(alerts)
    assert len({body["key"] for body in bodies}) == 120
    assert len(bodies) <= 121


def test_wrong_channels_end_the_start_with_every_mistake(tmp_path: Path) -> None:
    """Exit code 2, one line a mistake, before anything is connected."""
    config = tmp_path / "barograph.toml"
    config.write_text('[[channel]]\nname = "chat"\ntype = "pigeon"\n[[route]]\nchannels = ["chta"]\n')
    done = subprocess.run(
        [sys.executable, "-m", "barograph_notifier", "--config", str(config), "--url", "redis://127.0.0.1:1/0"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "channel[1].type: 'pigeon' is not a channel type of this version" in done.stderr
    assert f"{config}:5: route[1].channels: 'chta' is not a channel; did you mean 'chat'?" in done.stderr


def test_a_group_that_is_destroyed_goes_on_where_it_had_finished(
    real: Connection, keys: ShardKeys, receiver: Receiver, notifiers: Notifiers
) -> None:
    """While the notifier runs, and while it does not: each alert is told once, also those that came meanwhile."""
    process = notifiers.start()
    wait_until(lambda: has_group(real, keys), what="the groups")
    write(real, keys, *(transition(FIRING, alert=f"a{number}") for number in range(3)))
    wait_until(lambda: len(results(real, keys)) == 3, what="the first deliveries")
    real.command("XGROUP", "DESTROY", keys.alerts, GROUP)
    write(real, keys, transition(FIRING, alert="a3"))
    wait_until(lambda: len(results(real, keys)) == 4, what="the alert after the group was destroyed")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    real.command("XGROUP", "DESTROY", keys.alerts, GROUP)
    write(real, keys, transition(FIRING, alert="a4"))
    notifiers.start()
    wait_until(lambda: len(results(real, keys)) == 5, what="the alert that came meanwhile")
    assert results(real, keys) == [b"sent"] * 5
    assert sorted(json.loads(got.body)["alert"]["id"] for got in receiver.received) == [f"a{n}" for n in range(5)]
