"""The server is killed again and again under load: counts stay exact where it keeps every write, and only there.

``BAROGRAPH_CHAOS_SERVER_KILLS`` says how often, 20 unless given; some hundreds outlast the panes of 1 s.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import redis

from barograph_core.pipeline.account import EventsAccount, parse_account
from barograph_core.server.replies import as_list
from tests.chaos.closings import Closings, EventsLog, read_closings, read_events
from tests.chaos.fleet import SERVICE, STEPS_COMPARED
from tests.chaos.siege import WAVES, Siege, running_siege
from tests.chaos.verifier import expected, found

KILLS = int(os.environ.get("BAROGRAPH_CHAOS_SERVER_KILLS", "20"))
CONTROL_KILLS = max(2 * WAVES, KILLS // 4)


def differing(siege: Siege) -> set[str]:
    """Return what of the closed panes is not as the producers' books say, by its name and the step."""
    truth = expected([str(ledger) for ledger in siege.ledgers])
    server: Any = redis.Redis.from_url(siege.node.url)
    try:
        counted = {step_ms: found(server, siege.fleet.keys.prefix, SERVICE, step_ms) for step_ms in STEPS_COMPARED}
    finally:
        server.close()
    return {
        f"{name} of {step_ms} ms"
        for step_ms, figures in counted.items()
        for name in truth
        if figures[name] != truth[name]
    }


def account(siege: Siege) -> EventsAccount:
    keys = siege.fleet.keys
    reply = siege.fleet.connection.call(
        "baro_account_1", [keys.events, keys.progress], ["aggregator", 10_000], read_only=True
    )
    return parse_account(as_list(reply))


def tell(siege: Siege, log: EventsLog, closings: Closings) -> dict[str, int]:
    """Print what happened and return it."""
    said, metric = siege.producers_say(), siege.witness.metric
    figures = {
        "server_kills": siege.kills,
        "server_kills_after_append": siege.kills_after["XADD"],
        "server_kills_after_commit": siege.kills_after["XACK"],
        "restarts": siege.restarts,
        "aggregator_kills": siege.aggregator_kills,
        "aggregator_kills_holding_entries": siege.aggregator_kills_holding_entries,
        "written": said["written"],
        "recorded": said["recorded"],
        "shipped": said["shipped"],
        "lost": said["lost"],
        "appends": said["ok"],
        "appends_unanswered": said["unanswered"],
        "duplicates_turned_away": said["dup"],
        "gaps": said["gap"],
        "on_stream": log.events,
        "entries": log.batches.total(),
        "entries_committed": account(siege).committed,
        "entries_lost": account(siege).lost,
        "commits": metric("commits"),
        "claims": metric("entries_claimed"),
        "fence_rejections": metric("fence_rejections"),
        "events_late": metric("events_late"),
        "reconnects": metric("reconnects"),
        "loop_errors": metric("loop_errors"),
        "looks": siege.witness.looks,
        "panes": len(log.panes),
        "panes_revised": sum(revision > 0 for revision in closings.revisions.values()),
        "panes_missing_somebody": sum(missing > 0 for missing in closings.missing.values()),
    }
    print(f"\n{json.dumps(figures, indent=1)}")
    return figures


@pytest.mark.chaos
def test_counts_are_exact_though_the_server_is_killed(tmp_path: Path) -> None:
    """Every event counts once, no pane closes early, nothing that was read is taken back."""
    with running_siege(tmp_path, "--appendonly", "yes", "--appendfsync", "always") as siege:
        siege.run(KILLS)
        connection, keys = siege.fleet.connection, siege.fleet.keys
        log, closings = read_events(connection, keys), read_closings(connection, keys, SERVICE)
        figures = tell(siege, log, closings)
        assert differing(siege) == set()
        assert_shipped_once(figures, log)
        books = account(siege)
        assert (books.committed, books.dead, books.lost, books.surplus) == (books.added, 0, 0, 0)
        assert siege.witness.steps_back == []
        assert closings.steps_back == 0
        assert (closings.early(log), closings.unfounded(log), closings.unannounced(log)) == ([], [], [])
        assert_all_happened(figures)
        siege.node.kill()
        siege.restart()
        assert differing(siege) == set(), "what was closed went with the server"


def assert_shipped_once(figures: dict[str, int], log: EventsLog) -> None:
    assert figures["written"] == figures["recorded"] == figures["shipped"] == figures["on_stream"]
    assert log.is_whole, "a batch is on the stream twice, or not at all"
    assert (figures["lost"], figures["gaps"], figures["events_late"]) == (0, 0, 0)


def assert_all_happened(figures: dict[str, int]) -> None:
    """What did not happen was not tested."""
    assert figures["server_kills"] == figures["restarts"] == KILLS
    happened = (
        "aggregator_kills",
        "commits",
        "claims",
        "appends_unanswered",
        "duplicates_turned_away",
        "panes_revised",
    )
    assert [name for name in happened if not figures[name]] == []


@pytest.mark.chaos
def test_a_server_that_keeps_nothing_miscounts_in_the_same_test(tmp_path: Path) -> None:
    """The control: without a file the same kills take events and panes away."""
    with running_siege(tmp_path, "--appendonly", "no") as siege:
        siege.run(CONTROL_KILLS)
        connection, keys = siege.fleet.connection, siege.fleet.keys
        tell(siege, read_events(connection, keys), read_closings(connection, keys, SERVICE))
        assert differing(siege) >= {f"counts of {step_ms} ms" for step_ms in STEPS_COMPARED}
        assert siege.witness.steps_back, "the cursors went with the server, and the witness did not see it"
