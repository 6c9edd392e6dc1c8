"""Joins the modules of a page into one file, and its style sheets: a browser asks once, and one gzip stream holds all.

Separate modules are half as large again compressed, and forty requests a page are forty of everyone's. The modules
stay as they are written: each becomes a function called once, and its exports the result. Comments and types are left
out. What the page imports while it runs becomes a second file.
"""

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from barograph_console.page.references import AssetError

_COMMENT: Final = re.compile(r"/\*\*.*?\*/[ \t]*|^[ \t]*//[^\n]*\n", re.DOTALL | re.MULTILINE)
_INDENT: Final = re.compile(r"^[ \t]+|\n(?=\n)", re.MULTILINE)
_IMPORT: Final = re.compile(r'^import (?:(?P<names>\{[^}]*\}) from )?"(?P<path>\.[^"]+)";\n', re.MULTILINE)
_DYNAMIC: Final = re.compile(r'await import\("(?P<path>\.[^"]+)"\)')
_EXPORT: Final = re.compile(r"^export (?=(?:const|class|(?:async )?function) (?P<name>[\w$]+))", re.MULTILINE)
_OTHER: Final = re.compile(r"^(?:import|export)\b[^\n]*", re.MULTILINE)


_SHEET: Final = re.compile(r'@import "(?P<path>\.[^"]+)";')
_SHEET_COMMENT: Final = re.compile(r"/\*.*?\*/", re.DOTALL)
_SHEET_SPACE: Final = re.compile(r" ?([{};:,>]) ?")


def joined_path(path: str) -> str:
    """Return the path of the file that holds ``path`` and all that it imports."""
    stem, suffix = posixpath.splitext(path)
    return f"{stem}.joined{suffix}"


def join_sheets(entry: str, sources: Mapping[str, bytes]) -> str:
    """Return a style sheet with those that it imports in their place, without comments and spare spaces."""
    if entry not in sources:
        raise AssetError(f"a style sheet imports {entry!r}, and there is no such file")
    text = _SHEET_COMMENT.sub("", sources[entry].decode())
    text = _SHEET.sub(lambda match: join_sheets(_target(entry, match["path"]), sources), text)
    return _SHEET_SPACE.sub(r"\1", " ".join(text.split()))


def join(entry: str, sources: Mapping[str, bytes]) -> dict[str, str]:
    """Return the files that take the place of ``entry``: path -> text.

    Args:
        entry: Path of the module that the page names.
        sources: Path -> content of all modules.

    Raises:
        AssetError: A module is missing, imports in a circle, or is written in a way that cannot be joined.
    """
    joiner = _Joiner(sources)
    first = joiner.chain(entry, frozenset())
    files = {joined_path(entry): joiner.text(first)}
    for path in joiner.dynamic:
        later = joiner.chain(path, frozenset(first))
        needed = ", ".join(joiner.variable(one) for one in joiner.outside(later))
        files[joined_path(path)] = (
            f"export default ({needed}) => {{\n{joiner.text(later)}return {joiner.variable(path)};\n}};\n"
        )
    shared = {path: joiner.outside(joiner.chain(path, frozenset(first))) for path in joiner.dynamic}
    return {path: joiner.linked(text, posixpath.dirname(path), shared) for path, text in files.items()}


@dataclass(slots=True)
class _Joiner:
    """Names modules by numbers, and writes them one after the other.

    Attributes:
        sources: Path -> content.
        dynamic: Modules that are imported while the page runs, in the order in which they were found.
    """

    sources: Mapping[str, bytes]
    dynamic: list[str] = field(default_factory=list[str])
    _numbers: dict[str, int] = field(default_factory=dict[str, int])

    def variable(self, path: str) -> str:
        return f"${self._numbers.setdefault(path, len(self._numbers))}"

    def chain(self, entry: str, known: frozenset[str]) -> list[str]:
        """Return ``entry`` and what it imports, except for what is ``known``, each after those that it needs."""
        found: list[str] = []
        under_way: list[str] = []

        def visit(path: str) -> None:
            if path in known or path in found:
                return
            if path in under_way:
                raise AssetError(f"files import each other in a circle: {' -> '.join([*under_way, path])}")
            under_way.append(path)
            for imported in self._imports(path):
                visit(imported)
            under_way.pop()
            found.append(path)

        visit(entry)
        return found

    def outside(self, chain: list[str]) -> list[str]:
        """Return what the modules of ``chain`` import from elsewhere."""
        return sorted({one for path in chain for one in self._imports(path)} - set(chain))

    def text(self, chain: list[str]) -> str:
        return "".join(self._module(path) for path in chain)

    def linked(self, text: str, folder: str, shared: Mapping[str, list[str]]) -> str:
        """Replace what ``_module`` left of an import at run time, where it is now known what that file needs."""
        for path, needed in shared.items():
            # From the root: relative ones are looked up in the working directory, which may be gone.
            link = posixpath.relpath(f"/{joined_path(path)}", f"/{folder}")
            given = ", ".join(self.variable(one) for one in needed)
            text = text.replace(_mark(path), f'(await import("./{link}")).default({given})')
        return text

    def _imports(self, path: str) -> list[str]:
        return [_target(path, match["path"]) for match in _IMPORT.finditer(self._bare(path))]

    def _bare(self, path: str) -> str:
        if path not in self.sources:
            raise AssetError(f"a module imports {path!r}, and there is no such file")
        return _INDENT.sub("", _COMMENT.sub("", self.sources[path].decode())).lstrip()

    def _module(self, path: str) -> str:
        body = self._bare(path)
        exported = [match["name"] for match in _EXPORT.finditer(body)]
        body = _IMPORT.sub(lambda match: self._import(path, match), body)
        body = _DYNAMIC.sub(lambda match: self._dynamic(path, match["path"]), _EXPORT.sub("", body))
        other = _OTHER.search(body)
        if other:
            raise AssetError(f"{path}: {other[0]!r} cannot be joined: write it on one line, with names")
        return f"const {self.variable(path)} = (() => {{\n{body}return {{ {', '.join(exported)} }};\n}})();\n"

    def _import(self, path: str, match: re.Match[str]) -> str:
        if not match["names"]:
            return ""
        names = re.sub(r"\b([\w$]+) as ", r"\1: ", match["names"])
        return f"const {names} = {self.variable(_target(path, match['path']))};\n"

    def _dynamic(self, path: str, written: str) -> str:
        target = _target(path, written)
        if target not in self.dynamic:
            self.dynamic.append(target)
        return _mark(target)


def _mark(path: str) -> str:
    return f"<import {path}>"


def _target(path: str, written: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), written))
