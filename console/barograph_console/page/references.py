"""Where one file of the page names another: imports of modules, ``url()`` of style sheets, tags of HTML."""

import re
from collections.abc import Callable, Iterator
from typing import Final

STATIC: Final = "/static/"


class AssetError(Exception):
    """The page's files do not fit together: the installation is damaged, or the page has a mistake."""


# A static import or re-export begins its line, and a dynamic one is awaited. JSDoc's `{import("./a.js").T}` is neither:
# types may name each other in a circle, files that are loaded may not.
_JS: Final = re.compile(
    r"""^[ \t]*(?:import\s*|(?:import|export)\b[^"';]*?\bfrom\s*)["'](?P<static>\.[^"']+)["']"""
    r"""|\bawait\s+import\(\s*["'](?P<dynamic>\.[^"']+)["']\s*\)""",
    re.MULTILINE,
)
_CSS: Final = re.compile(
    r"""url\(\s*["']?(?P<url>(?:\.|/static/)[^"')]+)["']?\s*\)|@import\s+["'](?P<sheet>\.[^"']+)["']"""
)
_QUOTED: Final = re.compile(r'"(?P<path>/static/[^"]+)"')
_PATTERNS: Final = {".js": _JS, ".css": _CSS, ".webmanifest": _QUOTED, ".html": _QUOTED}


def find_references(text: str, suffix: str) -> Iterator[str]:
    """Yield the paths that a file with this suffix names, as they are written in it."""
    pattern = _PATTERNS.get(suffix)
    for match in pattern.finditer(text) if pattern else ():
        yield _written(match)


def replace_references(text: str, suffix: str, new_path: Callable[[str], str]) -> str:
    """Return ``text`` with each path that ``find_references`` yields replaced by ``new_path`` of it."""
    pattern = _PATTERNS.get(suffix)
    if pattern is None:
        return text

    def replaced(match: re.Match[str]) -> str:
        whole, written = match.group(0), _written(match)
        # The last one: a name that is imported may be spelled like the path.
        head, _, tail = whole.rpartition(written)
        return f"{head}{new_path(written)}{tail}"

    return pattern.sub(replaced, text)


def _written(match: re.Match[str]) -> str:
    return next(path for path in match.groups() if path is not None)
