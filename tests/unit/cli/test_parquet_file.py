"""Parquet that cannot be read ends in one sentence, not in a traceback."""

import io
import os
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from barograph_cli.failure import CommandError
from barograph_cli.history.event_row import EventRow
from barograph_cli.history.parquet_file import ParquetWriter, read_parquet
from barograph_core.events import KINDS

ROW = EventRow(1_000, None, "ranker", "import:1", KINDS["request"], ("/a", "GET"), 200, (12.5,))


def written() -> bytes:
    output = io.BytesIO()
    writer = ParquetWriter(output)
    writer.write([ROW] * 50)
    writer.close()
    return output.getvalue()


def test_damage_anywhere_is_told(tmp_path: Path) -> None:
    """Some shows as an error of pyarrow, some as one of the system, some as text that is none."""
    whole, told = written(), set[str]()
    for at in range(4, len(whole) - 4, 7):
        path = tmp_path / "damaged.parquet"
        path.write_bytes(whole[:at] + bytes((whole[at] ^ 0xFF,)) + whole[at + 1 :])
        with path.open("rb") as file:
            try:
                list(read_parquet(file))
            except CommandError as error:
                told.add(str(error)[:19])
    assert told == {"cannot read Parquet"}


def test_a_text_that_is_no_unicode_is_told() -> None:
    # It has no types.
    pyarrow: Any = import_module("pyarrow")
    offsets, data = pyarrow.py_buffer(bytes((0, 0, 0, 0, 1, 0, 0, 0))), pyarrow.py_buffer(b"\xff")
    text = pyarrow.Array.from_buffers(pyarrow.string(), 1, [None, offsets, data])
    output = io.BytesIO()
    import_module("pyarrow.parquet").write_table(pyarrow.table({"service": text}), output)
    with pytest.raises(CommandError, match="cannot read Parquet after row 0"):
        list(read_parquet(output))


def test_a_pipe_is_refused() -> None:
    """Its end is read first. Written into before it is read, so that nothing waits."""
    receiving, sending = os.pipe()
    os.write(sending, written()[:1_000])
    os.close(sending)
    with os.fdopen(receiving, "rb") as pipe, pytest.raises(CommandError, match="cannot come from a pipe"):
        read_parquet(pipe)
