"""What status makes of a shard: lag by ids, in JSON and as a table."""

import json

from rich.console import Console

from barograph_cli.options import read_shards
from barograph_cli.status import as_document, read_shard
from barograph_cli.status_view import render_shard
from barograph_core.keys import ShardKeys
from barograph_core.settings import ServerSettings
from barograph_core.stream import Connection
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


def test_lag_is_counted_from_ids_also_after_a_trim() -> None:
    """The servers' own lag still counts what was trimmed; two entries are there to be read."""
    shard = read_shard(_with_backlog(), KEYS)
    group = shard.pipeline.streams[0].groups[0]
    assert (group.unread, group.is_capped) == (2, False)


def test_the_document_is_json_with_ids_as_text() -> None:
    document = as_document("redis://h/0", 1, [read_shard(_with_backlog(), KEYS)])
    read = json.loads(json.dumps(document))
    group = read["shards"][0]["streams"][0]["groups"][0]
    assert group["last_delivered"] == "1000-0"
    assert read["shards"][0]["dead_letters"] == 0


def test_the_table_names_each_stream_and_group() -> None:
    shard = read_shard(_with_backlog(), KEYS)
    console = Console(width=140, record=True, quiet=True)
    console.quiet = False
    with console.capture() as capture:
        console.print(render_shard(shard.tag, shard.open_panes, shard.pipeline))
    shown = capture.get()
    assert all(name in shown for name in ("events", "metrics", "alerts", "deliveries", "dead", "aggregator"))


def test_the_table_names_the_label_that_has_too_many_values() -> None:
    connection = fake_connection()
    connection.command("ZADD", KEYS.producers("ranker"), 5_000, "h:1:aa")
    connection.command("HSET", KEYS.producer("h:1:aa"), "stats", '{"folded_by": {"request.route": 17700}}')
    connection.command("HSET", KEYS.closed, "ranker", 6_000)
    shard = read_shard(connection, KEYS)
    console = Console(width=240)
    with console.capture() as capture:
        console.print(render_shard(shard.tag, shard.open_panes, shard.pipeline))
    assert "request.route=17,700" in capture.get()
    read = json.loads(json.dumps(as_document("redis://h/0", 1, [shard])))
    assert read["shards"][0]["producers"][0]["folded"] == {"request.route": 17_700}


def test_an_empty_server_has_a_status_too() -> None:
    shard = read_shard(fake_connection(), KEYS)
    assert shard.pipeline.watermark_ms is None
    assert [stream.length for stream in shard.pipeline.streams] == [0, 0, 0, 0, 0]


def test_the_installed_number_of_shards_goes_over_the_settings() -> None:
    connection = fake_connection()
    connection.command("HSET", "baro:meta", "shards", 3)
    assert len(read_shards(connection, ServerSettings(shards=1))) == 3
