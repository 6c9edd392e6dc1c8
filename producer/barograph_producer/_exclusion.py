"""Which requests are not recorded: patterns of paths and templates, compiled once."""

import re
from collections.abc import Iterable
from typing import Final

_ANYTHING: Final = "*"


class Exclusion:
    """Says whether a path or a template is excluded: ``/health`` is that alone, ``/metrics*`` all that begins so.

    Most patterns are whole texts or beginnings, which a set and one ``startswith`` decide in a third of the
    time of a regular expression.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        """Compile ``patterns``; ``*`` stands for any text, also an empty one and one with slashes.

        Raises:
            TypeError: ``patterns`` is one text, whose letters would all be patterns, or holds no texts.
        """
        if isinstance(patterns, str):
            raise TypeError(f"exclude takes several patterns, not one text: ({patterns!r},)")
        whole, beginnings, others = set[str](), list[str](), list[str]()
        for pattern in patterns:
            beginning = pattern.removesuffix(_ANYTHING)
            if _ANYTHING in beginning:
                others.append(".*".join(map(re.escape, pattern.split(_ANYTHING))))
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
