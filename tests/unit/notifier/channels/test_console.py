"""The console channel writes one safe line."""

import io
from dataclasses import replace

import pytest

from barograph_notifier.channel import Retry, Sent
from barograph_notifier.channels.console import ConsoleChannel, line_of
from barograph_notifier.notification import Notification
from tests.unit.notifier.samples import RESOLVED, notification, transition


def test_a_notification_is_one_line() -> None:
    stream = io.StringIO()
    assert ConsoleChannel(stream).send(notification(), key="k", timeout_s=1) == Sent()
    assert stream.getvalue() == (
        "2023-11-14T22:13:20.123Z FIRING   error high-error-rate ranker {route=/predict} /predict: 30 % errors\n"
    )


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_the_status_in_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file, a container's log and NO_COLOR get plain text."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    ConsoleChannel(terminal).send(notification(), key="k", timeout_s=1)
    assert "Z \x1b[1;31mFIRING\x1b[0m   error high-error-rate" in terminal.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    plain = Terminal()
    ConsoleChannel(plain).send(notification(), key="k", timeout_s=1)
    assert "\x1b" not in plain.getvalue()


def test_a_resolution_says_how_long_it_lasted() -> None:
    over = replace(Notification.of_transition(transition(RESOLVED)), started_at_ms=1_699_999_400_123)
    assert line_of(over).endswith("/predict: 30 % errors after 10 min 0 s")


@pytest.mark.parametrize("evil", ["\x1b]0;title\x07", "\x1b[2J", "\x9b31m", "\u202eko", "a\nb\r\tc\u2028d", "\x00\x7f"])
def test_text_cannot_command_the_terminal(evil: str) -> None:
    """Labels and summaries come from outside: no escape, no second line, no reversed text."""
    line = line_of(notification(summary=evil, rule=evil, service=evil, reason=evil))
    assert line.isprintable() or all(character.isprintable() or character == " " for character in line)
    assert "\n" not in line


def test_a_console_that_knows_only_ascii_still_gets_the_line() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    assert ConsoleChannel(stream).send(notification(summary="größer"), key="k", timeout_s=1) == Sent()
    assert b"gr\\xf6\\xdfer" in raw.getvalue()


def test_a_closed_console_is_tried_again() -> None:
    stream = io.StringIO()
    stream.close()
    assert ConsoleChannel(stream).send(notification(), key="k", timeout_s=1) == Retry(None, "console: ValueError")


def test_the_console_is_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    ConsoleChannel().send(notification(), key="k", timeout_s=1)
    assert capsys.readouterr().out.count("\n") == 1
