"""server.json, which finds a server that outlived its parent."""

import os
from pathlib import Path

import pytest

from barograph_cli.local.server_record import (
    SERVER_FILE,
    ServerRecord,
    find_process,
    process_started_s,
    read_record,
    write_record,
)


def test_a_record_reads_back(tmp_path: Path) -> None:
    record = ServerRecord(16_400, 4_711, 1_700_000_000.25, 4_710, 1_700_000_000.0)
    write_record(tmp_path, record)
    assert read_record(tmp_path) == record


def test_writing_leaves_nothing_but_the_record(tmp_path: Path) -> None:
    write_record(tmp_path, ServerRecord(16_400))
    assert [path.name for path in tmp_path.iterdir()] == [SERVER_FILE]


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"port": 1}', '{"port": "x"}', '"text"', "\x00"])
def test_a_record_that_cannot_be_read_counts_as_none(tmp_path: Path, text: str) -> None:
    """A damaged file must not keep the server from starting."""
    (tmp_path / SERVER_FILE).write_text(text)
    assert read_record(tmp_path) is None


def test_no_record_is_none(tmp_path: Path) -> None:
    assert read_record(tmp_path) is None


def test_a_live_process_is_found_by_id_and_start() -> None:
    process = find_process(os.getpid(), process_started_s(os.getpid()))
    assert process is not None
    assert process.pid == os.getpid()


def test_a_stranger_with_the_same_process_id_is_not_taken_for_the_server() -> None:
    """Process ids are used again: killing by id alone would hit somebody else."""
    assert find_process(os.getpid(), process_started_s(os.getpid()) - 3_600) is None


@pytest.mark.parametrize("pid", [0, -1, 2**22 + 1])
def test_a_process_that_cannot_be_is_not_found(pid: int) -> None:
    assert find_process(pid, 0.0) is None
