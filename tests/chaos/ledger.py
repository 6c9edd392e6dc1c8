"""The producers' own book of what they recorded: the truth that the panes are compared with."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

ROUTES = ("/predict", "/items/{id}", "/feedback")
_RECORD = struct.Struct("<BHd")


def write_record(book: BinaryIO, route: int, status: int, duration_ms: float) -> None:
    book.write(_RECORD.pack(route, status, duration_ms))


def read_records(path: Path) -> Iterator[tuple[str, int, float]]:
    """Yield route, status and duration in ms of every event of one producer."""
    for route, status, duration_ms in _RECORD.iter_unpack(path.read_bytes()):
        yield ROUTES[route], status, duration_ms
