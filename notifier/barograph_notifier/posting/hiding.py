"""Hides secrets that a server may quote in its answer: the text goes to logs and to a stream that many may read."""

import re
from collections.abc import Callable, Iterable
from typing import Final

from barograph_core.settings.secrets import HIDDEN

_SHORTEST_SECRET: Final = 6
# Do not hide shorter parts: they are usually words such as "Bearer" or "v1", not tokens.
_SHORTEST_PART: Final = 8
_SEPARATORS: Final = re.compile(r"[\s/?&=,;]+")


def hider(secrets: Iterable[str]) -> Callable[[str], str]:
    """Return a function that replaces every secret by ``***``.

    It also replaces their longer parts: a server may quote only the token, not the whole header that held it.
    """
    whole = set(secrets)
    parts = {part for secret in whole for part in _SEPARATORS.split(secret) if len(part) >= _SHORTEST_PART}
    ordered = [item for item in sorted(whole | parts, key=len, reverse=True) if len(item) >= _SHORTEST_SECRET]

    def hide(text: str) -> str:
        for secret in ordered:
            text = text.replace(secret, HIDDEN)
        return text

    return hide
