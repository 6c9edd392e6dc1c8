"""A person acknowledges an alert: a real notifier edits Slack's message and tells PagerDuty, also after a kill."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

from barograph_core.alerts.acknowledgement import Acknowledgement
from barograph_core.alerts.actions import apply_by_hand
from barograph_core.alerts.by_hand import acknowledge
from barograph_core.alerts.change import Change, Cursors, write_changes
from barograph_core.alerts.record import AlertState
from barograph_core.alerts.transition import transition_of
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.keyspace.layout import read_layout
from barograph_core.keyspace.layout_change import install_layout
from barograph_core.server.connection import Connection, read_now
from tests.integration.notifier.receiver import Receiver, running_receiver
from tests.support import wait_until
from tests.unit.core.alerts.samples import RECORD

_CONFIG = """
[[channel]]
name = "chat"
type = "slack"
token = "file:{secret}"
channel = "#alerts"
api_url = "http://127.0.0.1:{slack}/api"
buttons = true
allow_private = true

[[channel]]
name = "pager"
type = "pagerduty"
routing_key = "file:{secret}"
url = "http://127.0.0.1:{pagerduty}/v2/enqueue"
allow_private = true

[notifier]
retry_first_ms = 300
"""
_POSTED = {"ok": True, "channel": "C0123ABC", "ts": "1700000000.000100"}


def calls(slack: Receiver) -> list[str]:
    return [got.path.removeprefix("/api/") for got in slack.received]


def actions(pagerduty: Receiver) -> list[tuple[str, str]]:
    bodies: list[dict[str, Any]] = [json.loads(got.body) for got in pagerduty.received]
    return [(body["event_action"], body["dedup_key"]) for body in bodies]


@contextlib.contextmanager
def notifier(url: str, keys: ShardKeys, config: Path) -> Generator["subprocess.Popen[bytes]"]:
    options = ["--url", url, "--prefix", keys.prefix, "--config", str(config)]
    process = subprocess.Popen([sys.executable, "-m", "barograph_notifier", *options])
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def fire(real: Connection, keys: ShardKeys) -> None:
    """Let the alert fire, as an alerter writes it."""
    install_layout(real, keys.prefix, 1)
    real.command("HSET", keys.closed, RECORD.service, 1_000)
    for channel in ("chat", "pager"):
        real.command("XGROUP", "CREATE", keys.alerts, f"notifier:{channel}", "0", "MKSTREAM")
    entry = transition_of(RECORD, before=AlertState.PENDING, at_ms=read_now(real), notify=True)
    change = Change(alert_id=RECORD.alert_id, record=RECORD, transition=entry)
    write_changes(real, keys, RECORD.service, [change], cursors=Cursors(version="0"))


def test_an_acknowledgement_reaches_slack_and_pagerduty_also_after_a_kill(
    valkey_url: str, real: Connection, keys: ShardKeys, tmp_path: Path
) -> None:
    """PagerDuty is away as the person acknowledges, and the notifier dies before it is back."""
    config, secret = tmp_path / "barograph.toml", tmp_path / "secret"
    secret.write_text("0123456789abcdef0123456789abcdef\n")
    with running_receiver() as slack, running_receiver() as pagerduty:
        slack.answers = [(200, {}, json.dumps(_POSTED).encode())]
        pagerduty.answers = [(202, {}, b"{}"), (503, {}, b"")]
        config.write_text(_CONFIG.format(slack=slack.port, pagerduty=pagerduty.port, secret=secret))
        with notifier(valkey_url, keys, config) as first:
            fire(real, keys)
            wait_until(lambda: len(slack.received) == 1 and len(pagerduty.received) == 1, what="the firing")
            given = Acknowledgement(actor="kim", at_ms=read_now(real))
            apply_by_hand(real, read_layout(real, keys.prefix), RECORD.alert_id, lambda held: acknowledge(held, given))
            wait_until(lambda: len(pagerduty.received) >= 2 and len(slack.received) == 3, what="the first attempt")
            first.kill()
            first.wait(20)
        failed = len(pagerduty.received)
        pagerduty.answers = [(202, {}, b"{}")]
        with notifier(valkey_url, keys, config):
            wait_until(lambda: len(pagerduty.received) > failed, what="the attempt that succeeds")
            recorded = b"pager:sent"
            wait_until(lambda: real.command("HGET", keys.channels, recorded) == b"2", what="its record")
    assert calls(slack) == ["chat.postMessage", "chat.update", "chat.postMessage"]
    assert json.loads(slack.received[1].body)["text"].startswith("🙋 Acknowledged by kim: ")
    (trigger, key), *others = actions(pagerduty)
    assert trigger == "trigger"
    assert others == [("acknowledge", key)] * (len(pagerduty.received) - 1)
