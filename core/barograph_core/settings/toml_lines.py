"""Finds the lines of a TOML file's keys, which ``tomllib`` does not return, to point at mistakes.

The text must have been read by ``tomllib`` before: this scanner relies on its being well-formed.
"""

import re
import tomllib
from typing import Final

KeyPath = tuple[str | int, ...]

_SPACE: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_BARE_VALUE: Final = re.compile(r"[^,\]}\n#]*")
_STRINGS: Final = (
    re.compile(r'"""(?:[^\\]|\\.)*?"{3,5}', re.DOTALL),
    re.compile(r"'''.*?'{3,5}", re.DOTALL),
    re.compile(r'"(?:[^"\\\n]|\\.)*"'),
    re.compile(r"'[^'\n]*'"),
)


def locate_keys(text: str) -> dict[KeyPath, int]:
    """Return the line (from 1) at which each table, key, array item and table of an array begins.

    A table of an array is named by its index: ``("rule", 0, "when")``. The empty path is line 1.
    """
    return _Scanner(text).scan()


class _Scanner:
    """One pass over the text; ``_at`` is the position, ``_table`` the path of the current table."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._counted_to = 0
        self._line = 1
        self._table: KeyPath = ()
        self._last_index: dict[KeyPath, int] = {}
        self._lines: dict[KeyPath, int] = {(): 1}

    def scan(self) -> dict[KeyPath, int]:
        self._skip_space()
        while self._at < len(self._text):
            if self._text.startswith("[[", self._at):
                self._scan_array_header()
            elif self._text[self._at] == "[":
                self._scan_header()
            else:
                self._scan_pair(self._table)
            self._skip_space()
        return self._lines

    def _scan_array_header(self) -> None:
        line = self._line_here()
        self._at += 2
        *parents, name = self._read_key()
        array = (*self._resolve(parents), name)
        self._note(array, line)
        index = self._last_index.get(array, -1) + 1
        self._last_index[array] = index
        self._table = (*array, index)
        self._lines[self._table] = line
        self._expect("]]")

    def _scan_header(self) -> None:
        line = self._line_here()
        self._at += 1
        self._table = self._resolve(self._read_key())
        self._note(self._table, line)
        # A header `[a]` may follow `[a.b]`: prefer the line of `[a]` itself.
        self._lines[self._table] = line
        self._expect("]")

    def _scan_pair(self, table: KeyPath) -> None:
        line = self._line_here()
        path = (*table, *self._read_key())
        self._note(path, line)
        self._expect("=")
        self._skip_space()
        self._scan_value(path)

    def _scan_value(self, path: KeyPath) -> None:
        opening = self._text[self._at]
        if opening == "[":
            self._scan_array(path)
        elif opening == "{":
            self._scan_inline_table(path)
        elif opening in "\"'":
            self._skip_string()
        else:
            self._at = self._end_of(_BARE_VALUE)

    def _scan_array(self, path: KeyPath) -> None:
        self._at += 1
        self._skip_space()
        index = 0
        while self._text[self._at] != "]":
            self._lines[(*path, index)] = self._line_here()
            self._scan_value((*path, index))
            index += 1
            self._skip_comma()
        self._at += 1

    def _scan_inline_table(self, path: KeyPath) -> None:
        self._at += 1
        self._skip_space()
        while self._text[self._at] != "}":
            self._scan_pair(path)
            self._skip_comma()
        self._at += 1

    def _read_key(self) -> list[str]:
        parts: list[str] = []
        while True:
            self._skip_space()
            parts.append(self._read_key_part())
            self._skip_space()
            if self._text[self._at] != ".":
                return parts
            self._at += 1

    def _read_key_part(self) -> str:
        start = self._at
        if self._text[start] not in "\"'":
            self._at = self._end_of(_BARE_KEY)
            return self._text[start : self._at]
        self._skip_string()
        # Let the parser resolve the escapes.
        return next(iter(tomllib.loads(f"{self._text[start : self._at]} = 0")))

    def _resolve(self, parts: list[str]) -> KeyPath:
        """Return the path of a header; below an array of tables it is in the last table."""
        path: KeyPath = ()
        for part in parts:
            path = (*path, part)
            if path in self._last_index:
                path = (*path, self._last_index[path])
        return path

    def _note(self, path: KeyPath, line: int) -> None:
        """Record the line of ``path``, and of its parents that have none yet."""
        for length in range(1, len(path) + 1):
            self._lines.setdefault(path[:length], line)

    def _line_here(self) -> int:
        self._line += self._text.count("\n", self._counted_to, self._at)
        self._counted_to = self._at
        return self._line

    def _skip_string(self) -> None:
        self._at = max(self._end_of(pattern) for pattern in _STRINGS)

    def _skip_space(self) -> None:
        self._at = self._end_of(_SPACE)

    def _skip_comma(self) -> None:
        self._skip_space()
        if self._text[self._at] == ",":
            self._at += 1
            self._skip_space()

    def _expect(self, mark: str) -> None:
        self._skip_space()
        self._at += len(mark)

    def _end_of(self, pattern: re.Pattern[str]) -> int:
        match = pattern.match(self._text, self._at)
        return self._at if match is None else match.end()
