"""The body of Alertmanager's webhooks, version 4, as its documentation has it."""

import dataclasses
import json
from datetime import datetime
from typing import Any

from barograph_core.alerts.record import Severity
from barograph_notifier.digest import MOST_IN_BODY, Digest
from barograph_notifier.notification import Notification
from barograph_notifier.wording.alertmanager import AlertmanagerForm
from tests.unit.notifier.samples import RESOLVED, made_of, notification, transition

FIRED = dataclasses.replace(notification(), console_url="https://console.example/?service=ranker&alert=a1")
OVER = dataclasses.replace(
    Notification.of_transition(transition(RESOLVED, alert="b2", severity=Severity.CRITICAL)), reason="resolved_by_hand"
)


def test_an_alert_by_itself_is_a_group_of_all_its_labels() -> None:
    """So that receivers that keep one incident for each groupKey keep one for each alert."""
    labels = {"route": "/predict", "alertname": "high-error-rate", "service": "ranker", "severity": "error"}
    annotations = {
        "summary": "/predict: 30 % errors",
        "description": "/predict: 30 % errors",
        "runbook_url": "https://runbooks.example/errors",
    }
    assert AlertmanagerForm("hook").body_of(FIRED, "k") == {
        "version": "4",
        "groupKey": '{}:{alertname="high-error-rate", route="/predict", service="ranker", severity="error"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "hook",
        "groupLabels": labels,
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": "https://console.example",
        "alerts": [
            {
                "status": "firing",
                "labels": labels,
                "annotations": annotations,
                "startsAt": "1970-01-01T00:00:01.000Z",
                "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": "https://console.example/?service=ranker&alert=a1",
                "fingerprint": "a1",
            }
        ],
    }


def test_an_end_has_its_time() -> None:
    (alert,) = json.loads(json.dumps(AlertmanagerForm("hook").body_of(OVER, "k")))["alerts"]
    assert (alert["status"], alert["endsAt"]) == ("resolved", "2023-11-14T22:13:20.123Z")
    assert datetime.fromisoformat(alert["startsAt"]).timestamp() == 1


def test_a_group_has_the_labels_that_the_channel_groups_by() -> None:
    """They stay the same whatever is in the message, and so does the key."""
    form = AlertmanagerForm("hook", group_by=("service", "rule", "region"))
    body = form.digest_body_of(Digest.of([(FIRED, "1"), (OVER, "2")]))
    assert body["groupLabels"] == {"service": "ranker", "alertname": "high-error-rate", "region": ""}
    assert body["groupKey"] == '{}:{alertname="high-error-rate", region="", service="ranker"}'
    assert body["groupKey"] == form.body_of(OVER, "k")["groupKey"]
    assert body["status"] == "firing"
    # Their severities differ.
    assert body["commonLabels"] == {"route": "/predict", "alertname": "high-error-rate", "service": "ranker"}
    assert AlertmanagerForm("hook", group_by=()).body_of(OVER, "k")["groupKey"] == "{}:{}"


def test_a_storm_is_cut_and_says_so() -> None:
    alerts = [(dataclasses.replace(FIRED, alert_id=str(number)), str(number)) for number in range(MOST_IN_BODY + 5)]
    body: dict[str, Any] = AlertmanagerForm("hook", group_by=()).digest_body_of(Digest.of(alerts))
    assert (len(body["alerts"]), body["truncatedAlerts"]) == (MOST_IN_BODY, 5)


def test_text_from_outside_stays_inside_its_quotes() -> None:
    body = AlertmanagerForm("hook").body_of(made_of('"}\n\\'), "k")
    assert r'service="\"}\n\\"' in str(body["groupKey"])
    json.loads(json.dumps(body, allow_nan=False))
