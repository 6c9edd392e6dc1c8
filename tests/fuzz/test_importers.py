"""Files of any content: each row is an event or bad with a reason, none is lost, and what is read can be folded."""

import io
import json
import string
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from barograph_cli.failure import CommandError
from barograph_cli.history.import_input import ImportInput, Rows
from barograph_cli.history.import_run import RowReader
from barograph_cli.history.rebuild.entry_maker import EntryMaker
from barograph_cli.history.rows.csv_file import read_csv
from barograph_cli.history.rows.event_row import EventRow
from barograph_cli.history.rows.jsonl_file import read_jsonl
from barograph_cli.history.rows.log_file import read_log
from barograph_cli.history.rows.notes import Notes
from barograph_cli.history.rows.parquet_file import read_parquet
from barograph_cli.history.rows.request_fields import NAMES, LogColumns, Template
from barograph_cli.history.rows.row_reading import RowDefaults
from barograph_core.decode.batch import decode_batch
from barograph_core.text.timestamps import LATEST_MS

COLUMNS: Final = LogColumns({}, [Template("/u/{id}")])
NOW_MS: Final = 1_800_000_000_000
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

# Cells that are right, nearly right, and nothing of the kind.
cells: Final = st.one_of(
    st.sampled_from(
        [
            *(
                "2026-03-01T12:00:00Z",
                "1772366400",
                "1772366400250",
                "01/Mar/2026:12:00:00 +0000",
                "9" * 400,
                "-0",
                "1e308",
            ),
            *(
                "GET",
                "/a",
                "/u/7",
                "/" + "ä" * 300,
                "200",
                "200.0",
                "999",
                "1000",
                "-1",
                "0.1",
                "-",
                "",
                "nan",
                "0.1, 0.2",
            ),
            *('"', '""', '"a', 'a"', "\\x16\\x03", "\ufeff", "\x00", "\x85", "http://[", "GET /a HTTP/1.1", "\u2028"),
        ]
    ),
    st.text(max_size=20),
)
scalars = st.one_of(cells, st.none(), st.booleans(), st.integers(), st.floats(), st.binary(max_size=8))
names = st.one_of(
    st.sampled_from([*(name for those in NAMES.values() for name in those), "kind", "labels", "entry_id", "is_other"]),
    st.text(string.ascii_letters, max_size=8),
)


def folded(rows: Rows) -> tuple[int, int, list[EventRow]]:
    """Return how many rows there were, how many of them bad, and the events, which were packed as the import does."""
    reader = RowReader(RowDefaults("web", "import:1"), NOW_MS, is_strict=False)
    events = list(reader.read(rows))
    maker = EntryMaker()
    entries = [entry for event in events for entry in maker.add(event)] + list(maker.finish())
    decoded = 0
    for entry in entries:
        fields = {
            str(name).encode(): value if isinstance(value, bytes) else f"{value}".encode()
            for name, value in entry.fields.items()
        }
        decoded += len(decode_batch(fields).times_ms)
    assert decoded == len(events) == reader.count.good
    assert all(0 < event.time_ms <= LATEST_MS for event in events)
    assert all(bad.reason for bad in reader.count.first_bad)
    return reader.count.good + reader.count.bad, reader.count.bad, events


def filled_lines(data: bytes) -> int:
    return sum(bool(line.strip()) for line in data.removeprefix(b"\xef\xbb\xbf").split(b"\n"))


@quick
@given(rows=st.lists(st.lists(cells, min_size=5, max_size=5), max_size=12))
def test_every_row_of_a_csv_file_is_good_or_bad(rows: list[list[str]]) -> None:
    """As long as no cell is quoted, a row is a line."""
    text = "\n".join(["time,method,path,status,duration_s", *(",".join(row) for row in rows)])
    data = text.encode()
    count, _, _ = folded(read_csv(io.BytesIO(data), COLUMNS, Notes()))
    if b'"' not in data:
        assert count == filled_lines(data) - 1


@quick
@given(marks=st.lists(st.sampled_from(["", '"', '""', '"x', '\n"', "\n"]), min_size=1, max_size=12))
def test_rows_without_a_quotation_mark_are_never_lost(marks: list[str]) -> None:
    """Wherever marks stand in the rows between them."""
    good = [f"2026-03-01T12:00:00Z,GET,/good{number},200,0.1" for number in range(len(marks))]
    odd = [f"2026-03-01T12:00:00Z,GET,/{mark}odd,200,0.1" for mark in marks]
    lines = [line for pair in zip(odd, good, strict=True) for line in pair]
    text = "\n".join(["time,method,path,status,duration_s", *lines])
    _, _, events = folded(read_csv(io.BytesIO(text.encode()), COLUMNS, Notes()))
    routes = [event.labels[0] for event in events]
    assert [route for route in routes if route.startswith("/good")] == [f"/good{n}" for n in range(len(marks))]


@quick
@given(lines=st.lists(st.one_of(st.dictionaries(names, scalars, max_size=8), st.lists(scalars), scalars), max_size=8))
def test_every_line_of_json_is_good_or_bad(lines: list[object]) -> None:
    data = "\n".join(json.dumps(line, default=repr) for line in lines).encode()
    count, _, _ = folded(read_jsonl(io.BytesIO(data), COLUMNS, Notes()))
    assert count == filled_lines(data)


@quick
@given(parts=st.lists(st.tuples(cells, cells, cells, cells), max_size=12))
def test_every_line_of_a_log_is_good_or_bad(parts: list[tuple[str, str, str, str]]) -> None:
    lines = [f'1.1.1.1 - {user} [{time}] "{request}" {status} 5 "-" "x"' for user, time, request, status in parts]
    data = "\n".join(lines).encode()
    count, _, _ = folded(read_log(io.BytesIO(data), COLUMNS, Notes()))
    assert count == filled_lines(data)


@settings(quick, max_examples=30)
@given(
    columns=st.dictionaries(
        names.filter(bool),
        st.sampled_from(["text", "whole", "float", "bool", "time", "binary", "list", "table", "null"]),
        min_size=1,
        max_size=8,
    ),
    data=st.data(),
)
def test_every_row_of_parquet_is_good_or_bad(columns: dict[str, str], data: st.DataObject) -> None:
    arrow: Any = import_module("pyarrow")
    makers: dict[str, Callable[[], Any]] = {
        "text": lambda: arrow.array(data.draw(st.lists(cells, min_size=3, max_size=3)), arrow.string()),
        "whole": lambda: arrow.array(data.draw(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=3, max_size=3))),
        "float": lambda: arrow.array(data.draw(st.lists(st.floats(), min_size=3, max_size=3))),
        "bool": lambda: arrow.array([True, None, False]),
        "time": lambda: arrow.array(
            [0, -(2**63), 2**63 - 1], arrow.timestamp(data.draw(st.sampled_from(["ns", "ms"])))
        ),
        "binary": lambda: arrow.array([b"\xff", b"", None]),
        "list": lambda: arrow.array([["a", "b"], [], None]),
        "table": lambda: arrow.array([{"route": "/a", "method": "GET"}, {"route": None, "method": "x"}, None]),
        "null": lambda: arrow.nulls(3),
    }
    output = io.BytesIO()
    import_module("pyarrow.parquet").write_table(
        arrow.table({name: makers[kind]() for name, kind in columns.items()}), output
    )
    output.seek(0)
    try:
        count, _, _ = folded(read_parquet(output, COLUMNS, Notes()))
    except CommandError as error:
        # Python has no such date.
        assert "cannot read Parquet after row" in str(error)  # noqa: PT017
        assert "time" in columns.values()
    else:
        assert count == 3


@quick
@given(
    data=st.one_of(st.binary(max_size=300), st.text(max_size=200).map(str.encode)),
    start=st.sampled_from([b"", b"{", b"PAR1", b"\x1f\x8b", b"time,method,path,status\n"]),
)
def test_a_file_of_anything_is_read_or_refused_in_words(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, start: bytes
) -> None:
    path: Path = tmp_path_factory.getbasetemp() / "anything"
    path.write_bytes(start + data)
    try:
        for _, rows in ImportInput(str(path), None, COLUMNS, Notes()).read(lambda _: None):
            folded(rows)
    except CommandError as error:
        assert str(error)  # noqa: PT017
