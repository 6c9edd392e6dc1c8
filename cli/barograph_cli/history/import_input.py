"""What is imported: a file, a folder of files or standard input, in a form that its first bytes tell."""

import gzip
import io
import os
import re
import sys
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Literal, TypeAlias, cast

from barograph_cli.failure import USAGE, CommandError
from barograph_cli.history.rows.csv_file import DELIMITERS, read_csv
from barograph_cli.history.rows.jsonl_file import read_jsonl
from barograph_cli.history.rows.log_file import is_log_line, read_log
from barograph_cli.history.rows.notes import Notes
from barograph_cli.history.rows.parquet_file import read_parquet
from barograph_cli.history.rows.request_fields import LogColumns
from barograph_cli.history.rows.row_reading import BadRowError, Document

Format = Literal["jsonl", "parquet", "csv", "log"]
Rows: TypeAlias = Iterator[tuple[int, Document | BadRowError]]

STANDARD_INPUT: Final = "-"
_READERS: Final[dict[Format, Callable[[BinaryIO, LogColumns, Notes], Rows]]] = {
    "jsonl": read_jsonl,
    "parquet": read_parquet,
    "csv": read_csv,
    "log": read_log,
}
FORMATS: Final = tuple(_READERS)
_BY_ENDING: Final[dict[str, Format]] = {".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet", ".csv": "csv"}
_PARQUET: Final = b"PAR1"
_GZIP: Final = b"\x1f\x8b"
_MARK: Final = b"\xef\xbb\xbf"
_HEAD_BYTES: Final = 65_536
_TELL_EVERY: Final = 5_000
# Lines of which one is to be of a log's format: the first ones may be of a client that sent no request.
_LOG_LINES: Final = 20
_PARTITION: Final = re.compile(r"([^/=]+)=([^/]*)\Z")
_NO_NAME: Final = re.compile(r"[^A-Za-z0-9_-]+")
_MOST_NAME: Final = 24


@dataclass(frozen=True, slots=True)
class ImportInput:
    """What is read, and how.

    Attributes:
        name: Path of a file or folder, or ``-``.
        format: ``None`` to find it out for each file.
        columns: For access logs.
        notes: Filled while rows are read.
    """

    name: str
    format: Format | None
    columns: LogColumns
    notes: Notes

    @property
    def stem(self) -> str:
        """Return a name for what is imported: of ``/var/log/access.log.1.gz`` it is ``access``."""
        path = Path(self.name)
        name = (path.name or path.resolve().name) if self.name != STANDARD_INPUT else ""
        return _NO_NAME.sub("-", name.partition(".")[0]).strip("-")[:_MOST_NAME] or "stdin"

    @property
    def is_repeatable(self) -> bool:
        """Say whether it can be read twice."""
        return self.name != STANDARD_INPUT and all(path.is_file() for path in self.files())

    def files(self) -> list[Path]:
        """Return the files to read, in order of their names; of a folder, those that Spark and others mean as data.

        Raises:
            CommandError: There is none.
        """
        path = Path(self.name)
        if not path.is_dir():
            return [path]
        files = [one for one in sorted(path.rglob("*")) if one.is_file() and not _is_hidden(one.relative_to(path))]
        if not files:
            raise CommandError(f"there is no file in {self.name}", USAGE)
        return files

    def size(self) -> int | None:
        """Return the number of bytes of all files, ``None`` if that is not known.

        Raises:
            CommandError: A file cannot be looked at.
        """
        if not self.is_repeatable:
            return None
        return sum(path.stat().st_size for path in self.files())

    def read(self, advance: Callable[[int], None]) -> Iterator[tuple[str, Rows]]:
        """Yield the rows of each file, with its name if there are several; ``advance`` is told how many bytes are read.

        Raises:
            CommandError: A file cannot be read, or is of no known form.
        """
        if self.name == STANDARD_INPUT:
            yield "", self._rows(sys.stdin.buffer, "")
            return
        files, done = self.files(), 0
        for path in files:
            with _opened(path) as source:
                rows = self._rows(source, path.suffix.lower())
                if path != Path(self.name):
                    rows = _with(_partitions(path.relative_to(self.name)), rows)
                yield path.name if len(files) > 1 else "", _counted(source, rows, done, advance)
                done += os.fstat(source.fileno()).st_size

    def _rows(self, source: BinaryIO, ending: str) -> Rows:
        head = _peek(source)
        if head.startswith(_GZIP):
            source = cast("BinaryIO", gzip.GzipFile(fileobj=source))
            head = _peek(source)
        chosen = self.format or _format_of(head, ending)
        if chosen is None:
            raise CommandError(f"cannot tell the format of {self.name!r}: name it with --format", USAGE)
        return _READERS[chosen](source, self.columns, self.notes)


def _counted(source: BinaryIO, rows: Rows, done: int, advance: Callable[[int], None]) -> Rows:
    for row in rows:
        if row[0] % _TELL_EVERY == 0:
            advance(done + source.tell())
        yield row


def _peek(source: BinaryIO) -> bytes:
    try:
        return cast("io.BufferedReader", source).peek(_HEAD_BYTES)
    # EOFError and zlib's: a compressed file that is damaged at its beginning.
    except (OSError, EOFError, zlib.error) as error:
        raise CommandError(f"cannot read: {error}") from error


@contextmanager
def _opened(path: Path) -> Generator[BinaryIO, None, None]:
    try:
        file = path.open("rb", buffering=_HEAD_BYTES)
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror}", USAGE) from error
    with file:
        yield file


def _format_of(head: bytes, ending: str) -> Format | None:
    """Return the format that the first bytes show, or else the ending of the name."""
    head = head.removeprefix(_MARK)
    if head.startswith(_PARQUET):
        return "parquet"
    text = head.lstrip()
    if text.startswith(b"{"):
        return "jsonl"
    if text.startswith(b"["):
        raise CommandError("the file is one JSON array: write an object a line, for example with jq -c '.[]'", USAGE)
    lines = text.decode(errors="replace").splitlines()
    if any(is_log_line(line) for line in lines[:_LOG_LINES]):
        return "log"
    if ending in _BY_ENDING:
        return _BY_ENDING[ending]
    return "csv" if lines and any(mark in lines[0] for mark in DELIMITERS) else None


def _is_hidden(path: Path) -> bool:
    # Spark leaves _SUCCESS, and .part-0.parquet.crc, next to the data.
    return any(part.startswith(("_", ".")) for part in path.parts)


def _partitions(path: Path) -> dict[str, str]:
    """Return the columns that stand in the names of folders: ``service=web/part-0.parquet``."""
    found = (_PARTITION.match(part) for part in path.parts[:-1])
    return {match[1]: match[2] for match in found if match is not None}


def _with(columns: dict[str, str], rows: Rows) -> Rows:
    for number, row in rows:
        yield number, row if isinstance(row, BadRowError) else {**columns, **row}
