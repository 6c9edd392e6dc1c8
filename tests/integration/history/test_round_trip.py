"""Events go out into a file and come back: the same panes, byte for byte, and the same file."""

import json
from pathlib import Path

import pytest

from barograph_cli.__main__ import main
from tests.integration.history.past import SETTINGS, Live, read_panes


def export(live: Live, prefix: str, output: Path, *more: str) -> int:
    return main(["export", "--url", live.url, "--prefix", prefix, "--output", str(output), *SETTINGS, *more])


def bring_back(live: Live, prefix: str, file: Path, *more: str) -> int:
    return main(["import", str(file), "--url", live.url, "--prefix", prefix, *SETTINGS, *more])


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_an_export_imported_into_a_fresh_prefix_gives_the_same_panes_byte_for_byte(
    live: Live, tmp_path: Path, ending: str
) -> None:
    """Lateness and series beyond the cap are decided as they were: the rows carry arrival and verdict."""
    assert export(live, "live", tmp_path / f"events.{ending}") == 0
    assert bring_back(live, f"back-{ending}", tmp_path / f"events.{ending}") == 0
    assert read_panes(live.connection, f"back-{ending}") == live.panes


def test_what_was_imported_is_exported_as_it_was(live: Live, tmp_path: Path) -> None:
    """Nothing is lost on the way: times, arrival, labels, measures, weights."""
    export(live, "live", tmp_path / "first.jsonl")
    bring_back(live, "again", tmp_path / "first.jsonl", "--with-events")
    export(live, "again", tmp_path / "second.jsonl")
    first, second = ((tmp_path / name).read_text().splitlines() for name in ("first.jsonl", "second.jsonl"))
    assert len(first) > 2_000
    # Folded series come back as what they counted as.
    rows = [json.loads(line) for line in first]
    kept = [at for at, row in enumerate(rows) if not row["is_other"] and not row.get("is_folded")]
    assert [second[at] for at in kept] == [first[at] for at in kept]


def test_an_import_without_one_row_differs(live: Live, tmp_path: Path) -> None:
    """The control."""
    export(live, "live", tmp_path / "whole.jsonl")
    lines = (tmp_path / "whole.jsonl").read_text().splitlines(keepends=True)
    # One that counts: some are late.
    from_ms = live.past.now_ms() - 600_000
    lines.pop(next(at for at, line in enumerate(lines) if from_ms < json.loads(line)["time_ms"] < live.past.now_ms()))
    (tmp_path / "less.jsonl").write_text("".join(lines))
    assert bring_back(live, "less", tmp_path / "less.jsonl") == 0
    assert read_panes(live.connection, "less") != live.panes


def test_an_imported_log_replays_into_the_same_panes(live: Live, tmp_path: Path) -> None:
    """The imported stream is a log like any other; from several shards too."""
    export(live, "live", tmp_path / "events.jsonl")
    assert bring_back(live, "spread", tmp_path / "events.jsonl", "--with-events", "--shards", "3") == 0
    command = ["replay", "--url", live.url, "--source-prefix", "spread", "--prefix", "respread", *SETTINGS]
    assert main(command) == 0
    assert read_panes(live.connection, "spread") == live.panes
    assert read_panes(live.connection, "respread") == live.panes


def test_a_range_and_a_service_can_be_exported(live: Live, tmp_path: Path) -> None:
    export(live, "live", tmp_path / "all.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text().splitlines()]
    start = sorted(row["time_ms"] for row in rows)[len(rows) // 2]
    export(live, "live", tmp_path / "part.jsonl", "--from", str(start), "--service", "search")
    part = [json.loads(line) for line in (tmp_path / "part.jsonl").read_text().splitlines()]
    assert part == [row for row in rows if row["time_ms"] >= start and row["service"] == "search"]
