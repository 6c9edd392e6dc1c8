r"""Access logs in the formats that nginx and Apache write by themselves: common, combined, with a virtual host before.

nginx's combined format, Apache's common, combined and vhost_combined, and that of Kubernetes' ingress-nginx, which has
the duration after the user agent. Both escape what is not printable as ``\x..`` in quotes.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO, Final

from barograph_cli.history.rows.notes import Notes
from barograph_cli.history.rows.request_fields import LogColumns, find_fields
from barograph_cli.history.rows.request_row import RequestLayout
from barograph_cli.history.rows.row_reading import BadRowError, Document
from barograph_cli.history.rows.text_lines import read_lines

# Quantifiers of one text exclude each other's first letter, so that a line that does not fit costs its length once.
_QUOTED: Final = r'"((?:[^"\\]|\\.)*)"'
_LINE: Final = re.compile(
    r"(?:\S+:\d+ )?\S+ \S+ [^\[\"]*\[([^\]\"]+)\] "
    rf"{_QUOTED} (\d{{3}}|-) (?:\d+|-)"
    rf"(?: {_QUOTED} {_QUOTED})?"
    # ingress-nginx: length and time of the request, then the upstream; or the time alone, which nginx writes with three
    # decimals. A whole number may be anything.
    r"(?: \d+ (\d+\.\d{3}) \[| (\d+\.\d{3})(?=\s))?"
)
_ESCAPE: Final = re.compile(r"(?:\\x[0-9A-Fa-f]{2})+")
_NAMES: Final = ("time", "request", "status", "request_time")


def is_log_line(line: str) -> bool:
    """Say whether a line has one of the formats."""
    return _LINE.match(line) is not None


def read_log(source: BinaryIO, columns: LogColumns, notes: Notes) -> Iterator[tuple[int, Document | BadRowError]]:
    """Yield the number of each line that is not blank, and its request or the reason why it has none."""
    layout = RequestLayout(find_fields(_NAMES, LogColumns({}, columns.templates)), columns, notes)
    for number, line in read_lines(source):
        if isinstance(line, BadRowError):
            yield number, line
        elif line.strip():
            yield number, _document(line.decode(errors="replace"), layout)


def _document(line: str, layout: RequestLayout) -> Document | BadRowError:
    found = _LINE.match(line)
    if found is None:
        return BadRowError("the line is not of the common or combined log format")
    time, request, status, _, _, of_ingress, alone = found.groups()
    row = {"time": time, "request": unescaped(request), "status": status, "request_time": of_ingress or alone}
    return layout.document(row)


def unescaped(text: str) -> str:
    r"""Return the text with ``\x..`` and ``\"`` resolved."""
    if "\\" not in text:
        return text
    text = _ESCAPE.sub(lambda found: bytes.fromhex(found[0].replace("\\x", "")).decode(errors="replace"), text)
    return text.replace('\\"', '"').replace("\\\\", "\\")
