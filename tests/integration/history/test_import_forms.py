"""`barograph import FILE`, and nothing more: every form in which people have access logs."""

import csv
import gzip
import json
import random
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from barograph_cli.__main__ import main
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.steps import parse_keep
from barograph_core.store.pane_store import PaneStore

# Ten years ago, as seen from when this was written.
START_MS = 1_456_833_600_000
MINUTES = 5


@dataclass(frozen=True, slots=True)
class Request:
    """One line of the log."""

    at_ms: int
    method: str
    path: str
    status: int
    duration_ms: int | None


def made(count: int) -> list[Request]:
    """Return requests of five minutes, some of which failed without a duration, in order by time."""
    chance = random.Random(15)
    requests = list[Request]()
    for number in range(count):
        status = chance.choices((200, 404, 500, 502, 504), (85, 5, 4, 3, 3))[0]
        duration_ms = None if status in (502, 504) else chance.randrange(1, 2_000)
        at_ms = START_MS + number * MINUTES * 60_000 // count // 1_000 * 1_000
        requests.append(Request(at_ms, chance.choice(("GET", "POST")), f"/p{chance.randrange(5)}", status, duration_ms))
    return requests


REQUESTS = made(2_000)


def moment(request: Request, form: str) -> str:
    return datetime.fromtimestamp(request.at_ms / 1_000, UTC).strftime(form)


def combined(request: Request) -> str:
    at = moment(request, "%d/%b/%Y:%H:%M:%S +0000")
    return f'1.1.1.1 - - [{at}] "{request.method} {request.path}?q=1 HTTP/1.1" {request.status} 5 "-" "Mozilla/5.0"'


def nginx_json(request: Request) -> str:
    took = "-" if request.duration_ms is None else f"{request.duration_ms / 1_000:.3f}"
    line = f"{request.method} {request.path} HTTP/1.1"
    at = moment(request, "%Y-%m-%dT%H:%M:%S+00:00")
    return json.dumps({"time_iso8601": at, "request": line, "status": str(request.status), "request_time": took})


def apache_json(request: Request) -> str:
    at = moment(request, "[%d/%b/%Y:%H:%M:%S +0000]")
    return json.dumps({"time": at, "method": request.method, "request": request.path, "status": str(request.status)})


def written_csv(path: Path, *, with_durations: bool) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["time", "method", "path", "status", *(["duration_s"] if with_durations else [])])
        for number, one in enumerate(REQUESTS):
            # What tools write for no duration.
            absent = ("", "-", "-1", "0.001, 0.002")[number % 4]
            took = absent if one.duration_ms is None else str(one.duration_ms / 1_000)
            row = [moment(one, "%Y-%m-%dT%H:%M:%SZ"), one.method, one.path, one.status]
            writer.writerow([*row, *([took] if with_durations else [])])


def written_parquet(path: Path, requests: list[Request]) -> None:
    # pyarrow has no types.
    arrow: Any = import_module("pyarrow")
    columns = {
        "timestamp": arrow.array([one.at_ms * 1_000_000 for one in requests], arrow.timestamp("ns", "UTC")),
        "method": [one.method for one in requests],
        "path": [one.path for one in requests],
        "status": [float(one.status) for one in requests],
        "duration_ms": [one.duration_ms for one in requests],
        "__index_level_0__": list(range(len(requests))),
    }
    import_module("pyarrow.parquet").write_table(arrow.table(columns), path, use_deprecated_int96_timestamps=True)


def write(form: str, folder: Path, stem: str) -> Path:
    """Write the requests in a form, and return the file or folder."""
    path = folder / f"{stem}.{form.split(maxsplit=1)[0]}"
    lines = {"log": combined, "gz": combined, "json": apache_json if "Apache" in form else nginx_json}
    if form.startswith("csv"):
        written_csv(path, with_durations="without" not in form)
    elif form == "parquet folder":
        path.mkdir()
        (path / "_SUCCESS").touch()
        # Spark's parts hold rows in any order, and so does a folder of them.
        parts = REQUESTS[1_000:], REQUESTS[:1_000]
        for number, rows in enumerate(parts):
            written_parquet(path / f"part-{number:05}.snappy.parquet", rows)
    elif form == "parquet":
        written_parquet(path, REQUESTS)
    else:
        text = "".join(f"{lines[form.split(maxsplit=1)[0]](one)}\n" for one in REQUESTS).encode()
        path.write_bytes(gzip.compress(text) if form == "gz" else text)
    return path


FORMS = {
    "log": False,
    "gz": False,
    "json nginx": True,
    "json Apache": False,
    "csv": True,
    "csv without durations": False,
    "parquet": True,
    "parquet folder": True,
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_imported_by_its_name_alone(
    form: str, tmp_path: Path, valkey_url: str, real: Connection, keys: ShardKeys, capsys: pytest.CaptureFixture[str]
) -> None:
    """Requests and errors of each minute and each series, and durations where the form has some, are those counted."""
    path = write(form, tmp_path, f"x{keys.prefix}")
    assert main(["import", str(path), "--url", valkey_url]) == 0
    report = capsys.readouterr().out
    assert report.startswith("2000 rows of events, 0 bad rows; ")
    stem = path.name.partition(".")[0][:24]
    store = PaneStore(real, ShardKeys(f"import-{stem}", "0"), parse_keep("1s:15m,10s:2h,1m:2d,1h:90d"))
    panes = store.read(stem, 60_000, START_MS, START_MS + MINUTES * 60_000)
    found = [(pane.start_ms, pane.pane.requests, pane.pane.errors) for pane in panes]
    minutes, errors = Counter[int](), Counter[int]()
    for one in REQUESTS:
        minutes[one.at_ms // 60_000 * 60_000] += 1
        errors[one.at_ms // 60_000 * 60_000] += one.status >= 500
    assert found == [(at, minutes[at], errors[at]) for at in sorted(minutes)]
    series = Counter[tuple[str, ...]]()
    durations, total_ms = 0, 0.0
    for pane in panes:
        for summary in pane.pane.series("request"):
            series[summary.labels] += summary.count
            measure = summary.measures.get("duration_ms")
            durations += measure.count if measure else 0
            total_ms += measure.sum if measure else 0.0
    assert series == Counter[tuple[str, ...]]((one.path, one.method) for one in REQUESTS)
    counted = [one.duration_ms for one in REQUESTS if one.duration_ms is not None] if FORMS[form] else []
    assert durations == len(counted)
    assert total_ms == pytest.approx(sum(counted))
