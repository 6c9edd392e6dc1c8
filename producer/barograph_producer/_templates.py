"""Writes the route templates of all frameworks in one way: ``/items/{item}``."""

import functools
import re
from typing import Final

UNMATCHED: Final = "__unmatched__"

# <int:item>, <item>, and Werkzeug's converters with arguments, <any(a, b):item>.
_ANGLES: Final = re.compile(r"<(?:[^<>]*:)?(\w+)>")
_BRACES: Final = re.compile(r"\{([^{}:]*):[^{}]*\}")
_GROUP_NAME: Final = re.compile(r"\(\?P<(\w+)>")
_IS_REGEX: Final = re.compile(r"[\^$]|\\|\(\?P<")
_ANCHORS: Final = re.compile(r"\\[AZbB]|(?<!\\)[\^$]")
_ESCAPED: Final = re.compile(r"\\(.)")


def from_braces(template: str) -> str:
    """Drop what follows a parameter's name: ``/items/{item:int}`` (Starlette, Litestar)."""
    return _BRACES.sub(r"{\1}", template)


def from_angles(template: str) -> str:
    """Turn ``/items/<int:item>`` (Flask, Django) into ``/items/{item}``."""
    return _ANGLES.sub(r"{\1}", template)


@functools.lru_cache(maxsize=1_024)
def from_django(route: str) -> str:
    """Turn a ``ResolverMatch.route`` into a template; ``re_path`` gives regular expressions.

    ``api/^items/(?P<item>[0-9]+)/$`` becomes ``/api/items/{item}/``.
    """
    if _IS_REGEX.search(route):
        route = _ESCAPED.sub(r"\1", _ANCHORS.sub("", _groups_as_names(route)))
    return "/" + from_angles(route).removeprefix("/")


def _groups_as_names(pattern: str) -> str:
    """Replace each outermost group by its name in braces; those without a name have nothing to be called by."""
    written: list[str] = []
    depth = position = 0
    while position < len(pattern):
        letter = pattern[position]
        if letter == "\\":
            written.append(pattern[position : position + 2] if depth == 0 else "")
            position += 2
            continue
        if letter == "(":
            named = _GROUP_NAME.match(pattern, position)
            if depth == 0:
                written.append(f"{{{named[1] if named else ''}}}")
            depth += 1
        elif letter == ")":
            depth -= 1
        elif depth == 0:
            written.append(letter)
        position += 1
    return "".join(written)
