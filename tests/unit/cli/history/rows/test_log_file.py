"""Access logs as nginx and Apache write them by themselves."""

import io
import time
from typing import cast

import pytest

from barograph_cli.history.rows.log_file import read_log
from barograph_cli.history.rows.notes import Notes
from barograph_cli.history.rows.request_fields import LogColumns, Template
from barograph_cli.history.rows.row_reading import BadRowError

AT = "[01/Mar/2026:12:00:00 +0000]"
AGENT = '"-" "curl/8.5.0"'


def read(line: str, *templates: str) -> list[tuple[object, ...]]:
    """Return route, method, status, duration in ms of each line, or the reason."""
    columns = LogColumns({}, [Template(text) for text in templates])
    found: list[tuple[object, ...]] = []
    for _, row in read_log(io.BytesIO(line.encode()), columns, Notes()):
        if isinstance(row, BadRowError):
            found.append((str(row),))
            continue
        labels = cast("dict[str, str]", row["labels"])
        assert row["time_ms"] == 1_772_366_400_000
        found.append((labels["route"], labels["method"], row["status"], row["duration_ms"]))
    return found


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        # nginx and Apache, combined
        (f'10.0.0.1 - - {AT} "GET /a?x=1 HTTP/1.1" 200 612 {AGENT}', ("/a", "GET", 200, None)),
        (f'::1 - frank {AT} "post /b HTTP/2.0" 503 0 "http://x/" "a \\"b\\" c"', ("/b", "POST", 503, None)),
        # Apache, common and with the virtual host before; a user's name may hold a space
        (f'10.0.0.1 - frank k {AT} "GET /c HTTP/1.0" 304 -', ("/c", "GET", 304, None)),
        (f'example.com:443 10.0.0.1 - - {AT} "GET /d HTTP/1.1" 200 5 {AGENT}', ("/d", "GET", 200, None)),
        # ingress-nginx, and nginx with $request_time at the end
        (
            f'10.0.0.1 - - {AT} "GET /e HTTP/2.0" 502 0 {AGENT} 123 1.250 [web-80] [] 10.1.1.1:80 0 1.249 502 ab',
            ("/e", "GET", 502, 1_250),
        ),
        (f'10.0.0.1 - - {AT} "GET /f HTTP/1.1" 200 612 {AGENT} 0.012', ("/f", "GET", 200, 12)),
        # A whole number may be Apache's microseconds or anything else.
        (f'10.0.0.1 - - {AT} "GET /g HTTP/1.1" 200 612 {AGENT} 12', ("/g", "GET", 200, None)),
        (f'10.0.0.1 - - {AT} "GET /h" 200 612 {AGENT}', ("/h", "GET", 200, None)),
        (f'10.0.0.1 - - {AT} "GET http://h:80/i?q HTTP/1.1" 200 612 {AGENT}', ("/i", "GET", 200, None)),
        (f'10.0.0.1 - - {AT} "GET /\\xc3\\xa4 HTTP/1.1" 404 0 {AGENT}', ("/ä", "GET", 404, None)),
        # What is no request got an answer all the same.
        (f'10.0.0.1 - - {AT} "\\x16\\x03\\x01" 400 157 {AGENT}', ("__unmatched__", "__other__", 400, None)),
        (f'10.0.0.1 - - {AT} "" 400 0 {AGENT}', ("__unmatched__", "__other__", 400, None)),
        (f'10.0.0.1 - - {AT} "-" 408 - {AGENT}', ("__unmatched__", "__other__", 408, None)),
    ],
)
def test_each_of_the_formats_is_read(line: str, expected: tuple[object, ...]) -> None:
    assert read(f"{line}\n") == [expected]


def test_the_time_has_its_zone() -> None:
    assert read(f'10.0.0.1 - - [01/Mar/2026:07:00:00 -0500] "GET /a HTTP/1.1" 200 612 {AGENT}\n') != []


def test_paths_become_templates() -> None:
    assert read(f'1.1.1.1 - - {AT} "GET /u/7 HTTP/1.1" 200 1 {AGENT}\n', "/u/{id}") == [("/u/{id}", "GET", 200, None)]


@pytest.mark.parametrize("line", ["nonsense", f'1.1.1.1 - - {AT} "GET /a HTTP/1.1" 99 1', "1.1.1.1 - - [today] x"])
def test_a_line_of_another_format_is_bad(line: str) -> None:
    assert read(line) == [("the line is not of the common or combined log format",)]


@pytest.mark.parametrize("piece", ["\\", '"', " [", "[", " - ", "a:1 ", '" "'])
def test_a_line_that_does_not_fit_costs_its_length(piece: str) -> None:
    """Whoever requests writes the line."""
    line = f"1.1.1.1 - - {AT} " + piece * 300_000
    begun = time.process_time()
    assert len(read(line)) == 1
    assert len(read(piece * 300_000)) == 1
    assert time.process_time() - begun < 5
