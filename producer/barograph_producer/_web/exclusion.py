"""Decides which requests are not recorded, by patterns of paths and templates that are compiled once."""

import re
from collections.abc import Iterable
from typing import Final

_ANYTHING: Final = "*"


def _regex(pattern: str) -> str:
    """Return a regular expression of a pattern with ``*`` inside, which takes time linear in the path.

    A text between two ``*`` is looked for once, at its first place: where a later one fits, this one does too. Going
    back would take time quadratic, with three cubic, in what any client of the API sends as a path.
    """
    first, *inner, last = map(re.escape, pattern.split(_ANYTHING))
    return first + "".join(f"(?>.*?{text})" for text in inner) + ".*" + last


class Exclusion:
    """Decides whether a path or a template is excluded.

    ``/health`` excludes exactly that text, ``/metrics*`` everything that begins with ``/metrics``. Most patterns are
    of these two sorts, for which a set and one ``startswith`` take a third of the time of a regular expression.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        """Compile ``patterns``; ``*`` matches any text, including empty text and slashes.

        Raises:
            TypeError: ``patterns`` is a single text, of which every letter would be a pattern, or is not of texts.
        """
        if isinstance(patterns, str):
            raise TypeError(f"exclude takes several patterns, not one text: ({patterns!r},)")
        whole, beginnings, others = set[str](), list[str](), list[str]()
        for pattern in patterns:
            beginning = pattern.removesuffix(_ANYTHING)
            if _ANYTHING in beginning:
                others.append(_regex(pattern))
            elif beginning != pattern:
                beginnings.append(beginning)
            else:
                whole.add(pattern)
        self._whole = frozenset(whole)
        self._beginnings = tuple(beginnings)
        self._pattern = re.compile("|".join(others), re.DOTALL) if others else None

    def __bool__(self) -> bool:
        return bool(self._whole or self._beginnings or self._pattern)

    def matches(self, text: str) -> bool:
        """Say whether ``text``, a path or a template, is excluded."""
        if text in self._whole or text.startswith(self._beginnings):
            return True
        return self._pattern is not None and self._pattern.fullmatch(text) is not None
