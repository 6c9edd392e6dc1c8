"""Access logs as CSV, under whatever names their columns have."""

import io

import pytest

from barograph_cli.failure import CommandError
from barograph_cli.history.rows.csv_file import read_csv
from barograph_cli.history.rows.notes import Notes
from barograph_cli.history.rows.request_fields import LogColumns, Template, parse_column
from barograph_cli.history.rows.row_reading import BadRowError, Document

HEADER = "time,method,path,status,duration_s\n"


def read(
    text: str, columns: dict[str, str] | None = None, templates: tuple[str, ...] = ()
) -> list[tuple[int, Document | str]]:
    layout = LogColumns(columns or {}, [Template(template) for template in templates])
    rows = read_csv(io.BytesIO(text.encode()), layout, Notes())
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


@pytest.mark.parametrize(
    ("status", "cell"),
    [
        (499, "-"),
        (502, ""),
        (504, "-1"),  # a load balancer that got no answer
        (502, '"0.001, 0.002"'),  # nginx, of two upstreams
        (502, '"0.001, - : 0.002"'),
    ],
)
def test_a_failed_request_without_a_duration_counts(status: int, cell: str) -> None:
    """Refused, it would make an error rate of 10 % one of 0."""
    (found,) = read(f"{HEADER}2026-03-01,GET,/a,{status},{cell}\n")
    assert isinstance(found[1], dict)
    assert (found[1]["status"], found[1]["duration_ms"]) == (status, None)


def test_a_log_without_durations_is_one() -> None:
    (found,) = read("time,method,path,status\n2026-03-01,GET,/a,200\n")
    assert isinstance(found[1], dict)
    assert found[1]["duration_ms"] is None


def numbered(count: int) -> list[str]:
    return [f"2026-03-01T12:00:00Z,GET,/{number},200,0.1" for number in range(count)]


def routes(found: list[tuple[int, Document | str]]) -> list[str]:
    rows = [row["labels"] for _, row in found if isinstance(row, dict)]
    return [labels["route"] for labels in rows if isinstance(labels, dict)]


def test_a_stray_quotation_mark_costs_its_own_row() -> None:
    """Not those up to the next mark, or to the end of the file; good and bad rows add up to the rows of the file."""
    rows = numbered(1_000)
    rows[100] = rows[100].replace("/100", '"/100')
    opened = read(HEADER + "\n".join(rows) + "\n")
    assert (len(opened), len(routes(opened)), opened[100][0]) == (1_000, 999, 102)
    assert "is a quotation mark left open?" in str(opened[100][1])
    rows[103] = rows[103].replace("/103", '/103"')
    closed = read(HEADER + "\n".join(rows) + "\n")
    assert (len(closed), routes(closed)[99:104]) == (1_000, ["/99", "/101", "/102", '/103"', "/104"])


def test_a_quoted_cell_may_hold_ends_of_lines() -> None:
    """As pandas and spreadsheets write them; the number of a row is that of its first line."""
    header = "time,method,path,status,agent\n"
    first = '2026-03-01,GET,/a,200,"one\ntwo, ""three""\n\nfour"\r\n'
    found = read(header + first + "2026-03-01,GET,/b,200,x\n")
    assert ([line for line, _ in found], routes(found)) == ([2, 6], ["/a", "/b"])


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_the_header_tells_what_separates_cells(mark: str) -> None:
    text = HEADER + "2026-03-01,GET,/a,200,1\n"
    assert routes(read(text.replace(",", mark))) == ["/a"]


def test_columns_are_known_by_the_names_that_tools_give_them() -> None:
    found = read("msec;Request_Method;request_uri;status;request_time\n1772366400.250;GET;/a?x;200;0.5\n")
    assert isinstance(found[0][1], dict)
    assert (found[0][1]["time_ms"], found[0][1]["duration_ms"]) == (1_772_366_400_250, 500)


def test_a_duration_of_unknown_unit_is_not_guessed() -> None:
    notes = Notes()
    text = "time,method,path,status,latency\n2026-03-01,GET,/a,200,7\n"
    ((_, row),) = read_csv(io.BytesIO(text.encode()), LogColumns({}, []), notes)
    assert isinstance(row, dict)
    assert row["duration_ms"] is None
    assert notes.unread == {"latency": "its unit is not known: --column duration_ms=latency, or _s, or _us"}


def test_a_long_path_is_cut_and_does_not_lose_its_request() -> None:
    notes = Notes()
    text = HEADER + f"2026-03-01,GET,/{'ä' * 200},200,1\n"
    ((_, row),) = read_csv(io.BytesIO(text.encode()), LogColumns({}, []), notes)
    assert routes([(2, row if isinstance(row, dict) else "")]) == ["/" + "ä" * 127]
    assert notes.labels_cut == 1


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
        ("time,method,path,duration_s\n", {}, "no column is status or status_code or response_code"),
        ("time,method,status,duration_s\n", {}, "no column is path or route or request: name it with --column path="),
        ("method,path,status,duration_s\n", {}, "no column is time or timestamp"),
        ("time,time_ms,method,path,status,duration_s\n", {}, "the file has time and time_ms"),
        (HEADER, {"duration_ms": "took"}, "there is no column 'took'"),
        ("", {}, "the file is empty"),
        ('time,path,status,method,"x\n', {}, "line 1: unexpected end of data"),
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
