"""The console channel writes one safe line."""

import io

import pytest

from barograph_notifier.channel import Retry, Sent
from barograph_notifier.console_channel import ConsoleChannel, line_of
from tests.unit.notifier.samples import notification


def test_a_notification_is_one_line() -> None:
    stream = io.StringIO()
    assert ConsoleChannel(stream).send(notification(), key="k", timeout_s=1) == Sent()
    assert stream.getvalue() == (
        "2023-11-14T22:13:20.123Z FIRING   error high-error-rate ranker {route=/predict} /predict: 30 % errors\n"
    )


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
