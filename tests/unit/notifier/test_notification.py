"""The notification, the webhook's body and the idempotency key."""

import json

from barograph_notifier.notification import Notification, idempotency_key
from tests.unit.notifier.samples import FIRING, INACTIVE, RESOLVED, notification, transition


def test_the_body_is_the_published_one() -> None:
    """Version 1 of the webhook's body, whole."""
    body = notification().to_body("k1")
    assert json.loads(json.dumps(body)) == {
        "version": 1,
        "key": "k1",
        "status": "firing",
        "reason": "",
        "alert": {
            "id": "a1",
            "rule": "high-error-rate",
            "severity": "error",
            "service": "ranker",
            "labels": {"route": "/predict"},
            "value": 0.3,
            "threshold": 0.05,
            "summary": "/predict: 30 % errors",
            "started_at_ms": 1_000,
            "changed_at_ms": 1_700_000_000_123,
            "contributors": [{"labels": {"instance": "i1"}, "of": "errors", "amount": 12.0, "share_ratio": 0.8}],
            "runbook": "https://runbooks.example/errors",
            "actor": "",
            "missing": [],
            "console_url": "",
        },
    }


def test_whatever_is_not_firing_any_more_is_resolved() -> None:
    assert Notification.of_transition(transition(RESOLVED)).status == "resolved"
    assert Notification.of_transition(transition(INACTIVE, before=FIRING)).status == "resolved"


def test_an_alert_without_a_summary_still_says_what_it_is() -> None:
    assert notification(summary="").summary == "high-error-rate on ranker"


def test_the_key_is_one_for_each_transition_and_channel() -> None:
    """The same at every attempt and after a restart; never the same for two channels."""
    assert idempotency_key("t1", "hook") == "9c4b4ae8be7ec5f5bba04113e562ab42"
    keys = {idempotency_key(one, channel) for one in ("t1", "t2") for channel in ("hook", "other")}
    assert len(keys) == 4
