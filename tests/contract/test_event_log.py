"""The log of events over its function: each event once, whatever is lost and repeated on the way."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import pytest

from barograph_console.store.connection_pool import ConnectionPool
from barograph_console.store.ingest.event_log import AHEAD_MS, LATENESS_MS, Event, Writing
from barograph_console.store.ingest.redis_event_log import RedisEventLog
from barograph_core.alerts.actions import KeyReusedError, Once
from barograph_core.decode.batch import EventBatch, decode_batch
from barograph_core.errors import StreamUnavailableError
from barograph_core.events.kinds import KINDS
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.keyspace.layout import Layout, read_layout, spread_tags
from barograph_core.keyspace.layout_change import install_layout
from barograph_core.server.connection import Connection, read_now
from barograph_core.server.replies import as_entries, as_list, as_text

CUSTOM: Final = KINDS["custom"]
STEADY: Final = Writing("ci")


class Log:
    """The log over one connection, and what is on its streams."""

    def __init__(self, connection: Connection, keys: ShardKeys) -> None:
        self.connection, self.keys = connection, keys
        self.log = RedisEventLog(ConnectionPool(lambda: connection, size=1, wait_s=5), keys.prefix)
        self.now_ms = read_now(connection)

    def event(self, digest: bytes = b"", *, age_ms: int = 0, service: str = "web", value: float = 1.0) -> Event:
        return Event(CUSTOM, service, self.now_ms - age_ms, ("queue",), (value,), digest=digest)

    def append(self, *events: Event, writing: Writing = STEADY) -> tuple[int, int, Sequence[int], Sequence[int]]:
        receipt = self.log.append(events, writing)
        return receipt.accepted, receipt.duplicate, receipt.late, receipt.early

    def batches(self, keys: ShardKeys | None = None) -> list[EventBatch]:
        entries = as_entries(self.connection.command("XRANGE", (keys or self.keys).events, "-", "+"))
        return [decode_batch(entry.fields) for entry in entries]


@pytest.fixture
def log(connection: Connection, keys: ShardKeys) -> Log:
    return Log(connection, keys)


def once(key: str, asked: object = "") -> Writing:
    return Writing("ci", Once.of("", key, asked))


def test_events_are_appended_as_workers_read_them(log: Log) -> None:
    request = Event(
        KINDS["request"], "web", log.now_ms - 5, ("/a", "GET", 503, "pool", "gpu"), (12.5,), weight=3, digest=b"1"
    )
    model = Event(KINDS["model"], "web", log.now_ms, ("ctr", "8"), (8.0, None, -2.0, None, 1.0))
    assert log.append(request, model, replace(model, values=(9.0, None, None, None, 0.0))) == (3, 0, [], [])
    first, second = log.batches()
    assert (first.service, first.instance, first.labels) == ("web", "ingest:ci", (("/a", "GET", "pool", "gpu"),))
    assert (first.n, first.events, first.first_ms) == (1, 3, log.now_ms - 5)
    assert first.status is not None
    assert first.status.tolist() == [503]
    latency, confidence, prediction, *_ = second.columns
    assert latency is not None
    assert latency.tolist() == [8.0, 9.0]
    assert confidence is None
    assert prediction is not None
    assert prediction.tolist()[0] == -2.0


def test_what_was_sent_before_is_left_out_and_the_rest_appended(log: Log) -> None:
    assert log.append(log.event(b"1"), log.event(b"2")) == (2, 0, [], [])
    assert log.append(log.event(b"2"), log.event(b"3"), log.event()) == (2, 1, [], [])
    assert sum(batch.n for batch in log.batches()) == 4


def test_a_repetition_that_has_become_late_meanwhile_is_a_duplicate(log: Log) -> None:
    """A collector that could not reach us for ten minutes: what had arrived is not called lost."""
    log.append(log.event(b"1"))
    late = log.event(b"1", age_ms=LATENESS_MS + 10_000)
    assert log.append(late, log.event(b"2", age_ms=LATENESS_MS + 10_000)) == (0, 1, [1], [])


def test_late_and_early_events_are_counted_once_at_their_service(log: Log) -> None:
    events = [
        log.event(b"1", age_ms=LATENESS_MS + 10_000),
        log.event(b"2", age_ms=-AHEAD_MS - 60_000),
        log.event(b"3", age_ms=LATENESS_MS - 60_000),
    ]
    assert log.append(*events) == (1, 0, [0], [1])
    assert log.append(*events) == (0, 1, [0], [1])
    assert log.connection.command("HMGET", log.keys.totals("web"), "late", "future") == [b"1", b"1"]


def test_a_request_with_a_key_is_answered_as_it_was(log: Log) -> None:
    events = [log.event(), log.event(age_ms=LATENESS_MS + 10_000)]
    assert log.append(*events, writing=once("k")) == (1, 0, [1], [])
    again = log.log.append(events, once("k"))
    assert (again.accepted, again.duplicate, again.late_count) == (1, 0, 1)
    assert len(log.batches()) == 1
    with pytest.raises(KeyReusedError):
        log.append(log.event(), writing=once("k", "another body"))


def test_strict_writes_all_or_nothing(log: Log) -> None:
    late = log.event(b"2", age_ms=LATENESS_MS + 10_000)
    strict = replace(STEADY, is_strict=True)
    assert log.append(log.event(b"1"), late, writing=strict) == (0, 0, [1], [])
    assert log.batches() == []
    assert log.append(log.event(b"1"), log.event(b"2"), writing=strict) == (2, 0, [], [])
    # Sent again when it has become late: it is there.
    assert log.append(log.event(b"1"), late, writing=strict) == (0, 2, [], [])


def test_a_strict_request_with_a_key_is_answered_as_it_was_also_when_late(log: Log) -> None:
    strict = replace(once("k"), is_strict=True)
    assert log.append(log.event(), writing=strict) == (1, 0, [], [])
    assert log.append(log.event(age_ms=LATENESS_MS + 10_000), writing=strict) == (1, 0, [], [])


def test_no_producer_is_heard_of(log: Log) -> None:
    """So the watermark waits for nobody, and nobody is missed when the sender falls silent."""
    log.append(log.event(b"1"), log.event(age_ms=LATENESS_MS + 10_000), writing=once("k"))
    keys, found = log.keys, as_list(log.connection.command("KEYS", f"{log.keys.prefix}:*"))
    request = once("k").once
    assert request is not None
    written = {keys.events, keys.ingested, keys.totals("web"), keys.once(request.key)}
    assert {as_text(name) for name in found} == written


def test_events_go_to_the_shards_of_their_services(log: Log) -> None:
    install_layout(log.connection, log.keys.prefix, 3)
    layout = read_layout(log.connection, log.keys.prefix)
    services = [f"s{number}" for number in range(12)]
    assert len({layout.tag_of(service) for service in services}) == 3
    events = [log.event(b"d", service=service) for service in services]
    # One digest on three shards: an identity holds on the shard of its service.
    accepted, duplicate, *_ = log.append(*events, writing=once("k"))
    assert (accepted, duplicate) == (12, 0)
    assert [len(log.batches(keys)) for keys in layout.shards] == [
        sum(layout.tag_of(service) == keys.tag for service in services) for keys in layout.shards
    ]
    assert log.append(*events, writing=once("k"))[:2] == (12, 0)
    assert sum(len(log.batches(keys)) for keys in layout.shards) == 12


def test_what_a_failure_between_two_shards_left_is_mended_by_the_repetition(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_layout(log.connection, log.keys.prefix, 3)
    events = [log.event(service=f"s{number}") for number in range(12)]
    call, calls = Connection.call, list[str]()

    def failing(self: Connection, function: str, *args: object, **kwargs: object) -> object:
        calls.append(function)
        if calls.count("baro_ingest_1") == 2:
            # The reply is lost: it was applied.
            call(self, function, *args, **kwargs)  # type: ignore[arg-type]  # as they came
            raise StreamUnavailableError("timeout", "no reply")
        return call(self, function, *args, **kwargs)  # type: ignore[arg-type]  # as they came

    monkeypatch.setattr(Connection, "call", failing)
    with pytest.raises(StreamUnavailableError):
        log.append(*events, writing=once("k"))
    assert log.append(*events, writing=once("k"))[:2] == (12, 0)
    layout = read_layout(log.connection, log.keys.prefix)
    assert sum(batch.n for keys in layout.shards for batch in log.batches(keys)) == 12


def test_a_layout_that_changes_meanwhile_is_followed(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shards' epochs are ahead of the layout that was read: it is read again."""
    log.connection.command("SET", log.keys.epoch, 1)
    old, new = Layout(log.keys.prefix), Layout(log.keys.prefix, 1, spread_tags(1))
    found = iter([old, new])

    def read_next(_connection: Connection, _prefix: str) -> Layout:
        return next(found)

    monkeypatch.setattr("barograph_console.store.ingest.redis_event_log.read_layout", read_next)
    assert log.append(log.event()) == (1, 0, [], [])


def test_while_the_layout_is_being_changed_events_are_to_be_sent_again(log: Log) -> None:
    log.connection.command("SET", log.keys.epoch, 7)
    with pytest.raises(StreamUnavailableError, match="layout"):
        log.append(log.event(b"1"))
    assert log.batches() == []


def test_large_requests_are_split_into_batches_that_workers_decode(log: Log) -> None:
    """By number, by weight, and by the text of their labels."""
    many = [Event(CUSTOM, "web", log.now_ms, ("queue",), (float(n),)) for n in range(2_500)]
    heavy = [Event(CUSTOM, "heavy", log.now_ms, ("queue",), (1.0,), weight=1_000) for _ in range(150)]
    wide = [
        Event(CUSTOM, "wide", log.now_ms, ("queue", *(f"{k:03}{n:04}".ljust(256, "x") for k in range(32))), (1.0,))
        for n in range(200)
    ]
    assert log.append(*many, *heavy, *wide)[0] == 2_850
    sizes = {service: [b.n for b in log.batches() if b.service == service] for service in ("web", "heavy", "wide")}
    assert sizes["web"] == [1_000, 1_000, 500]
    assert sizes["heavy"] == [100, 50]
    assert sum(sizes["wide"]) == 200
    assert len(sizes["wide"]) == 3


def test_nothing_is_a_receipt_of_nothing(log: Log) -> None:
    assert log.append() == (0, 0, [], [])
