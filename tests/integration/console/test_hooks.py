"""The hooks of a real console: signed requests change the alerter's state on a real server, each once."""

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import httpx2
import pytest

from barograph_core.alerts.record import AlertRecord, AlertState
from barograph_core.alerts.transition import transition_of
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_entries
from barograph_notifier.channels.pagerduty import event_of
from barograph_notifier.notification import Notification
from barograph_notifier.wording.slack import message_of
from tests.integration.console.test_console_process import stage, url_in
from tests.support import wait_until
from tests.unit.console.fakes import ALERT_ID, record

SECRET = "s3cret-of-both"  # noqa: S105


@pytest.fixture
def base(
    valkey_url: str, real: Connection, keys: ShardKeys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """Return the URL of a console whose service ``ranker`` has an alert that fires, and whose hooks have a secret."""
    real.command("HSET", keys.closed, "ranker", 1_700_000_000_000)
    real.command("HSET", keys.state("ranker"), "version", 1, f"alert:{ALERT_ID}", record().to_json())
    secret, log = tmp_path / "secret", tmp_path / "console.log"
    secret.write_text(f"{SECRET}\n")
    monkeypatch.setenv("BAROGRAPH_CONSOLE_SLACK_SIGNING_SECRET", SECRET)
    monkeypatch.setenv("BAROGRAPH_CONSOLE_PAGERDUTY_SIGNING_SECRET", f"file:{secret}")
    with stage("barograph_console", log, "--port", "0", "--url", valkey_url, "--prefix", keys.prefix):
        url = url_in(log)
        # Its library is loaded beside it.
        wait_until(lambda: real.command("FUNCTION", "LIST", "LIBRARYNAME", "barograph") != [], what="the library")
        yield url
    assert SECRET not in log.read_text()


def told(of: AlertRecord) -> Notification:
    """Return what the notifier tells of the firing."""
    entry = transition_of(of, before=AlertState.PENDING, at_ms=of.changed_at_ms, notify=True)
    return Notification.of_transition(entry)


def mac(signed: bytes) -> str:
    return hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()


def press(base: str, button: dict[str, object], action_ts: str) -> int:
    payload = {"type": "block_actions", "user": {"id": "U0", "name": "mira"}}
    body = urlencode({"payload": json.dumps({**payload, "actions": [{**button, "action_ts": action_ts}]})})
    at_s = int(time.time())
    headers = {
        "X-Slack-Request-Timestamp": str(at_s),
        "X-Slack-Signature": f"v0={mac(f'v0:{at_s}:{body}'.encode())}",
    }
    return httpx2.post(f"{base}/hooks/slack", content=body, headers=headers, timeout=60).status_code


def page(base: str, kind: str, event_id: str, incident_key: object) -> int:
    event = {
        "id": event_id,
        "event_type": f"incident.{kind}",
        "occurred_at": datetime.now(UTC).isoformat(),
        "agent": {"summary": "Kim", "type": "user_reference"},
        "data": {"incident_key": incident_key},
    }
    body = json.dumps({"event": event}).encode()
    headers = {"X-PagerDuty-Signature": f"v1={mac(body)}"}
    return httpx2.post(f"{base}/hooks/pagerduty", content=body, headers=headers, timeout=60).status_code


def changes(real: Connection, keys: ShardKeys) -> list[tuple[bytes, bytes, bytes]]:
    """Return flag or new state, actor and note of each entry of the alerts stream."""
    entries = as_entries(real.command("XRANGE", keys.alerts, "-", "+"))
    facts = [entry.fields for entry in entries]
    return [(one.get(b"flag", one[b"to"]), one[b"actor"], one[b"note"]) for one in facts]


def tools(real: Connection, keys: ShardKeys) -> list[bytes]:
    """Return where each flag was changed, for the notifier, which does not send it back there."""
    entries = as_entries(real.command("XRANGE", keys.alerts, "-", "+"))
    return [entry.fields[b"via"] for entry in entries if b"flag" in entry.fields]


def test_the_buttons_of_the_notifier_s_own_message_work_once_each(base: str, real: Connection, keys: ShardKeys) -> None:
    (attachment,) = json.loads(json.dumps(message_of(told(record()), has_buttons=True)))["attachments"]
    acknowledge, take_back = attachment["blocks"][-1]["elements"]
    assert press(base, acknowledge, "1.1") == 200
    assert press(base, take_back, "1.2") == 200
    assert press(base, acknowledge, "1.1") == 200
    assert changes(real, keys) == [
        (b"acknowledged", b"mira", b"in Slack"),
        (b"unacknowledged", b"mira", b"in Slack"),
    ]
    assert tools(real, keys) == [b"slack", b"slack"]


def test_the_incident_of_the_notifier_s_own_event_works_once_each(base: str, real: Connection, keys: ShardKeys) -> None:
    incident_key = event_of(told(record()))["dedup_key"]
    assert page(base, "acknowledged", "01", incident_key) == 200
    assert page(base, "unacknowledged", "02", incident_key) == 200
    assert page(base, "acknowledged", "01", incident_key) == 200
    assert page(base, "resolved", "03", incident_key) == 200
    assert page(base, "resolved", "03", incident_key) == 200
    assert changes(real, keys) == [
        (b"acknowledged", b"Kim", b"in PagerDuty"),
        (b"unacknowledged", b"Kim", b"in PagerDuty"),
        (b"resolved", b"Kim", b"in PagerDuty"),
    ]
    assert tools(real, keys) == [b"pagerduty", b"pagerduty"]


def test_an_incident_of_an_earlier_episode_changes_nothing(base: str, real: Connection, keys: ShardKeys) -> None:
    earlier = event_of(told(record(episode_ms=1_000)))["dedup_key"]
    assert page(base, "resolved", "01", earlier) == 200
    assert changes(real, keys) == []
