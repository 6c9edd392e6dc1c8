"""Access logs as CSV: one request a row, under whatever names its columns have."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final

from barograph_cli.failure import USAGE, CommandError
from barograph_cli.history.rows.notes import Notes
from barograph_cli.history.rows.request_fields import LogColumns, find_fields
from barograph_cli.history.rows.request_row import RequestLayout
from barograph_cli.history.rows.row_reading import BadRowError, Document
from barograph_cli.history.rows.text_lines import MAX_LINE_BYTES, read_lines

DELIMITERS: Final = ",;\t|"
# Lines that one row may have: a quoted cell may hold ends of lines.
_MOST_LINES: Final = 100


def read_csv(source: BinaryIO, columns: LogColumns, notes: Notes) -> Iterator[tuple[int, Document | BadRowError]]:
    """Return each row as a request event, or what is wrong with it, with the number of its first line.

    Raises:
        CommandError: A column that was named, or one that is needed, is not in the header.
    """
    csv.field_size_limit(MAX_LINE_BYTES)
    lines = _Lines(read_lines(source))
    header = lines.take()
    if header is None:
        raise CommandError("the file is empty", USAGE)
    delimiter = max(DELIMITERS, key=header.text.count)
    try:
        names = [name.strip() for name in _cells(header.text, delimiter)]
        layout = RequestLayout(find_fields(names, columns), columns, notes)
    except (csv.Error, ValueError) as error:
        raise CommandError(
            f"line {header.number}: {error}" if isinstance(error, csv.Error) else str(error), USAGE
        ) from error
    return _Rows(lines, delimiter, names, layout).read()


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    text: str
    failure: BadRowError | None = None


class _Lines:
    """Lines that can be looked at before they are taken."""

    def __init__(self, source: Iterator[tuple[int, bytes | BadRowError]]) -> None:
        self._source = source
        self._ahead: list[_Line] = []

    def take(self) -> _Line | None:
        """Return the next line, ``None`` at the end."""
        return self._ahead.pop(0) if self._ahead else self._next()

    def drop(self, count: int) -> None:
        """Leave out lines that were looked at."""
        del self._ahead[:count]

    def look(self, at: int) -> _Line | None:
        """Return the line ``at`` places after the next one, ``None`` beyond the end."""
        while len(self._ahead) <= at:
            line = self._next()
            if line is None:
                return None
            self._ahead.append(line)
        return self._ahead[at]

    def _next(self) -> _Line | None:
        found = next(self._source, None)
        if found is None:
            return None
        number, line = found
        if isinstance(line, BadRowError):
            return _Line(number, "", line)
        return _Line(number, line.decode(errors="replace"))


@dataclass(frozen=True, slots=True)
class _Rows:
    lines: _Lines
    delimiter: str
    names: Sequence[str]
    layout: RequestLayout

    def read(self) -> Iterator[tuple[int, Document | BadRowError]]:
        while (line := self.lines.take()) is not None:
            if line.failure is not None:
                yield line.number, line.failure
            elif line.text.strip():
                yield line.number, self._row(line)

    def _row(self, line: _Line) -> Document | BadRowError:
        try:
            return self._document(_cells(line.text, self.delimiter))
        except csv.Error as error:
            whole = self._longer_row(line.text)
            return whole or BadRowError(f"the line is not CSV: {error}; is a quotation mark left open?")

    def _longer_row(self, text: str) -> Document | None:
        """Return the row that begins with a line whose quotation mark is open, and take its other lines.

        ``None`` if it never closes, or a line on the way is a row of its own: then the mark is a stray one, and must
        not swallow the rows up to the next.
        """
        for count in range(_MOST_LINES - 1):
            line = self.lines.look(count)
            if line is None or line.failure is not None or self._is_row(line.text):
                return None
            text += line.text
            try:
                document = self._document(_cells(text, self.delimiter))
            except csv.Error:
                continue
            if isinstance(document, BadRowError):
                return None
            self.lines.drop(count + 1)
            return document
        return None

    def _is_row(self, text: str) -> bool:
        try:
            return not isinstance(self._document(_cells(text, self.delimiter)), BadRowError)
        except csv.Error:
            return False

    def _document(self, cells: Sequence[str]) -> Document | BadRowError:
        if len(cells) != len(self.names):
            return BadRowError(f"the row has {len(cells)} cells, the header {len(self.names)}")
        return self.layout.document(dict(zip(self.names, cells, strict=True)))


def _cells(text: str, delimiter: str) -> list[str]:
    """Return the cells of one row.

    Raises:
        csv.Error: A quotation mark is not closed, or something follows a closed one.
    """
    rows = list(csv.reader([text.rstrip("\r\n")], delimiter=delimiter, strict=True))
    return rows[0] if rows else []
