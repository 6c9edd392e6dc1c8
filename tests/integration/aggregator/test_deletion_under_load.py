"""A service is deleted again and again while an aggregator works on its events: what came after counts, exactly."""

from pathlib import Path

from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import EntryId, as_int, as_list, as_text
from barograph_core.services.ending import ServiceEnd
from barograph_core.steps import DEFAULT_KEEP, parse_keep
from barograph_core.store.pane_store import PaneStore
from tests.integration.pipeline import Pipeline, running_pipeline
from tests.support import append, request_batch, wait_until

ROUNDS = 400
DELETIONS = (97, 198, 299)
INSTANCE = "host:1:00000000000000aa"


def now_ms(connection: Connection) -> int:
    seconds, micros = map(as_int, as_list(connection.command("TIME")))
    return seconds * 1_000 + micros // 1_000


def requests(connection: Connection, keys: ShardKeys, service: str, step_ms: int, from_ms: int) -> int:
    store = PaneStore(connection, keys, parse_keep(DEFAULT_KEEP))
    first = from_ms - from_ms % step_ms
    return sum(pane.pane.requests for pane in store.read(service, step_ms, first, now_ms(connection)))


def is_done(pipeline: Pipeline) -> bool:
    """Say whether everything is committed and closed."""
    connection, keys = pipeline.connection, pipeline.keys
    pending = as_int(as_list(connection.command("XPENDING", keys.events, "aggregator"))[0])
    members = map(as_text, as_list(connection.command("ZRANGE", keys.open, 0, -1)))
    waiting = [member for member in members if not member.startswith("barograph:")]
    return pending == 0 and not waiting


def test_deleting_under_load_leaves_exactly_what_came_after(valkey_url: str, keys: ShardKeys, tmp_path: Path) -> None:
    """Of the service that was deleted, what came after the last deletion; of the other everything."""
    with running_pipeline(valkey_url, keys, tmp_path, "") as pipeline:
        connection = pipeline.connection
        end = ServiceEnd(connection, keys, "ranker")
        began_ms = now_ms(connection) - 2_000
        newest: list[EntryId] = []
        deleted = EntryId(0, 0)
        for seq in range(1, ROUNDS + 1):
            for service in ("ranker", "other"):
                at_ms = now_ms(connection) - seq % 7 * 100
                fields = request_batch([(at_ms, "/a", 200, 5.0)] * 3, service=service, seq=seq)
                reply = append(connection, keys, fields, service=service, instance=f"{INSTANCE}{service}", seq=seq)
                if service == "ranker":
                    newest.append(EntryId.parse(reply[1]))
            if seq in DELETIONS:
                deleted = end.delete().entry_id
        wait_until(lambda: is_done(pipeline), timeout_s=30, what="the last pane")
        wait_until(lambda: end.finish_deletion() is None, what="the end of the deletion")
        after = 3 * sum(entry_id > deleted for entry_id in newest)
        assert requests(connection, keys, "ranker", 1_000, began_ms) == after
        assert requests(connection, keys, "other", 1_000, began_ms) == 3 * ROUNDS
        assert after == 3 * (ROUNDS - DELETIONS[-1])
