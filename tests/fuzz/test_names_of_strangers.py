"""Names and figures of any bytes, where any client may have written some, at every reader of the pipeline's state."""

import io
import json
import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console

from barograph_cli.look.status_view import render_shard
from barograph_console.exposition.text_format import expose
from barograph_core.alerts.state import ServiceState
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.pipeline.document import shard_document
from barograph_core.pipeline.halt import look_for_halt
from barograph_core.pipeline.reader import PipelineReader
from barograph_core.pipeline.samples import samples
from barograph_core.server.connection import Connection
from barograph_core.server.link import Value
from barograph_core.server.replies import as_hash
from barograph_core.services.ending import ServiceEnd
from barograph_core.services.listing import list_services
from barograph_core.steps import parse_keep
from barograph_core.store.pane_store import PaneStore
from tests.fuzz.effort import effort
from tests.support import fake_connection

KEYS = ShardKeys()
STEPS = parse_keep("1s:15m,10s:2h,1m:2d,1h:90d")
EVIL = (
    *(b"\xff\xfe", b"\x1b]0;OWNED\x07\x1b[2J", b"[bold red]", b"[/]", b"a\nb", b'a"b\\c', "\u202e\u2028\x9b".encode()),
    *(b"", b"x" * 1_000, b"nan", b"inf", b"-inf", b"1e999", b"-5", b"9" * 5_000, b"0x10", "٣".encode(), b"ranker"),
    *(b"notifier:\xff", b"dropped:\xff", b"ranker:1000:0", b"ranker:1000:\xff", b"a:b:c:d", b"aggregator:\xff"),
)
STATS = (
    *(b"[" * 100_000, rb'{"dropped": {"\ud800": 1}}', b'{"sent": 1e999, "dropped": {"x": NaN, "y": 1.5}}', b"\xff"),
    *(b'{"sent": ' + b"9" * 4_000 + b', "folded_by": {"\\u001b[2J": 3}}', b'"text"', b"[1]", b'{"dropped": [1]}'),
    json.dumps({"dropped": {f"reason {number}": number for number in range(5_000)}}).encode(),
)
name = st.sampled_from(EVIL) | st.binary(max_size=40)
stats = st.sampled_from(STATS) | st.binary(max_size=80)
score = st.sampled_from(("inf", "-inf", "0", "-1", "1e300", "1700000000000"))
pairs = st.lists(st.tuples(name, name), min_size=1, max_size=4)


def fill(connection: Connection, data: st.DataObject) -> None:
    """Write what any client could, at every key that status, console and workers read."""
    draw = data.draw

    def a_hash(key: Value, *fields: str) -> None:
        found: list[Value] = [item for pair in draw(pairs) for item in pair]
        found += [item for field in fields for item in (field, draw(name | stats))]
        connection.command("HSET", key, *found)

    def a_set(key: Value) -> None:
        connection.command(
            "ZADD", key, *(item for one in draw(st.lists(name, min_size=1)) for item in (draw(score), one))
        )

    a_hash(KEYS.closed)
    connection.command("HSET", KEYS.closed, "ranker", 1_700_000_000_000)
    for key in (KEYS.producers("ranker"), KEYS.heard, KEYS.workers, KEYS.outbox("mail"), KEYS.blocks("ranker")):
        a_set(key)
    a_set(KEYS.open)
    instance, worker = draw(name), draw(name)
    connection.command("ZADD", KEYS.producers("ranker"), draw(score), instance)
    a_hash(KEYS.producer("").encode() + instance, "stats", "events_late", "events_future", "through_ms", "ahead_ms")
    connection.command("ZADD", KEYS.workers, 1_700_000_000_000, b"aggregator:" + worker)
    a_hash(KEYS.worker("aggregator", "").encode() + worker, "events_committed", "commit_ms_p50", "commit_ms_count")
    a_hash(KEYS.totals("ranker"), "late", "duplicates", "dropped:full")
    a_hash(KEYS.progress, "watermark_ms", "no_data_ms", "closer_until_ms", "dead_events:aggregator", "committed")
    a_hash(KEYS.channels, "mail:sent")
    a_hash(KEYS.state("ranker"), "version", "closed_at", "alert:a")
    connection.command("SET", KEYS.closing, draw(stats))
    for stream in (KEYS.events, KEYS.alerts):
        group = draw(name)
        connection.command("XADD", stream, "*", draw(name), draw(name))
        connection.command("XGROUP", "CREATE", stream, group, "0")
        connection.command("XREADGROUP", "GROUP", group, draw(name), "COUNT", 1, "STREAMS", stream, ">")


@effort(40)
@given(data=st.data())
def test_no_reader_fails_and_no_terminal_is_commanded(data: st.DataObject) -> None:
    """One heartbeat took /metrics, /pipeline, /services, status and ``service delete`` from everybody."""
    connection = fake_connection()
    fill(connection, data)
    status = PipelineReader(connection, KEYS).read()
    json.dumps(shard_document(status), ensure_ascii=False, allow_nan=False).encode()
    found = list(samples(status))
    assert len(found) < 2_000
    for family in text_string_to_metric_families(expose(found)):
        assert family.name.startswith("barograph_")
    expose(found, "openmetrics").encode()
    output = io.StringIO()
    Console(file=output, width=200, color_system=None).print(render_shard(status))
    assert not [one for one in output.getvalue() if unicodedata.category(one) in ("Cc", "Cf", "Cs") and one != "\n"]
    assert {one.service for one in list_services(connection, KEYS)} == set(
        PaneStore(connection, KEYS, STEPS).services()
    )
    look_for_halt(connection, KEYS)
    ServiceState.from_hash(as_hash(connection.command("HGETALL", KEYS.state("ranker"))))


@effort(20)
@given(data=st.data())
def test_a_service_is_deleted_whatever_is_in_its_lists(data: st.DataObject) -> None:
    """Keys of instances that are no UTF-8 go with it."""
    connection = fake_connection()
    fill(connection, data)
    ServiceEnd(connection, KEYS, "ranker").delete()
    own = (KEYS.producers("ranker"), KEYS.blocks("ranker"), KEYS.totals("ranker"), KEYS.state("ranker"))
    assert connection.command("EXISTS", *own) == 0
    assert connection.command("HEXISTS", KEYS.closed, "ranker") == 0
