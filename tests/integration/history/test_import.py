"""barograph export and import as people run them: files, pipes, bad rows, terminals."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from barograph_cli.__main__ import main
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_list, as_text
from barograph_core.steps import parse_keep
from barograph_core.store.pane_store import PaneStore
from tests.integration.history.past import read_panes

COMMAND = (sys.executable, "-m", "barograph_cli")
# Of the past, so that every pane is over.
START_MS = 1_772_366_400_000


def requests(connection: Connection, keys: ShardKeys, service: str, step_ms: int) -> list[tuple[int, int, int]]:
    """Return (seconds after the start, requests, errors) of each pane of a service."""
    store = PaneStore(connection, keys, parse_keep("1s:15m,10s:2h,1m:2d,1h:90d"))
    panes = store.read(service, step_ms, START_MS, START_MS + 3_600_000)
    return [((pane.start_ms - START_MS) // 1_000, pane.pane.requests, pane.pane.errors) for pane in panes]


def write_log(path: Path, rows: list[str]) -> Path:
    path.write_text("\n".join(["ts,method,uri,code,request_time", *rows]) + "\n")
    return path


def bring_in(url: str, keys: ShardKeys, file: Path, *more: str) -> int:
    return main(["import", str(file), "--url", url, "--prefix", keys.prefix, *more])


COLUMNS = tuple(
    word
    for field in ("time_s=ts", "path=uri", "status=code", "duration_s=request_time")
    for word in ("--column", field)
)


def test_an_access_log_of_last_year_becomes_panes(
    tmp_path: Path, valkey_url: str, real: Connection, keys: ShardKeys
) -> None:
    """Old data must end as panes: its arrival lies where its events lie, whatever the clock says now."""
    second = START_MS // 1_000
    rows = [f"{second + number // 2},GET,/u/{number},{503 if number == 5 else 200},0.25" for number in range(24)]
    log = write_log(tmp_path / "access.csv", rows)
    assert bring_in(valkey_url, keys, log, *COLUMNS, "--service", "web", "--route", "/u/{id}") == 0
    assert requests(real, keys, "web", 1_000) == [(number, 2, int(number == 2)) for number in range(12)]
    assert requests(real, keys, "web", 10_000) == [(0, 20, 1), (10, 4, 0)]
    assert requests(real, keys, "web", 3_600_000) == [(0, 24, 1)]


def test_bad_rows_are_counted_and_the_first_are_shown(
    tmp_path: Path, valkey_url: str, keys: ShardKeys, capsys: pytest.CaptureFixture[str]
) -> None:
    second = START_MS // 1_000
    rows = [f"{second},GET,/a,200,0.1", *["then,GET,/a,200,0.1"] * 30, f"{second},GET,/a,2000,0.1"]
    log = write_log(tmp_path / "access.csv", rows)
    assert bring_in(valkey_url, keys, log, *COLUMNS, "--service", "web", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["good"], report["bad"], len(report["first_bad"])) == (1, 31, 20)
    assert report["first_bad"][0] == {"line": 3, "reason": "time_s is 'then', not a number", "file": ""}


def test_a_strict_import_stops_at_the_first_bad_row(
    tmp_path: Path, valkey_url: str, keys: ShardKeys, capsys: pytest.CaptureFixture[str]
) -> None:
    log = write_log(tmp_path / "access.csv", [f"{START_MS // 1_000},GET,/a,200,-"] * 3 + ["then,GET,/a,200,-"])
    assert bring_in(valkey_url, keys, log, *COLUMNS, "--service", "web", "--strict") == 1
    assert "line 5: time_s is 'then', not a number; 3 rows before it" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["{}\nno json\n[]\n" + "[" * 5_000 + "\n", "", "\n\n"])
def test_a_file_without_a_good_row_is_a_failure_and_leaves_the_prefix_free(
    tmp_path: Path, valkey_url: str, real: Connection, keys: ShardKeys, text: str
) -> None:
    """The right file can go where the wrong one was to."""
    (tmp_path / "bad.jsonl").write_text(text)
    assert bring_in(valkey_url, keys, tmp_path / "bad.jsonl") == 1
    assert real.command("KEYS", f"{keys.prefix}:*") == []


def test_a_file_with_the_newest_row_first_counts_whole(
    tmp_path: Path, valkey_url: str, real: Connection, keys: ShardKeys, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a query writes it; each row would be late by as much as the file is long."""
    second = START_MS // 1_000
    rows = [f"{second + 3_000 - 100 * number},GET,/a,200,1" for number in range(31)]
    log = write_log(tmp_path / "access.csv", rows)
    assert bring_in(valkey_url, keys, log, *COLUMNS, "--service", "web") == 0
    assert requests(real, keys, "web", 1_000) == [(100 * number, 1, 0) for number in range(31)]
    assert "the rows were not in order by time, and were put in order" in capsys.readouterr().out


def test_rows_of_a_pipe_that_are_too_late_are_told_and_a_failure(
    tmp_path: Path, valkey_url: str, keys: ShardKeys
) -> None:
    """It cannot be read twice."""
    second = START_MS // 1_000
    log = write_log(tmp_path / "access.csv", [f"{second + 3_000},GET,/a,200,1", f"{second},GET,/a,200,1"])
    command = (*COMMAND, "import", "-", "--url", valkey_url, "--prefix", keys.prefix, *COLUMNS)
    with log.open("rb") as source:
        done = subprocess.run(command, check=False, stdin=source, capture_output=True, text=True)
    assert done.returncode == 1
    assert "1 events did not count: they came more than 10m after their time" in done.stderr
    assert "a file need not be" in done.stderr


def test_series_beyond_the_cap_are_told(
    tmp_path: Path, valkey_url: str, keys: ShardKeys, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"{START_MS // 1_000 + number},GET,/u/{number},200,1" for number in range(12)]
    log = write_log(tmp_path / "access.csv", rows)
    assert bring_in(valkey_url, keys, log, *COLUMNS, "--service", "web", "--series-cap", "5") == 0
    assert "7 series beyond --series-cap count as __other__: --route '/users/{id}'" in capsys.readouterr().out


def test_one_wrong_date_costs_one_row(tmp_path: Path, valkey_url: str, real: Connection, keys: ShardKeys) -> None:
    """Taken in, it would close every pane up to its time: nothing after it would count."""
    second = START_MS // 1_000
    rows = [f"{second},GET,/a,200,1", "4070908800,GET,/a,200,1", f"{second},GET,/a,200,1"]
    log = write_log(tmp_path / "access.csv", rows)
    assert bring_in(valkey_url, keys, log, *COLUMNS, "--service", "web") == 0
    assert requests(real, keys, "web", 1_000) == [(0, 2, 0)]


def test_a_killed_import_goes_on_with_the_bound_that_it_began_with(
    tmp_path: Path, valkey_url: str, real: Connection, keys: ShardKeys
) -> None:
    """By a later one other rows would be good than were, and get other entries: some would count twice."""
    log = write_log(
        tmp_path / "access.csv", [f"{START_MS // 1_000 + 9},GET,/a,200,1", f"{START_MS // 1_000},GET,/a,200,1"]
    )
    assert bring_in(valkey_url, keys, log, *COLUMNS, "--service", "web") == 0
    job = json.loads(as_text(real.command("HGET", keys.rebuild, "job")))
    job["latest_ms"] = START_MS
    real.command("UNLINK", *map(as_text, as_list(real.command("KEYS", f"{keys.prefix}:*"))))
    real.command("HSET", keys.rebuild, "job", json.dumps(job), "verb", "import")
    assert bring_in(valkey_url, keys, log, *COLUMNS, "--service", "web", "--resume") == 0
    assert requests(real, keys, "web", 1_000) == [(0, 1, 0)]


@pytest.mark.parametrize(
    ("name", "more", "complaint"),
    [
        ("access.csv", ("--service", "web"), "no column is status or status_code"),
        ("notes.txt", (), "cannot tell the format"),
        ("access.csv", ("--column", "uri=path"), "--column: 'uri=path' is not FIELD=HEADER"),
        ("absent.csv", (), "cannot read"),
    ],
)
def test_what_cannot_be_imported_leaves_no_prefix_behind(
    tmp_path: Path,
    valkey_url: str,
    real: Connection,
    keys: ShardKeys,
    capsys: pytest.CaptureFixture[str],
    name: str,
    more: tuple[str, ...],
    complaint: str,
) -> None:
    write_log(tmp_path / "access.csv", [])
    (tmp_path / "notes.txt").write_text("what happened\n")
    assert bring_in(valkey_url, keys, tmp_path / name, *more) == 2
    assert complaint in capsys.readouterr().err
    assert real.command("KEYS", f"{keys.prefix}:*") == []


def test_parquet_without_its_package_says_what_to_install(
    tmp_path: Path,
    valkey_url: str,
    real: Connection,
    keys: ShardKeys,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It comes with an extra of its own: few need it, and it is large."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "events.parquet").write_bytes(b"PAR1")
    assert bring_in(valkey_url, keys, tmp_path / "events.parquet") == 2
    assert "pip install 'barograph[export]'" in capsys.readouterr().err
    output = tmp_path / "out.parquet"
    real.command("XADD", keys.events, "*", "v", "1")
    assert main(["export", "--url", valkey_url, "--prefix", keys.prefix, "--output", str(output)]) == 2
    assert not output.exists()


def test_a_file_that_is_no_parquet_is_a_failure(
    tmp_path: Path, valkey_url: str, keys: ShardKeys, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "events.parquet").write_bytes(b"no parquet at all")
    assert bring_in(valkey_url, keys, tmp_path / "events.parquet") == 1
    assert "cannot read Parquet" in capsys.readouterr().err


def test_parquet_from_a_pipe_is_refused(valkey_url: str, keys: ShardKeys) -> None:
    here = ("--format", "parquet", "--url", valkey_url, "--prefix", keys.prefix)
    done = subprocess.run([*COMMAND, "import", "-", *here], input=b"PAR1", capture_output=True, check=False, timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith(b"barograph import: Parquet cannot come from a pipe")


def test_a_pipe_carries_rows_and_nothing_else(
    tmp_path: Path, valkey_url: str, real: Connection, keys: ShardKeys
) -> None:
    """No bar, no report among the rows: one prefix straight into another."""
    log = write_log(tmp_path / "access.csv", [f"{START_MS // 1_000 + number},GET,/a,200,1" for number in range(50)])
    assert bring_in(valkey_url, keys, log, *COLUMNS, "--service", "web", "--with-events") == 0
    here = ("--url", valkey_url, "--prefix")
    out = subprocess.run(
        [*COMMAND, "export", *here, keys.prefix, "--output", "-"], capture_output=True, check=True, timeout=60
    )
    assert [set(json.loads(line)) >= {"time_ms", "kind"} for line in out.stdout.splitlines()] == [True] * 50
    assert out.stderr.decode().startswith("50 rows (50 request)")
    back = [*COMMAND, "import", "-", "--format", "jsonl", *here, f"{keys.prefix}b"]
    done = subprocess.run(back, input=out.stdout, capture_output=True, check=True, timeout=60)
    assert done.stderr == b""
    assert read_panes(real, f"{keys.prefix}b") == read_panes(real, keys.prefix)


def test_a_bar_is_shown_to_who_watches(tmp_path: Path, valkey_url: str, keys: ShardKeys) -> None:
    log = write_log(tmp_path / "access.csv", [f"{START_MS // 1_000},GET,/a,200,1"] * 10)
    parent, child = pty.openpty()
    arguments = ["import", str(log), "--url", valkey_url, "--prefix", keys.prefix, *COLUMNS, "--service", "web"]
    with os.fdopen(parent, "rb", buffering=0) as terminal:
        process = subprocess.run(
            [*COMMAND, *arguments],
            stdout=subprocess.PIPE,
            stderr=child,
            check=True,
            timeout=60,
            env=os.environ | {"TERM": "xterm"},
        )
        os.close(child)
        shown = terminal.read(4_096)
    assert b"import" in shown
    assert process.stdout.decode().startswith("10 rows of events")
