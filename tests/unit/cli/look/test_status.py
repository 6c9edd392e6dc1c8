"""What status makes of a shard: lag by ids, in JSON and as a table."""

import json

from rich.console import Console

from barograph_cli.look.status import as_document
from barograph_cli.look.status_account import render_usage
from barograph_cli.look.status_view import render_shard
from barograph_cli.options import read_shards
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.pipeline.reader import PipelineReader
from barograph_core.pipeline.status import PipelineStatus
from barograph_core.server.connection import Connection
from barograph_core.settings.server import ServerSettings
from barograph_core.store.usage import read_service_usage
from tests.support import fake_connection

KEYS = ShardKeys()


def _with_backlog() -> Connection:
    """Return a server whose group has read one of four entries, of which the oldest two were trimmed since."""
    connection = fake_connection()
    for ms in (1_000, 2_000, 3_000, 4_000):
        connection.command("XADD", KEYS.events, f"{ms}-0", "v", "1")
    connection.command("XGROUP", "CREATE", KEYS.events, "aggregator", "0")
    connection.command("XREADGROUP", "GROUP", "aggregator", "one", "COUNT", 1, "STREAMS", KEYS.events, ">")
    connection.command("XTRIM", KEYS.events, "MINID", "3000-0")
    return connection


def read_shard(connection: Connection) -> PipelineStatus:
    return PipelineReader(connection, KEYS).read()


def test_lag_is_counted_from_ids_also_after_a_trim() -> None:
    """The servers' own lag still counts what was trimmed; two entries are there to be read."""
    shard = read_shard(_with_backlog())
    group = shard.streams[0].groups[0]
    assert (group.unread, group.is_capped) == (2, False)


def test_the_document_is_json_with_ids_as_text() -> None:
    document = as_document("redis://h/0", 1, [read_shard(_with_backlog())])
    read = json.loads(json.dumps(document))
    group = read["shards"][0]["streams"][0]["groups"][0]
    assert (group["last_delivered_id"], group["oldest_pending_id"], group["is_capped"]) == ("1000-0", "1000-0", False)
    assert read["shards"][0]["dead_letters"] == 0


def test_the_table_names_each_stream_and_group() -> None:
    shard = read_shard(_with_backlog())
    console = Console(width=140, record=True, quiet=True)
    console.quiet = False
    with console.capture() as capture:
        console.print(render_shard(shard))
    shown = capture.get()
    assert all(name in shown for name in ("events", "metrics", "alerts", "deliveries", "dead", "aggregator"))


def test_the_table_names_the_label_that_has_too_many_values() -> None:
    connection = fake_connection()
    connection.command("ZADD", KEYS.producers("ranker"), 5_000, "h:1:aa")
    connection.command("HSET", KEYS.producer("h:1:aa"), "stats", '{"folded_by": {"request.route": 17700}}')
    connection.command("HSET", KEYS.closed, "ranker", 6_000)
    shard = read_shard(connection)
    console = Console(width=240)
    with console.capture() as capture:
        console.print(render_shard(shard))
    assert "request.route=17,700" in capture.get()
    read = json.loads(json.dumps(as_document("redis://h/0", 1, [shard])))
    assert read["shards"][0]["producers"][0]["folded"] == {"request.route": 17_700}


def test_an_empty_server_has_a_status_too() -> None:
    shard = read_shard(fake_connection())
    assert shard.watermark_ms is None
    assert [stream.length for stream in shard.streams] == [0, 0, 0, 0, 0]


def test_the_installed_number_of_shards_goes_over_the_settings() -> None:
    connection = fake_connection()
    connection.command("HSET", "baro:meta", "tags", "0,5,9")
    assert len(read_shards(connection, ServerSettings(shards=1))) == 3


def test_the_books_are_shown_with_what_was_lost() -> None:
    """One entry was read, one was trimmed before anybody read it, and two wait: the sum comes out, in both forms."""
    shard = read_shard(_with_backlog())
    read = json.loads(json.dumps(as_document("redis://h/0", 1, [shard])))["shards"][0]["account"]
    figures = [read[name] for name in ("added", "committed", "dead", "lost", "pending", "unread", "surplus")]
    assert figures == [4, 0, 0, 1, 1, 2, 0]
    shown = _shown(shard)
    assert "4 added = 0 committed + 0 dead + 1 lost + 1 pending + 2 unread" in shown
    assert "1 entry that somebody else trimmed, deleted or flushed" in shown


def test_the_store_is_shown_step_by_step_with_what_was_dropped() -> None:
    connection = fake_connection()
    held = {
        "bytes:1000": 5_000_000,
        "blocks:1000": 90,
        "bytes:10000": 700,
        "blocks:10000": 1,
        "bound_bytes": 6_000_000,
    }
    dropped = {"dropped_blocks:1000": 12, "dropped_bytes:1000": 80_000, "kept_from_ms:1000": 1_000}
    connection.command("HSET", KEYS.store, *(item for pair in (held | dropped).items() for item in pair))
    shard = read_shard(connection)
    store = json.loads(json.dumps(as_document("redis://h/0", 1, [shard])))["shards"][0]["store"]
    assert (store["bytes"], store["bound_bytes"], store["steps"][0]["dropped_blocks"]) == (5_000_700, 6_000_000, 12)
    shown = _shown(shard)
    assert "5.00 MB of 6.00 MB" in shown
    assert "12 (80.0 kB)" in shown


def test_memory_is_told_by_service_step_and_series() -> None:
    """The largest first; a block holds all series of a service, so a series has the mean."""
    connection = fake_connection()
    connection.command("HSET", KEYS.weights, "ranker:1000:0", 300, "ranker:1000:10000", 500, "ranker:10000:0", 50)
    connection.command("HSET", KEYS.weights, "other:1000:0", 4_000)
    connection.command("ZADD", KEYS.series("ranker"), 1, "a", 1, "b")
    usage = read_service_usage(connection, KEYS)
    assert [(row.service, row.step_ms, row.bytes, row.blocks, row.bytes_per_series) for row in usage] == [
        ("other", 1_000, 4_000, 1, None),
        ("ranker", 1_000, 800, 2, 400.0),
        ("ranker", 10_000, 50, 1, 25.0),
    ]
    document = as_document("redis://h/0", 1, [read_shard(connection)], {"0": usage})
    services = json.loads(json.dumps(document))["shards"][0]["memory"]
    assert services[1] == {
        "service": "ranker",
        "step_ms": 1_000,
        "bytes": 800,
        "blocks": 2,
        "series": 2,
        "bytes_per_series": 400.0,
    }
    console = Console(width=140)
    with console.capture() as capture:
        console.print(render_usage("0", usage))
    assert "4.00 kB" in capture.get()


def _shown(shard: PipelineStatus) -> str:
    console = Console(width=160)
    with console.capture() as capture:
        console.print(render_shard(shard))
    return capture.get()
