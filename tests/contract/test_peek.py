"""baro_peek_1 on the real servers (fakeredis has no cmsgpack): streams are legible with nothing but redis-cli."""

import pytest

from barograph_core.events.encode import encode_batch, entry_fields
from barograph_core.events.kinds import KINDS
from barograph_core.functions.library import ensure_library
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_list, as_text
from tests.batches import encoded, request
from tests.support import append, request_batch


@pytest.fixture
def server(real_url: str) -> Connection:
    opened = Connection.open(real_url)
    ensure_library(opened)
    return opened


def peek(connection: Connection, stream: str, count: int = 5) -> list[list[str]]:
    reply = as_list(connection.call("baro_peek_1", [stream], [count], read_only=True))
    return [[as_text(line) for line in as_list(entry)] for entry in reply]


def test_events_are_decoded_event_by_event(server: Connection, keys: ShardKeys) -> None:
    """Time, labels and measures of each event stand in plain text."""
    append(server, keys, request_batch([(1_000, "/predict", 200, 12.5), (1_250, "/predict", 503, 40.0)]))
    ((head, *events),) = peek(server, keys.events)
    assert "kind=request service=ranker" in head
    assert events == ["1000 /predict GET 200 duration_ms=12.5", "1250 /predict GET 503 duration_ms=40"]


def test_every_measure_of_a_sample_has_its_name(server: Connection, keys: ShardKeys) -> None:
    """The function's own table of columns is that of the kinds."""
    kind = KINDS["system"]
    columns = [[float(number)] for number, _ in enumerate(kind.measures)]
    batch = encode_batch(kind, [("web-1", "host")], [0], [1_000], columns)
    append(server, keys, entry_fields(batch, service="ranker", instance="host:1:0000000000000001", seq=1, through_ms=0))
    ((_, line),) = peek(server, keys.events)
    shown = " ".join(f"{name}={number}" for number, name in enumerate(kind.measure_names))
    assert line == f"1000 web-1 host {shown}"


def test_free_labels_and_weights_stand_in_the_line(server: Connection, keys: ShardKeys) -> None:
    """A sampled request says how many it stands for."""
    batch = encoded("request", [request(1_000, 1.5, tenant="acme", weight=10), request(1_001, 2.5)])
    append(server, keys, entry_fields(batch, service="ranker", instance="host:1:0000000000000001", seq=1, through_ms=0))
    ((_, *events),) = peek(server, keys.events)
    assert events == [
        "1000 /predict GET 200 tenant acme duration_ms=1.5 weight=10",
        "1001 /predict GET 200 duration_ms=2.5",
    ]


def test_what_cannot_be_decoded_is_said_not_raised(server: Connection, keys: ShardKeys) -> None:
    """One bad entry does not hide the others."""
    server.command("XADD", keys.events, "*", "v", "1", "kind", "request", "n", "1", "data", b"\xc1")
    ((_, problem),) = peek(server, keys.events)
    assert problem.startswith("cannot be decoded")


def test_other_streams_show_their_fields(server: Connection, keys: ShardKeys) -> None:
    """The last entries, oldest first."""
    for number in (1, 2, 3):
        server.command("XADD", keys.alerts, f"{number}-0", "to", "firing")
    assert peek(server, keys.alerts, count=2) == [["2-0 to=firing"], ["3-0 to=firing"]]
