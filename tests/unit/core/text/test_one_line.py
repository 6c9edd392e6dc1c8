"""Untrusted text on one line."""

import json
import sys
import unicodedata

import pytest

from barograph_core.text.one_line import one_line, safe_json, safe_lines

_UNSAFE = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def test_a_long_text_is_cut() -> None:
    """The mark of the cut counts too."""
    assert one_line("x" * 600, 10) == "x" * 9 + "…"
    assert one_line("x" * 10, 10) == "x" * 10


@pytest.mark.parametrize("evil", ["\x1b", "\x07", "\x9b", "\u202e", "\u2028", "\x00", "\x7f", "\ud800"])
def test_what_commands_a_terminal_is_replaced(evil: str) -> None:
    """No escape, no second line, no reversed text."""
    assert one_line(f"a{evil}b") == "a\N{REPLACEMENT CHARACTER}b"


def test_every_unsafe_character_of_unicode_is_replaced() -> None:
    """Also one by one: a text that is all printable is not looked at further."""
    unsafe = (chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) in _UNSAFE)
    assert {one_line(character) for character in unsafe} == {" ", "\N{REPLACEMENT CHARACTER}"}


def test_white_space_becomes_a_blank() -> None:
    """Lines of a summary can still be read as one."""
    assert one_line("a\nb\r\tc") == "a b  c"


def test_a_message_keeps_its_lines() -> None:
    """Messages of several mistakes have a line for each."""
    assert safe_lines("a\x1b[2J\nb\rc") == "a\N{REPLACEMENT CHARACTER}[2J\nb c"


@pytest.mark.parametrize("evil", ["\x7f", "\x9b2J", "\u202e", "\u2028", "\ud800", "\U000e0001"])
def test_json_means_the_same_and_commands_no_terminal(evil: str) -> None:
    """JSON leaves characters from U+007F on as they are; letters of any language stay readable."""
    document = json.dumps({"é": f"日{evil}本"}, ensure_ascii=False)
    safe = safe_json(document)
    assert json.loads(safe) == {"é": f"日{evil}本"}
    assert evil[0] not in safe
    assert "日" in safe
