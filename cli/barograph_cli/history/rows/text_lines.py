"""The lines of a file, each of bounded length."""

import zlib
from collections.abc import Iterator
from typing import BinaryIO, Final

from barograph_cli.failure import CommandError
from barograph_cli.history.rows.row_reading import BadRowError

# Limit of a line. Our own rows have some hundred bytes, and some ten thousand with all labels.
MAX_LINE_BYTES: Final = 1_048_576
_MARK: Final = b"\xef\xbb\xbf"
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")


def read_lines(source: BinaryIO) -> Iterator[tuple[int, bytes | BadRowError]]:
    """Yield the number from 1 on of each line, and the line with its end, or the reason why it is none.

    Raises:
        CommandError: The file cannot be read on, or is UTF-16.
    """
    number = 0
    while line := _read_line(source):
        number += 1
        if number == 1:
            if line.startswith(_UTF_16):
                raise CommandError("the file is UTF-16: convert it, iconv -f UTF-16 -t UTF-8")
            line = line.removeprefix(_MARK)
        if len(line) > MAX_LINE_BYTES:
            while line and not line.endswith(b"\n"):
                line = _read_line(source)
            yield number, BadRowError(f"the line is longer than {MAX_LINE_BYTES} bytes")
        else:
            yield number, line


def _read_line(source: BinaryIO) -> bytes:
    try:
        return source.readline(MAX_LINE_BYTES + 1)
    # EOFError and zlib's: a compressed file that ends too early, or is damaged.
    except (OSError, EOFError, zlib.error) as error:
        raise CommandError(f"cannot read on: {error}") from error
