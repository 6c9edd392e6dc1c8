"""Replays of a real pipeline's log: the same panes, byte for byte, and the truth about those that cannot be."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from barograph_aggregator.settings import AggregatorSettings
from barograph_cli.__main__ import main
from barograph_cli.history.log.reader import read_log
from barograph_cli.history.log.selection import LogEntry
from barograph_cli.history.rebuild.fold import Folder
from barograph_core.decode.batch import decode_batch
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.panes.pane import Pane
from barograph_core.server.connection import Connection
from barograph_core.server.replies import EntryId, as_bytes, as_entries, as_list
from barograph_core.steps import parse_keep
from barograph_core.text.timestamps import format_timestamp
from tests.integration.history.past import (
    CAP,
    KEEP,
    SERVICES,
    SETTINGS,
    STEPS_MS,
    Live,
    read_panes,
    read_revisions,
    snapshot,
    within,
)
from tests.support import wait_until

FIRST, LAST = EntryId(0, 1), EntryId(2**53, 0)


def run(live: Live, *arguments: str) -> int:
    return main(["replay", "--url", live.url, "--source-prefix", "live", *SETTINGS, *arguments])


def test_a_replay_of_everything_gives_every_pane_of_every_step_byte_for_byte(
    live: Live, capsys: pytest.CaptureFixture[str]
) -> None:
    """Late and early events, revisions, weights, more series than the cap, a killed worker: the log decides it all."""
    assert run(live, "--prefix", "all", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    (shard,) = report["shards"]
    replayed = read_panes(live.connection, "all")
    assert {step for _, step, _ in live.panes} == set(STEPS_MS)
    assert replayed == live.panes
    assert (shard["entries_dead"], shard["events_late"] > 0) == (1, True)


def test_the_log_holds_what_a_replay_could_get_wrong(live: Live) -> None:
    """Else equality would show little: revisions, folded series, samples, panes that got late events."""
    (wide,) = [Pane.unpack(live.panes[key]) for key in live.panes if key[:2] == ("wide", 60_000)][:1]
    routes = {labels[0] for labels in wide.labels("request")}
    revisions = read_revisions(live.connection, "live")
    assert ("__other__" in routes, wide.estimated > 0, max(revisions) > 0) == (True, True, True)


def test_a_replay_without_one_entry_differs(live: Live) -> None:
    """The control: in the panes of that entry, and only there."""
    keys = ShardKeys("lossy")
    entries = [entry for page in read_log(live.connection, live.past.keys.events, FIRST, LAST) for entry in page]
    missing = next(entry for entry in entries if b"data" in entry.fields)
    folder = Folder(live.url, keys, AggregatorSettings(series_cap=CAP), parse_keep(KEEP))
    for service in SERVICES:
        now_ms = live.past.now_ms()
        for source, target in ((live.past.keys.series, keys.series), (live.past.keys.folded, keys.folded)):
            for one in as_list(live.connection.command("ZRANGE", source(service), 0, -1)):
                live.connection.command("ZADD", target(service), now_ms, as_bytes(one))
    for entry in entries:
        if entry is not missing:
            folder.add(LogEntry(entry.id, entry.fields))
    folder.finish()
    folder.close()
    lossy = read_panes(live.connection, "lossy")
    expected = {start for _, start in Pane.of_blocks([decode_batch(missing.fields).block], 1_000)}
    differing = {key for key, blob in live.panes.items() if lossy.get(key) != blob}
    assert differing
    assert {start for _, step, start in differing if step == 1_000} <= expected


def test_a_range_gives_the_panes_inside_it_and_names_those_at_its_edges(
    live: Live, capsys: pytest.CaptureFixture[str]
) -> None:
    """A roll-up that is only partly inside would look like a whole one: it is not written."""
    start, end = live.from_ms + 7_300, live.to_ms - 11_000
    assert run(live, "--prefix", "part", "--from", str(start), "--to", format_timestamp(end), "--json") == 0
    (shard,) = json.loads(capsys.readouterr().out)["shards"]
    assert read_panes(live.connection, "part") == within(live.panes, start, end)
    at_the_start = [lost for lost in shard["not_written"] if lost["from_ms"] < start]
    assert [
        (lost["step_ms"], lost["from_ms"] - live.from_ms, lost["to_ms"] - live.from_ms) for lost in at_the_start
    ] == [
        (1_000, 7_000, 8_000),
        (5_000, 5_000, 10_000),
        (20_000, 0, 20_000),
        (60_000, 0, 60_000),
    ]


def test_one_service_of_many(live: Live) -> None:
    assert run(live, "--prefix", "one", "--service", "wide") == 0
    expected = {key: blob for key, blob in live.panes.items() if key[0] == "wide"}
    assert read_panes(live.connection, "one") == expected


def test_a_replay_on_another_server_leaves_the_live_prefix_as_it_is(live: Live, valkey_url: str) -> None:
    """It is only read: not a key, not the group, not an entry changes."""
    before = snapshot(live.connection, "live")
    assert run(live, "--prefix", "elsewhere", "--target-url", valkey_url) == 0
    target = Connection.open(valkey_url)
    assert read_panes(target, "elsewhere") == live.panes
    assert snapshot(live.connection, "live") == before
    target.close()


def test_a_killed_replay_goes_on_and_ends_the_same(live: Live, capsys: pytest.CaptureFixture[str]) -> None:
    """Killed with entries read and not committed: the fence and the entry ids keep it exact."""
    command = [sys.executable, "-m", "barograph_cli", "replay", "--url", live.url, "--source-prefix", "live"]
    process = subprocess.Popen([*command, *SETTINGS, "--prefix", "killed"])
    keys = ShardKeys("killed")
    wait_until(lambda: live.connection.command("EXISTS", keys.open) == 1, what="the first commit")
    process.kill()
    process.wait(60)
    assert run(live, "--prefix", "killed") == 2
    assert "--resume" in capsys.readouterr().err
    assert run(live, "--prefix", "killed", "--resume", "--series-cap", "5") == 2
    assert "series_cap 12" in capsys.readouterr().err
    assert run(live, "--prefix", "killed", "--resume") == 0
    assert read_panes(live.connection, "killed") == live.panes


def test_a_log_that_was_trimmed_gives_no_pane_that_may_lack_events(
    live: Live, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is certain until max_future after the beginning of what is left: nothing is written, and that is said."""
    assert run(live, "--prefix", "copied", "--with-events") == 0
    events = ShardKeys("copied").events
    middle = as_entries(live.connection.command("XRANGE", events, "-", "+", "COUNT", 50))[-1].id
    live.connection.command("XTRIM", events, "MINID", str(middle))
    capsys.readouterr()
    command = ("replay", "--url", live.url, "--source-prefix", "copied", "--prefix", "rest", *SETTINGS)
    assert main([*command, "--json"]) == 0
    (shard,) = json.loads(capsys.readouterr().out)["shards"]
    assert read_panes(live.connection, "rest") == {}
    assert {lost["step_ms"] for lost in shard["not_written"]} == set(STEPS_MS)
    assert "whole only after" in shard["not_written"][0]["reason"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "--prefix must name the new prefix"),
        (("--prefix", "live"), "is the prefix of the log itself"),
        (("--prefix", "n", "--from", "yesterday"), "--from: 'yesterday' is no moment"),
        (("--prefix", "n", "--from", "-1h", "--to", "-2h"), "lies after the end"),
        (("--prefix", "n", "--service", "a b"), "--service: 'a b' is not"),
        (("--prefix", "n", "--resume"), "nothing was begun"),
        (("--prefix", "n", "--resume", "--from", "-1h"), "leave out --from"),
    ],
)
def test_a_wrong_command_line_is_refused(
    live: Live, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], complaint: str
) -> None:
    assert run(live, *arguments) == 2
    assert complaint in capsys.readouterr().err


def test_a_prefix_in_use_is_refused(live: Live, capsys: pytest.CaptureFixture[str]) -> None:
    live.connection.command("XADD", ShardKeys("busy").events, "*", "v", "99")
    assert run(live, "--prefix", "busy") == 2
    assert "in use" in capsys.readouterr().err


def test_a_prefix_without_a_log_is_a_failure(live: Live, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", "--url", live.url, "--source-prefix", "nobody", "--prefix", "n"]) == 1
    assert "no events stream" in capsys.readouterr().err


def test_a_deleted_service_does_not_come_back(live: Live, tmp_path: Path) -> None:
    """Neither by a replay nor by an export: what was deleted may have been personal."""
    assert run(live, "--prefix", "before", "--with-events") == 0
    keys = ShardKeys("before")
    last = as_entries(live.connection.command("XREVRANGE", keys.events, "+", "-", "COUNT", 1))[0].id
    live.connection.command("HSET", keys.progress, "deleted:search", str(last))
    here = ("--url", live.url, *SETTINGS)
    assert main(["replay", *here, "--source-prefix", "before", "--prefix", "after"]) == 0
    assert read_panes(live.connection, "after") == {key: blob for key, blob in live.panes.items() if key[0] != "search"}
    assert main(["export", *here, "--prefix", "before", "--output", str(tmp_path / "rest.jsonl")]) == 0
    assert '"search"' not in (tmp_path / "rest.jsonl").read_text()
