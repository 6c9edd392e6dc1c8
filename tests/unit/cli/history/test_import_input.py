"""What is imported: the form is told by the first bytes, not by the name."""

import gzip
import io
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import pytest

from barograph_cli.failure import CommandError
from barograph_cli.history.import_input import ImportInput
from barograph_cli.history.rows.notes import Notes
from barograph_cli.history.rows.request_fields import LogColumns
from barograph_cli.history.rows.row_reading import BadRowError

COMBINED = '1.1.1.1 - - [01/Mar/2026:12:00:00 +0000] "GET /a HTTP/1.1" 200 612 "-" "x"\n'
CSV = "time,method,path,status\n2026-03-01T12:00:00Z,GET,/a,200\n"
JSON = '{"time":"2026-03-01T12:00:00Z","method":"GET","path":"/a","status":200}\n'


def source(path: Path | str) -> ImportInput:
    return ImportInput(str(path), None, LogColumns({}, []), Notes())


def read(path: Path | str) -> list[tuple[str, object]]:
    """Return the file's name and the route of each row, or why it is bad."""
    found: list[tuple[str, object]] = []
    for name, rows in source(path).read(lambda _: None):
        for _, row in rows:
            if isinstance(row, BadRowError):
                found.append((name, str(row)))
            else:
                labels = cast("dict[str, str]", row["labels"])
                found.append((name, (row.get("service"), labels["route"])))
    return found


def parquet() -> bytes:
    pyarrow: Any = import_module("pyarrow")
    output = io.BytesIO()
    columns = {"time": ["2026-03-01T12:00:00Z"], "method": ["GET"], "path": ["/a"], "status": [200]}
    import_module("pyarrow.parquet").write_table(pyarrow.table(columns), output)
    return output.getvalue()


@pytest.mark.parametrize(
    "data", [COMBINED.encode(), CSV.encode(), b"\xef\xbb\xbf" + CSV.encode(), JSON.encode(), parquet()]
)
@pytest.mark.parametrize("name", ["x", "x.log.1", "x.csv"])
def test_the_first_bytes_tell_the_form(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    assert read(tmp_path / name) == [("", (None, "/a"))]


@pytest.mark.parametrize("text", [COMBINED, CSV, JSON])
def test_a_compressed_file_is_read(tmp_path: Path, text: str) -> None:
    """As log rotation leaves them."""
    (tmp_path / "access.log.2.gz").write_bytes(gzip.compress(text.encode()))
    assert read(tmp_path / "access.log.2.gz") == [("", (None, "/a"))]


def test_a_compressed_file_that_ends_too_early_is_a_sentence(tmp_path: Path) -> None:
    lines = "".join(COMBINED.replace("/a", f"/{number}") for number in range(9_999))
    for cut in (5, 4_000):
        (tmp_path / "a.gz").write_bytes(gzip.compress(lines.encode())[:cut])
        with pytest.raises(CommandError, match="cannot read"):
            read(tmp_path / "a.gz")


def test_a_client_that_sent_no_request_may_come_first(tmp_path: Path) -> None:
    (tmp_path / "a").write_text(f"started\n{COMBINED}")
    assert read(tmp_path / "a") == [("", "the line is not of the common or combined log format"), ("", (None, "/a"))]


def test_a_folder_is_read_as_spark_writes_it(tmp_path: Path) -> None:
    """Parts in any number, columns in the names of folders, files beside the data that are none."""
    folder = tmp_path / "events.parquet"
    for service in ("web", "api"):
        part = folder / f"service={service}"
        part.mkdir(parents=True)
        (part / "part-00000.snappy.parquet").write_bytes(parquet())
        (part / ".part-00000.snappy.parquet.crc").write_bytes(b"crc")
    (folder / "_SUCCESS").write_text("")
    name = "part-00000.snappy.parquet"
    assert read(folder) == [(name, ("api", "/a")), (name, ("web", "/a"))]
    assert source(folder).size() == 2 * len(parquet())


def test_standard_input_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    class Standard:
        buffer = io.BufferedReader(io.BytesIO(COMBINED.encode()))

    monkeypatch.setattr(sys, "stdin", Standard())
    assert (source("-").is_repeatable, source("-").size()) == (False, None)
    assert read("-") == [("", (None, "/a"))]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("one\ntwo\n", "cannot tell the format"), ("", "cannot tell the format"), ('[{"a":1}]', "one JSON array")],
)
def test_what_has_no_known_form_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "notes.txt").write_text(text)
    with pytest.raises(CommandError, match=complaint):
        read(tmp_path / "notes.txt")


def test_an_empty_folder_and_an_absent_file_are_sentences(tmp_path: Path) -> None:
    for path, complaint in ((tmp_path, "there is no file in"), (tmp_path / "none", "cannot read .*No such file")):
        with pytest.raises(CommandError, match=complaint):
            read(path)


@pytest.mark.parametrize(
    ("name", "stem"),
    [("/var/log/access.log.1.gz", "access"), ("events parquet", "events-parquet"), ("-", "stdin"), (".x", "stdin")],
)
def test_the_name_stands_for_prefix_and_service(name: str, stem: str) -> None:
    assert source(name).stem == stem
