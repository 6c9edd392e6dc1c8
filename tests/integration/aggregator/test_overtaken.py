"""A frozen aggregator comes back to more than the stream may hold: what it counts and what is lost is what was sent."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from barograph_core.functions.library import ensure_library
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.pipeline.reader import PipelineReader
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_int, as_list
from barograph_core.steps import DEFAULT_KEEP, parse_keep
from barograph_core.store.pane_store import PaneStore
from tests.support import append, request_batch, wait_until

BOUND_BYTES = 100_000
ENTRIES, EVENTS = 3_000, 20


def test_every_event_is_counted_or_lost_and_none_is_both(valkey_url: str, keys: ShardKeys, tmp_path: Path) -> None:
    """While it reads, commits and trims at once, with entries pending from before the freeze."""
    connection = Connection.open(valkey_url)
    ensure_library(connection)
    command = [sys.executable, "-m", "barograph_aggregator", "--url", valkey_url, "--prefix", keys.prefix]
    # Entry by entry: a thousand at once would be read before the first look.
    options = ["--keep-events-bytes", str(BOUND_BYTES), "--commit-entries", "1", "--no-self-panes"]
    with (tmp_path / "aggregator.log").open("wb") as log:
        process = subprocess.Popen([*command, *options], stdout=log, stderr=log)
    try:
        wait_until(lambda: connection.command("ZCARD", keys.workers) == 1, what="the aggregator")

        def server_ms() -> int:
            return as_int(as_list(connection.command("TIME"))[0]) * 1_000

        began_ms = server_ms()
        for seq in range(1, ENTRIES + 1):
            if seq == 100:
                os.kill(process.pid, signal.SIGSTOP)
            rows = [(began_ms + number % 1_000, f"/{number % 5}", 200, 5.0) for number in range(EVENTS)]
            append(connection, keys, request_batch(rows, seq=seq), seq=seq)
        # It looks at the stream once a second: thawed, it does so before it has worked the backlog off.
        sent_ms = server_ms()
        wait_until(lambda: server_ms() > sent_ms + 1_000, what="the next look to be due")
        os.kill(process.pid, signal.SIGCONT)
        reader, store = PipelineReader(connection, keys), PaneStore(connection, keys, parse_keep(DEFAULT_KEEP))

        def is_done() -> bool:
            account = reader.read().account
            closed_ms = store.closed_through_ms("ranker") or 0
            # Closed once more after the last late event: nothing waits to be taken in.
            is_closed = closed_ms > began_ms + 1_000 and connection.command("ZCARD", keys.open) == 0
            return account is not None and account.unread == 0 == account.pending and is_closed

        wait_until(is_done, what="the backlog to be worked off")
        account = reader.read().account
        counted = sum(pane.pane.requests for pane in store.read("ranker", 1_000, began_ms - 1_000, began_ms + 2_000))
    finally:
        os.kill(process.pid, signal.SIGCONT)
        process.terminate()
        process.wait(20)
        connection.close()
    assert account is not None
    assert (account.added, account.surplus, account.lost_uncounted) == (ENTRIES, 0, 0)
    assert 0 < account.lost < ENTRIES
    assert counted == ENTRIES * EVENTS - account.lost_events == (ENTRIES - account.lost) * EVENTS
