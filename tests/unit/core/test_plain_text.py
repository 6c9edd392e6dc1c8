"""Untrusted text on one line."""

import pytest

from barograph_core.plain_text import one_line


def test_a_long_text_is_cut() -> None:
    """The mark of the cut counts too."""
    assert one_line("x" * 600, 10) == "x" * 9 + "…"
    assert one_line("x" * 10, 10) == "x" * 10


@pytest.mark.parametrize("evil", ["\x1b", "\x07", "\x9b", "\u202e", "\u2028", "\x00", "\x7f", "\ud800"])
def test_what_commands_a_terminal_is_replaced(evil: str) -> None:
    """No escape, no second line, no reversed text."""
    assert one_line(f"a{evil}b") == "a\N{REPLACEMENT CHARACTER}b"


def test_white_space_becomes_a_blank() -> None:
    """Lines of a summary can still be read as one."""
    assert one_line("a\nb\r\tc") == "a b  c"
