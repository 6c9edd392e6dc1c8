"""The alerter as a process: it says when it is ready, alerts, and ends in order."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from barograph_core.alerts.published_rules import read_rules
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.pipeline.reader import PipelineReader
from barograph_core.server.connection import Connection, read_now
from barograph_core.server.replies import as_entries
from tests.integration.alerter.desk import STEP, Desk
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
    real: Connection, valkey_url: str, keys: ShardKeys, tmp_path: Path
) -> None:
    """From ``ready`` to an orderly end at SIGTERM."""
    config = tmp_path / "barograph.toml"
    config.write_text(RULES)
    # The process asks the server how old panes are.
    now_ms = read_now(real)
    desk = Desk(real, keys, FakeClock(now_ms - now_ms % STEP))
    process = start(config, "--url", valkey_url, "--prefix", keys.prefix)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "barograph alerter ready\n"
        desk.close(requests(errors=9))
        wait_until(lambda: len(desk.entries) == 1, what="the alert")
    finally:
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert desk.told == [("inactive", "firing", True, "")]


def test_wrong_settings_end_with_code_2_and_name_the_line(tmp_path: Path) -> None:
    """Nothing starts on half a configuration."""
    config = tmp_path / "barograph.toml"
    config.write_text(BROKEN)
    process = start(config)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert f"{config}:3: alerter.tick_mss" in errors


def test_wrong_rules_end_with_code_2_and_name_every_line(tmp_path: Path) -> None:
    """All of them at once."""
    config = tmp_path / "barograph.toml"
    config.write_text(BROKEN.replace("tick_mss", "tick_ms"))
    process = start(config)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert f"{config}:8: rule[1].for: 'soon'" in errors
    assert f"{config}:9: rule[1].when: column 1: unknown name 'errrors'; did you mean 'errors'?" in errors


def test_an_alerter_without_aggregators_says_that_figures_stand_still(
    real: Connection, valkey_url: str, keys: ShardKeys, tmp_path: Path
) -> None:
    """Nothing closes, no hint comes: it reads the watermark itself."""
    config = tmp_path / "barograph.toml"
    config.write_text("")
    real.command("HSET", keys.progress, "watermark_ms", read_now(real) - 120_000)
    process = start(config, "--url", valkey_url, "--prefix", keys.prefix)
    try:
        wait_until(lambda: real.command("XLEN", keys.alerts) == 1, what="the alert")
    finally:
        process.terminate()
        process.communicate(timeout=60)
    ((_, fields),) = [(entry.id, entry.fields) for entry in as_entries(real.command("XRANGE", keys.alerts, "-", "+"))]
    assert (fields[b"rule"], fields[b"service"], fields[b"to"]) == (b"pipeline-lag", b"barograph", b"firing")


def test_a_changed_file_is_in_force_without_a_restart(
    real: Connection, valkey_url: str, keys: ShardKeys, tmp_path: Path
) -> None:
    """By the file's change, or by SIGHUP. One with a mistake is refused: the old rules stay, and status says why."""
    config = tmp_path / "barograph.toml"
    config.write_text(RULES)
    process = start(config, "--url", valkey_url, "--prefix", keys.prefix)
    assert process.stdout is not None

    def condition() -> str:
        published = read_rules(real, keys.prefix)
        return "" if published is None else published.rules[0].when

    def problem() -> str:
        workers = PipelineReader(real, keys).workers(read_now(real))
        return next((worker.facts.get("config_problem", "") for worker in workers), "")

    try:
        assert process.stdout.readline() == "barograph alerter ready\n"
        wait_until(lambda: condition() == "errors >= 5", what="the rules")
        config.write_text(RULES.replace("errors >= 5", "errors >= 7"))
        wait_until(lambda: condition() == "errors >= 7", what="the changed rules")
        config.write_text(RULES.replace("errors >= 5", "errrors >= 9"))
        wait_until(lambda: "did you mean 'errors'?" in problem(), what="the problem")
        assert condition() == "errors >= 7"
        config.write_text(RULES.replace("errors >= 5", "errors >= 9"))
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: condition() == "errors >= 9" and problem() == "", what="the mended rules")
        process.terminate()
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.communicate()
