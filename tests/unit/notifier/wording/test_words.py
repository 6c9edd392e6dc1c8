"""What a notification says in plain words."""

import dataclasses

import pytest

from barograph_notifier.notification import Notification
from barograph_notifier.wording.words import headline_of, link, number, reason_of, text_of, title_of
from tests.unit.notifier.samples import RESOLVED, made_of, notification, transition

OVER = dataclasses.replace(
    Notification.of_transition(transition(RESOLVED, reason="resolved_by_hand")),
    started_at_ms=1_699_999_400_000,
    actor="kim",
    contributors=(),
)


def test_a_firing_in_plain_text() -> None:
    fired = dataclasses.replace(notification(), console_url="https://console.example/?alert=a1")
    assert text_of(fired) == (
        "FIRING error: high-error-rate on ranker (route=/predict)\n"
        "\n"
        "/predict: 30 % errors\n"
        "\n"
        "Severity: error\n"
        "Service:  ranker\n"
        "Rule:     high-error-rate\n"
        "Labels:   route=/predict\n"
        "Value:    0.3 (threshold 0.05)\n"
        "Since:    1970-01-01 00:00:01 UTC\n"
        "\n"
        "Contributors:\n"
        "  instance=i1: 12 errors, 80 %\n"
        "\n"
        "Runbook: https://runbooks.example/errors\n"
        "Console: https://console.example/?alert=a1"
    )


def test_a_resolution_says_how_long_it_lasted_and_by_whom() -> None:
    assert headline_of(OVER) == "RESOLVED after 10 min 0 s: high-error-rate on ranker (route=/predict)"
    text = text_of(OVER)
    assert "It was resolved by hand." in text
    assert "Lasted:   10 min 0 s" in text
    assert "By:       kim" in text


def test_a_reason_of_a_later_version_is_still_a_sentence() -> None:
    assert reason_of(notification(reason="no_sun_today")) == "No sun today."


@pytest.mark.parametrize("evil", ["a\nBcc: x", "a\r\n.\r\n", "\x1b[2J", "\u202eko", "a\u2028b"])
def test_no_text_from_outside_breaks_a_line(evil: str) -> None:
    """Labels and summaries come from outside; a title is a header of an e-mail too."""
    shown = made_of(evil)
    lines = text_of(shown).split("\n")
    assert all(line.isprintable() for line in lines)
    assert not any(line.startswith(("Bcc", ".")) for line in lines)
    assert title_of(shown).isprintable()


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.21349, "0.213"), (0.05, "0.05"), (12.0, "12"), (1234.5678, "1,234.568"), (0.0, "0"), (0.000123, "0.000123")],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize("number_", [1e-9, 1e300, -5.0, float("inf")])
def test_no_number_is_long(number_: float) -> None:
    assert len(number(number_)) <= 8


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "https://x/<b>", 'https://x/"onclick="', "https://x/|text", "ftp://x", "https://x/ y", ""],
)
def test_only_a_plain_url_becomes_a_link(url: str) -> None:
    assert link(url) == ""
