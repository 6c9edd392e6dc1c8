"""Access logs as CSV, under whatever names their columns have."""

import io

import pytest

from barograph_cli.failure import CommandError
from barograph_cli.history.access_log import LogColumns, Template, parse_column, read_access_log
from barograph_cli.history.row_reading import BadRowError, Document

HEADER = "time,method,path,status,duration_s\n"


def read(
    text: str, columns: dict[str, str] | None = None, templates: tuple[str, ...] = ()
) -> list[tuple[int, Document | str]]:
    layout = LogColumns(columns or {}, [Template(template) for template in templates])
    rows = read_access_log(io.BytesIO(text.encode()), layout)
    return [(line, str(row) if isinstance(row, BadRowError) else row) for line, row in rows]


def test_a_request_a_row() -> None:
    (found,) = read(HEADER + "2026-03-01T12:00:00.250Z,get,/a?x=1,200,0.0125\n")
    assert found == (
        2,
        {
            "kind": "request",
            "time_ms": 1_772_366_400_250,
            "labels": {"route": "/a", "method": "GET"},
            "status": 200,
            "duration_ms": 12.5,
        },
    )


def test_columns_bear_their_unit_and_any_name() -> None:
    columns = {"time_s": "ts", "duration_us": "took", "route": "uri", "label.region": "zone"}
    (found,) = read("\ufeffts,method,uri,status,took,zone,more\n5.5,POST,/b,503,2500,eu,x\n", columns)
    assert isinstance(found[1], dict)
    assert (found[1]["time_ms"], found[1]["duration_ms"]) == (5_500, 2.5)
    assert found[1]["labels"] == {"route": "/b", "method": "POST", "region": "eu"}


def test_paths_become_templates_only_where_some_are_given() -> None:
    """A guess would fold what is apart, or keep apart what is one."""
    text = HEADER + "".join(f"2026-03-01,GET,{path},200,1\n" for path in ("/u/7", "/u/7/x", "/v/7"))
    routes = [row["labels"] for _, row in read(text, templates=("/u/{id}",)) if isinstance(row, dict)]
    assert [labels["route"] for labels in routes if isinstance(labels, dict)] == ["/u/{id}", "/u/7/x", "/v/7"]


def test_a_dash_is_no_duration() -> None:
    (found,) = read(HEADER + "2026-03-01,GET,/a,499,-\n")
    assert isinstance(found[1], dict)
    assert found[1]["duration_ms"] is None


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("noon,GET,/a,200,1", "time is 'noon'"),
        ("2026-03-01,GET,/a,200,fast", "duration_s is 'fast', not a number"),
        ("2026-03-01,GET,/a,200,inf", "duration_s is 'inf'"),
        ("2026-03-01,GET,/a", "the row has 3 cells, the header 5"),
    ],
)
def test_a_bad_row_is_named_and_the_next_is_read(row: str, complaint: str) -> None:
    bad, good = read(f"{HEADER}{row}\n2026-03-01,GET,/a,200,1\n")
    assert (bad[0], complaint in str(bad[1]), good[0]) == (2, True, 3)


@pytest.mark.parametrize(
    ("header", "columns", "complaint"),
    [
        ("time,method,path,status\n", {}, "no column is duration_s or duration_ms or duration_us"),
        ("method,path,status,duration_s\n", {}, "no column is time or time_s"),
        ("time,time_ms,method,path,status,duration_s\n", {}, "the file has time and time_ms"),
        (HEADER, {"duration_ms": "took"}, "there is no column 'took'"),
        ("", {}, "no column is"),
    ],
)
def test_a_file_without_a_column_that_is_needed_is_refused(
    header: str, columns: dict[str, str], complaint: str
) -> None:
    with pytest.raises(CommandError, match=complaint):
        read(header, columns)


@pytest.mark.parametrize("text", ["duration=took", "time", "time=", "label.=x", "weight_s=x"])
def test_a_wrong_column_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not FIELD=HEADER"):
        parse_column(text)
