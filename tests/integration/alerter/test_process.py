"""The alerter as a process: it says when it is ready, alerts, and ends in order."""

import os
import subprocess
import sys
from pathlib import Path

from barograph_core.keys import ShardKeys
from barograph_core.stream import Connection
from tests.integration.alerter.desk import Desk
from tests.support import FakeClock, wait_until
from tests.unit.alerter.build import requests

RULES = """
[server]
keep = "1s:15m,1m:2d"

[alerter]
default_rules = false

[[rule]]
name = "errors"
on = "request"
window = "3s"
when = "errors >= 5"
"""
BROKEN = """
[alerter]
tick_mss = 100

[[rule]]
name = "errors"
on = "request"
for = "soon"
when = "errrors >= 5"
"""


def start(config: Path, *arguments: str) -> "subprocess.Popen[str]":
    environ = {name: value for name, value in os.environ.items() if not name.startswith("BAROGRAPH_")}
    command = [sys.executable, "-m", "barograph_alerter", "--config", str(config), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ)


def test_an_alerter_alone_turns_a_hint_into_an_alert(
    real: Connection, valkey_url: str, keys: ShardKeys, clock: FakeClock, tmp_path: Path
) -> None:
    """From ``ready`` to an orderly end at SIGTERM."""
    config = tmp_path / "barograph.toml"
    config.write_text(RULES)
    desk = Desk(real, keys, clock)
    process = start(config, "--url", valkey_url, "--prefix", keys.prefix)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "barograph alerter ready\n"
        desk.close(requests(errors=9))
        wait_until(lambda: len(desk.entries) == 1, what="the alert")
    finally:
        process.terminate()
        process.communicate(timeout=15)
    assert process.returncode == 0
    assert desk.told == [("inactive", "firing", True, "")]


def test_wrong_settings_end_with_code_2_and_name_the_line(tmp_path: Path) -> None:
    """Nothing starts on half a configuration."""
    config = tmp_path / "barograph.toml"
    config.write_text(BROKEN)
    process = start(config)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    assert f"{config}:3: alerter.tick_mss" in errors


def test_wrong_rules_end_with_code_2_and_name_every_line(tmp_path: Path) -> None:
    """All of them at once."""
    config = tmp_path / "barograph.toml"
    config.write_text(BROKEN.replace("tick_mss", "tick_ms"))
    process = start(config)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    assert f"{config}:8: rule[1].for: 'soon'" in errors
    assert f"{config}:9: rule[1].when: column 1: unknown name 'errrors'; did you mean 'errors'?" in errors
