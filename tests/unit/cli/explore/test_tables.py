"""What is downloaded is what is shown: all of it, for programs and for spreadsheets."""

import csv
import io

from barograph_cli.explore.tables import Column, TableRow, csv_text, matching

COLUMNS = (
    Column("at", "At", "time"),
    Column("route", "Route"),
    Column("error_ratio", "Failed", "ratio"),
    Column("p95_ms", "p95", "ms"),
)


def row(route: str) -> TableRow:
    return {"at": 1_700_000_000_500, "route": route, "error_ratio": 1 / 3, "p95_ms": None}


def test_numbers_are_written_in_full_times_in_utc_and_nothing_where_nothing_is_known() -> None:
    text = csv_text(COLUMNS, [row("/predict")])
    assert text == "at,route,error_ratio,p95_ms\r\n2023-11-14T22:13:20.500Z,/predict,0.3333333333333333,\r\n"


def test_any_text_comes_back_as_it_was() -> None:
    routes = ['/a,"b"', "/line\nbreak", "/\N{SNOWMAN}"]
    read = list(csv.DictReader(io.StringIO(csv_text(COLUMNS, [row(route) for route in routes]), newline="")))
    assert [one["route"] for one in read] == routes


def test_a_label_is_no_formula_to_a_spreadsheet() -> None:
    """Labels are anybody's text, and a spreadsheet would run one of these when the file is opened."""
    text = csv_text(COLUMNS, [row('=HYPERLINK("http://elsewhere")')])
    (read,) = csv.DictReader(io.StringIO(text, newline=""))
    assert read["route"].startswith("'=")


def test_a_number_below_zero_stays_a_number() -> None:
    assert csv_text((Column("value", "Value", "figure"),), [{"value": -1.5}]) == "value\r\n-1.5\r\n"


def test_a_filter_finds_rows_with_all_of_its_words() -> None:
    rows: list[TableRow] = [
        {"method": "POST", "route": "/predict", "requests": 7},
        {"method": "GET", "route": "/predict", "requests": 70},
        {"method": "POST", "route": "/feedback", "requests": 7},
    ]
    assert matching(rows, "post PRED") == rows[:1]
    assert matching(rows, "") == rows
    assert matching(rows, "7") == []
