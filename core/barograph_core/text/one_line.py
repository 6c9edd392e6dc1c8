"""Makes untrusted text safe for a terminal and a log line."""

import re
import unicodedata
from typing import Final

# Control characters (terminal escapes), formats (text direction), surrogates, line and paragraph separators.
_UNSAFE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
_MOST_LINE_LENGTH: Final = 2_000
_BEYOND_ASCII: Final = re.compile("[^\x00-\x7e]")


def one_line(text: str, limit: int = 500) -> str:
    """Return ``text`` on one line, of at most ``limit`` characters, every unsafe character replaced.

    Otherwise an escape sequence in a label could move the cursor, rewrite the lines above, or set the terminal's title;
    a direction mark could show ``ok`` for ``ko``.
    """
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    if cut.isprintable():
        # None of it is of an unsafe category, or white space besides the blank.
        return cut
    return "".join(
        " " if character in "\t\r\n" else _REPLACEMENT if unicodedata.category(character) in _UNSAFE else character
        for character in cut
    )


def safe_lines(text: str) -> str:
    """Return ``text`` with its lines, each as ``one_line`` makes it: for messages that quote what came from outside."""
    return "\n".join(one_line(line, _MOST_LINE_LENGTH) for line in text.split("\n"))


def safe_json(document: str) -> str:
    """Return a JSON text with unsafe characters beyond ASCII escaped, which means the same.

    JSON escapes control characters up to U+001F itself; those from U+007F on are a terminal's too.
    """
    return _BEYOND_ASCII.sub(_escaped_if_unsafe, document)


def _escaped_if_unsafe(match: re.Match[str]) -> str:
    character = match.group()
    if unicodedata.category(character) not in _UNSAFE:
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
