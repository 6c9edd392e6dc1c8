"""Access logs as JSON Lines: nginx's and Apache's, as their users are told to configure them, and others'."""

import io

import pytest

from barograph_cli.history.rows.jsonl_file import read_jsonl
from barograph_cli.history.rows.notes import Notes
from barograph_cli.history.rows.request_fields import LogColumns
from barograph_cli.history.rows.row_reading import BadRowError, Document


def read(text: str, **headers: str) -> list[Document | str]:
    rows = read_jsonl(io.BytesIO(text.encode()), LogColumns(headers, []), Notes())
    return [str(row) if isinstance(row, BadRowError) else row for _, row in rows]


def request(route: str, status: int, duration_ms: float | None, method: str = "GET") -> dict[str, object]:
    return {
        "kind": "request",
        "time_ms": 1_772_366_400_000,
        "labels": {"route": route, "method": method},
        "status": status,
        "duration_ms": duration_ms,
    }


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (  # nginx, escape=json
            '{"time_local":"01/Mar/2026:12:00:00 +0000","request":"GET /a?x","status":"200","request_time":"0.1"}',
            request("/a", 200, 100),
        ),
        (  # nginx without it
            r'{"msec":1772366400.0,"request_method":"POST","request_uri":"/\xC3\xA4","status":502,"request_time":0.25,"a":"\x22"}',
            request("/ä", 502, 250, "POST"),
        ),
        (  # Apache: "%t", "%U", "%m", "%>s", "%D"
            '{"time":"[01/Mar/2026:12:00:00 +0000]","method":"GET","request":"/p","status":"503","duration_us":"1200"}',
            request("/p", 503, 1.2),
        ),
        (  # Caddy
            '{"level":"info","ts":1772366400.0,"request":{"method":"GET","uri":"/c?q=1","host":"h"},"status":200}',
            request("/c", 200, None),
        ),
        (  # pandas, to_json(orient="records", lines=True)
            '{"timestamp":1772366400000,"method":"GET","path":"/d","status":504.0,"duration_ms":null}',
            request("/d", 504, None),
        ),
    ],
)
def test_a_request_a_line(line: str, expected: dict[str, object]) -> None:
    assert read(line) == [expected]


def test_columns_may_be_named() -> None:
    line = '{"t":1772366400,"m":"GET","p":"/a","s":200,"z":"eu"}'
    columns = {"time_s": "t", "method": "m", "path": "p", "status": "s", "label.zone": "z"}
    (row,) = read(line, **columns)
    assert isinstance(row, dict)
    assert row["labels"] == {"route": "/a", "method": "GET", "zone": "eu"}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"msg":"hello"}', "the row is neither an event (it has no kind) nor a request: no column is time"),
        ('{"time":"noon","method":"GET","path":"/a","status":200}', "time is 'noon', not a time"),
        ('{"time":true,"method":"GET","path":"/a","status":200}', "time is True"),
        ('{"time":1e400,"method":"GET","path":"/a","status":200}', "time is inf"),
        ('{"time":1772366400,"method":"GET","path":["/a"],"status":200}', "['/a'] is not text"),
        ("[1]", "the line is no JSON object"),
        ("{", "the line is not JSON"),
        ('{"a":"\\xZZ"}', "the line is not JSON"),
        (f'{{"time":{"9" * 5_000}}}', "the line is not JSON: Exceeds the limit"),
    ],
)
def test_what_is_neither_event_nor_request_is_bad(line: str, reason: str) -> None:
    (row,) = read(line)
    assert reason in str(row)
