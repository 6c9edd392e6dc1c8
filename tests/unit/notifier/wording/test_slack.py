"""A Slack message: its line, its blocks, and text that cannot mention, link or style."""

import dataclasses
import json
from typing import Any

import pytest

from barograph_core.alerts.record import Contributor
from barograph_notifier.notification import Notification
from barograph_notifier.wording.slack import escape, message_of, reply_of
from tests.unit.notifier.samples import RESOLVED, flagged, made_of, notification, transition


def test_a_firing_as_blocks() -> None:
    assert message_of(notification()) == {
        "text": "🔴 *high-error-rate on ranker (route=/predict)*",
        "attachments": [
            {
                "color": "#b3261e",
                "blocks": [
                    {"type": "section", "text": {"type": "mrkdwn", "text": "/predict: 30 % errors", "verbatim": True}},
                    {
                        "type": "section",
                        "fields": [
                            {"type": "mrkdwn", "text": "*Severity*\nerror", "verbatim": True},
                            {"type": "mrkdwn", "text": "*Value*\n0.3 (threshold 0.05)", "verbatim": True},
                            {"type": "mrkdwn", "text": "*Since*\n1970-01-01 00:00:01 UTC", "verbatim": True},
                        ],
                    },
                    {
                        "type": "section",
                        "text": {
                            "type": "mrkdwn",
                            "text": "*What accounts for it*\n`████████░░` 80 % instance=i1 (12 errors)",
                            "verbatim": True,
                        },
                    },
                    {
                        "type": "context",
                        "elements": [
                            {
                                "type": "mrkdwn",
                                "text": "<https://runbooks.example/errors|Runbook>",
                                "verbatim": True,
                            }
                        ],
                    },
                ],
            }
        ],
        "unfurl_links": False,
        "unfurl_media": False,
    }


def test_buttons_name_alert_and_episode() -> None:
    """The console's hook reads them; a button of an earlier episode must do nothing."""
    about = notification()
    *_, last = message_of(about, has_buttons=True)["attachments"][0]["blocks"]  # type: ignore[index]  # JSON
    value = f"{about.alert_id} {about.episode}"
    assert last == {
        "type": "actions",
        "elements": [
            {
                "type": "button",
                "text": {"type": "plain_text", "text": "Acknowledge"},
                "action_id": "barograph_acknowledge",
                "value": value,
            },
            {
                "type": "button",
                "text": {"type": "plain_text", "text": "Take back"},
                "action_id": "barograph_take_back",
                "value": value,
            },
        ],
    }


def buttons(message: Any) -> list[str]:
    return [one["text"]["text"] for one in message["attachments"][0]["blocks"][-1]["elements"]]


def test_a_message_that_is_kept_current_has_the_button_that_does_something() -> None:
    taken_on, back = (Notification.of_transition(flagged(flag)) for flag in ("acknowledged", "unacknowledged"))
    shown = [message_of(one, has_buttons=True, is_kept_current=True) for one in (notification(), taken_on, back)]
    assert [buttons(message) for message in shown] == [["Acknowledge"], ["Take back"], ["Acknowledge"]]


def test_an_acknowledgement_says_by_whom_until_when_and_what_they_say() -> None:
    taken_on, back = (Notification.of_transition(flagged(flag)) for flag in ("acknowledged", "unacknowledged"))
    message: dict[str, Any] = dict(message_of(taken_on))
    line = "🙋 Acknowledged by kim until 2023-11-14 22:14:20 UTC: rolling back"
    assert message["text"] == "🙋 Acknowledged by kim: *high-error-rate on ranker (route=/predict)*"
    assert message["attachments"][0]["blocks"][-1]["elements"][0]["text"] == line
    assert "*By*" not in json.dumps(message)
    assert reply_of(taken_on)["text"] == line
    assert reply_of(back)["text"] == "↩️ Acknowledgement taken back by kim: rolling back"
    assert str(message_of(back)["text"]).startswith("🔴 *")


def test_a_resolution_has_no_buttons() -> None:
    over = Notification.of_transition(transition(RESOLVED))
    assert message_of(over, has_buttons=True) == message_of(over)


def test_a_resolution_is_green_and_says_how_long_it_lasted() -> None:
    over = dataclasses.replace(
        Notification.of_transition(transition(RESOLVED)), started_at_ms=1_699_999_400_123, actor="kim"
    )
    message = message_of(over)
    assert message["text"] == "✅ Resolved after 10 min 0 s: *high-error-rate on ranker (route=/predict)*"
    assert '"color": "#176b43"' in json.dumps(message)
    assert reply_of(over)["text"] == "✅ Resolved by kim after 10 min 0 s."


@pytest.mark.parametrize(
    "evil", ["<!channel>", "<https://evil.example|Runbook>", "a & b", "*loud*", "_loud_", "~gone~", "`x`", "a\nb"]
)
def test_no_text_can_mention_link_or_style(evil: str) -> None:
    """Otherwise a label could call a whole company out of bed."""
    shown = made_of(evil)
    taken_on = dataclasses.replace(shown, flag="acknowledged", note=evil)
    messages = [message_of(shown), reply_of(shown), message_of(taken_on), reply_of(taken_on)]
    text = json.dumps(messages, ensure_ascii=False)
    assert "<" not in text
    assert evil not in text


def test_names_keep_their_underscores() -> None:
    """Only one at the edge of a word begins or ends a style."""
    assert escape("high_error_rate on user_v2: route=/a_b") == "high_error_rate on user_v2: route=/a_b"
    assert escape("_drill x_ __a__ é_é a_") == "ˍdrill xˍ ˍˍaˍˍ é_é aˍ"


def test_the_longest_message_keeps_to_slacks_limits() -> None:
    """3,000 characters for a text, 2,000 for a field, ten fields in a section."""
    long = "x" * 5_000
    shown = dataclasses.replace(
        notification(),
        rule=long,
        service=long,
        summary="&" * 5_000,
        reason=long,
        actor=long,
        labels={long: long},
        contributors=(Contributor({long: long}, long, 1.0, 0.5),) * 5,
    )
    message: dict[str, Any] = dict(message_of(shown))
    assert len(str(message["text"])) < 1_000
    for block in message["attachments"][0]["blocks"]:
        assert len(block.get("text", {}).get("text", "")) <= 3_000
        assert len(block.get("fields", [])) <= 10
        assert all(len(field["text"]) <= 2_000 for field in block.get("fields", []))
