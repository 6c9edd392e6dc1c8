"""Access logs as CSV: one request a row, under whatever names its columns have."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final, Protocol

from barograph_cli.failure import USAGE, CommandError
from barograph_cli.history.row_reading import BadRowError, Document
from barograph_core.moments import iso_ms

# Name of a field -> what makes milliseconds of it; ISO 8601 has no factor.
_TIMES: Final[dict[str, float | None]] = {"time": None, "time_s": 1_000.0, "time_ms": 1.0, "time_us": 0.001}
_DURATIONS: Final = {"duration_s": 1_000.0, "duration_ms": 1.0, "duration_us": 0.001}
_ROUTES: Final = ("route", "path")
_OTHERS: Final = ("method", "status", "service", "weight")
FIELDS: Final = (*_TIMES, *_DURATIONS, *_ROUTES, *_OTHERS)
_LABEL: Final = "label."
_MAX_CELL: Final = 131_072


class _Reader(Protocol):
    """What csv.reader returns."""

    @property
    def line_num(self) -> int: ...

    def __next__(self) -> list[str]: ...

    def __iter__(self) -> Iterator[list[str]]: ...


@dataclass(frozen=True, slots=True)
class Template:
    """A route's template: ``/users/{id}`` stands for every path with one more segment after ``/users``."""

    text: str

    @property
    def pattern(self) -> str:
        parts = re.split(r"\{[^{}/]*\}", self.text)
        return "[^/]+".join(re.escape(part) for part in parts)


@dataclass(frozen=True, slots=True)
class LogColumns:
    """Where in the file the fields of a request are.

    Attributes:
        headers: Field -> header of its column. Fields that are not named here are looked for under their own name.
        templates: Paths that fit one become it, the first that fits; others stay as they are, without the query.
    """

    headers: Mapping[str, str]
    templates: Sequence[Template]


def parse_column(text: str) -> tuple[str, str]:
    """Read ``FIELD=HEADER``.

    Raises:
        ValueError: It is no such thing, or there is no such field.
    """
    field, separator, header = text.partition("=")
    is_label = field.startswith(_LABEL) and len(field) > len(_LABEL)
    if not separator or not header or not (field in FIELDS or is_label):
        raise ValueError(f"{text!r} is not FIELD=HEADER with one of {', '.join(FIELDS)} or label.NAME")
    return field, header


def read_access_log(source: BinaryIO, columns: LogColumns) -> Iterator[tuple[int, Document | BadRowError]]:
    """Return each row as a request event, or what is wrong with it, with the number of its last line.

    Raises:
        CommandError: A column that was named, or one that is needed, is not in the header.
    """
    csv.field_size_limit(_MAX_CELL)
    lines = io.TextIOWrapper(source, encoding="utf-8-sig", errors="replace", newline="")
    reader: _Reader = csv.reader(lines)
    nothing: list[str] = []
    try:
        layout = _Layout(next(reader, nothing), columns)
    except csv.Error as error:
        raise CommandError(f"the header is not CSV: {error}", USAGE) from error
    return _rows(lines, reader, layout)


def _rows(
    lines: io.TextIOWrapper, reader: "_Reader", layout: "_Layout"
) -> Iterator[tuple[int, Document | BadRowError]]:
    try:
        while True:
            try:
                cells = next(reader, None)
            except csv.Error as error:
                yield reader.line_num, BadRowError(f"the line is not CSV: {error}")
                continue
            if cells is None:
                return
            if cells:
                yield reader.line_num, layout.document(cells)
    finally:
        # The stream below is the caller's, who may have closed it if not every row was wanted.
        if not lines.closed:
            lines.detach()


class _Layout:
    def __init__(self, header: Sequence[str], columns: LogColumns) -> None:
        names = [name.strip() for name in header]
        wanted = {field: field for field in FIELDS if field in names} | dict(columns.headers)
        absent = [header for header in wanted.values() if header not in names]
        if absent:
            raise CommandError(f"there is no column {absent[0]!r}; the file has {', '.join(names)}", USAGE)
        self._width = len(names)
        self._at = {field: names.index(name) for field, name in wanted.items()}
        self._time = self._one_of(_TIMES)
        self._duration = self._one_of(_DURATIONS)
        self._route = self._one_of(_ROUTES)
        self._labels = {field.removeprefix(_LABEL): at for field, at in self._at.items() if field.startswith(_LABEL)}
        for field in ("method", "status"):
            self._one_of([field])
        self._patterns = [(re.compile(one.pattern), one.text) for one in columns.templates]

    def _one_of(self, fields: Sequence[str] | Mapping[str, float | None] | Mapping[str, float]) -> str:
        found = [field for field in fields if field in self._at]
        if len(found) == 1:
            return found[0]
        if found:
            raise CommandError(f"the file has {' and '.join(found)}: name the one that counts with --column", USAGE)
        names = list(fields)
        raise CommandError(f"no column is {' or '.join(names)}: name it with --column {names[0]}=HEADER", USAGE)

    def document(self, cells: Sequence[str]) -> Document | BadRowError:
        if len(cells) != self._width:
            return BadRowError(f"the row has {len(cells)} cells, the header {self._width}")
        try:
            status = self._cell(cells, "status")
            labels = {"route": self._template(cells), "method": self._cell(cells, "method").upper()}
            labels |= {name: cells[at] for name, at in self._labels.items()}
            document: dict[str, object] = {
                "kind": "request",
                "time_ms": self._time_ms(cells),
                "labels": labels,
                "status": int(status) if status.isascii() and status.isdigit() and len(status) <= 3 else status,
                "duration_ms": self._duration_ms(cells),
            }
            if "service" in self._at:
                document["service"] = self._cell(cells, "service") or None
            if "weight" in self._at:
                document["weight"] = round(_number(self._cell(cells, "weight"), "weight"))
        except BadRowError as error:
            return error
        return document

    def _cell(self, cells: Sequence[str], field: str) -> str:
        return cells[self._at[field]].strip()

    def _time_ms(self, cells: Sequence[str]) -> int:
        text, factor = self._cell(cells, self._time), _TIMES[self._time]
        if factor is not None:
            return round(_number(text, self._time) * factor)
        try:
            return iso_ms(text)
        except ValueError:
            raise BadRowError(f"time is {text[:60]!r}, not ISO 8601 such as 2026-03-01T12:00:00Z") from None

    def _duration_ms(self, cells: Sequence[str]) -> float | None:
        text = self._cell(cells, self._duration)
        # Proxies write a dash where there was no upstream.
        if text in ("", "-"):
            return None
        return _number(text, self._duration) * _DURATIONS[self._duration]

    def _template(self, cells: Sequence[str]) -> str:
        path = self._cell(cells, self._route).partition("?")[0]
        return next((text for pattern, text in self._patterns if pattern.fullmatch(path)), path)


def _number(text: str, field: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    # Also false for NaN.
    if not abs(value) < 1e150:
        raise BadRowError(f"{field} is {text[:60]!r}, not a number")
    return value
