"""Keys of a terminal, as a pseudo-terminal sends them."""

import os
import pty
import termios

import pytest

from barograph_cli.top.keyboard import read_keys, single_keys


@pytest.mark.parametrize(
    ("sent", "keys"),
    [
        (b"q", ["q"]),
        (b"\x1b[A\x1b[B", ["up", "down"]),
        (b"\x1bOA\t\x1b[Z\r", ["up", "tab", "back-tab", "enter"]),
        (b"\x1b", ["escape"]),
        ("é".encode(), ["é"]),
        (b"\xff", ["\N{REPLACEMENT CHARACTER}"]),
    ],
)
def test_keys_have_names(sent: bytes, keys: list[str]) -> None:
    keyboard, terminal = pty.openpty()
    try:
        with single_keys(terminal):
            os.write(keyboard, sent)
            assert read_keys(60, terminal) == keys
    finally:
        os.close(keyboard)
        os.close(terminal)


def test_without_a_key_nothing_is_waited_for_longer() -> None:
    keyboard, terminal = pty.openpty()
    try:
        assert read_keys(0, terminal) == []
    finally:
        os.close(keyboard)
        os.close(terminal)


def test_the_terminal_is_as_before_when_an_error_ends_the_block() -> None:
    keyboard, terminal = pty.openpty()

    def fail() -> None:
        with single_keys(terminal):
            assert termios.tcgetattr(terminal) != before
            raise RuntimeError

    try:
        before = termios.tcgetattr(terminal)
        with pytest.raises(RuntimeError):
            fail()
        assert termios.tcgetattr(terminal) == before
    finally:
        os.close(keyboard)
        os.close(terminal)
