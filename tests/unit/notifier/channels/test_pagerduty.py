"""The events that PagerDuty gets."""

import dataclasses
from typing import Any

from barograph_core.clock import SystemClock
from barograph_notifier.channel import shows_flag
from barograph_notifier.channels.pagerduty import PagerDutyChannel, event_of
from barograph_notifier.notification import Notification
from barograph_notifier.posting.endpoint import HttpEndpoint
from barograph_notifier.posting.target import parse_target
from tests.unit.notifier.samples import RESOLVED, flagged, notification, transition


def test_a_firing_triggers_an_incident() -> None:
    fired = dataclasses.replace(notification(), console_url="https://console.example/?alert=a1")
    assert event_of(fired) == {
        "event_action": "trigger",
        "dedup_key": fired.episode,
        "payload": {
            "summary": "high-error-rate on ranker (route=/predict): /predict: 30 % errors",
            "source": "ranker",
            "severity": "error",
            "timestamp": "2023-11-14T22:13:20.123+00:00",
            "component": "ranker",
            "class": "high-error-rate",
            "custom_details": {
                "labels": "route=/predict",
                "value": "0.3 (threshold 0.05)",
                "since": "1970-01-01 00:00:01 UTC",
                "contributors": ["instance=i1: 12 errors, 80 %"],
                "alert_id": "a1",
            },
        },
        "links": [
            {"href": "https://runbooks.example/errors", "text": "Runbook"},
            {"href": "https://console.example/?alert=a1", "text": "Console"},
        ],
        "client": "barograph",
        "client_url": "https://console.example/?alert=a1",
    }


def test_a_resolution_closes_the_same_incident() -> None:
    over = Notification.of_transition(transition(RESOLVED))
    assert event_of(over) == {"event_action": "resolve", "dedup_key": notification().episode}


def test_an_acknowledgement_is_of_the_same_incident() -> None:
    taken_on = Notification.of_transition(flagged())
    assert event_of(taken_on) == {"event_action": "acknowledge", "dedup_key": notification().episode}


def test_only_what_pagerduty_can_show_and_does_not_know_is_sent_there() -> None:
    """Its events take no acknowledgement back."""
    target = parse_target("https://events.example/v2/enqueue")
    channel = PagerDutyChannel(HttpEndpoint(target, clock=SystemClock()), routing_key="k" * 32, clock=SystemClock())
    asked = [("acknowledged", ""), ("acknowledged", "slack"), ("acknowledged", "pagerduty"), ("unacknowledged", "")]
    assert [shows_flag(channel, flagged(flag, via=via)) for flag, via in asked] == [True, True, False, False]


def test_the_next_episode_is_another_incident() -> None:
    again = Notification.of_transition(transition(episode_ms=9_000))
    assert event_of(again)["dedup_key"] != event_of(notification())["dedup_key"]


def test_a_long_summary_keeps_to_the_limit() -> None:
    payload: Any = event_of(dataclasses.replace(notification(), rule="r" * 900, summary="s" * 2_000))["payload"]
    assert len(payload["summary"]) <= 1_024
