"""Converts the route templates of all frameworks to one form: ``/items/{item}``."""

import functools
import re
from typing import Final

UNMATCHED: Final = "__unmatched__"

# <int:item>, <item>, and Werkzeug's converters with arguments, <any(a, b):item>.
_ANGLES: Final = re.compile(r"<(?:[^<>]*:)?(\w+)>")
_BRACES: Final = re.compile(r"\{([^{}:]*):[^{}]*\}")
_IS_REGEX: Final = re.compile(r"[\^$]|\\|\(\?P<")
# The parts of a regular expression. In a set of characters, parentheses and anchors are letters like any other.
_PART: Final = re.compile(
    r"""(?P<escape>\\.) | (?P<set>\[\^?\]?(?:\\.|[^\]\\])*\]) | (?P<comment>\(\?\#[^)]*\))
        | (?P<begin>\((?:\?P<(?P<name>\w+)>)?) | (?P<end>\)) | (?P<anchor>[\^$]) | (?P<letter>.)""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPED_ANCHORS: Final = frozenset((r"\A", r"\Z", r"\b", r"\B"))


def from_braces(template: str) -> str:
    """Remove the converter after a parameter's name: ``/items/{item:int}`` (Starlette, Litestar)."""
    return _BRACES.sub(r"{\1}", template)


def from_angles(template: str) -> str:
    """Convert ``/items/<int:item>`` (Flask, Django) to ``/items/{item}``."""
    return _ANGLES.sub(r"{\1}", template)


@functools.lru_cache(maxsize=1_024)
def from_django(route: str) -> str:
    """Convert a ``ResolverMatch.route`` to a template; that of ``re_path`` is a regular expression.

    ``api/^items/(?P<item>[0-9]+)/$`` becomes ``/api/items/{item}/``.
    """
    if _IS_REGEX.search(route):
        route = _from_regex(route)
    return "/" + from_angles(route).removeprefix("/")


def _from_regex(pattern: str) -> str:
    """Replace each outermost group by its name in braces, ``{}`` if it has none, and leave out anchors and escapes.

    A set of characters outside of groups stays as it is, so that two routes which differ in it stay two.
    """
    written: list[str] = []
    depth = 0
    for part in _PART.finditer(pattern):
        match part.lastgroup:
            case "begin":
                if depth == 0:
                    written.append(f"{{{part['name'] or ''}}}")
                depth += 1
            case "end":
                depth -= 1
            case "set" | "letter" if depth == 0:
                written.append(part[0])
            case "escape" if depth == 0 and part[0] not in _ESCAPED_ANCHORS:
                written.append(part[0][1])
            case _:
                pass
    return "".join(written)
