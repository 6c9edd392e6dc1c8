"""Untrusted text made safe for a terminal and a log line."""

import unicodedata
from typing import Final

# Control characters (terminal escapes), formats (text direction), surrogates, line and paragraph separators.
_UNSAFE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"


def one_line(text: str, limit: int = 500) -> str:
    """Return ``text`` on one line, of at most ``limit`` characters, every unsafe character replaced.

    An escape sequence in a label could otherwise move the cursor, rewrite what stands above, or set
    the terminal's title; a direction mark could show ``ok`` for ``ko``.
    """
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    return "".join(
        " " if character in "\t\r\n" else _REPLACEMENT if unicodedata.category(character) in _UNSAFE else character
        for character in cut
    )
