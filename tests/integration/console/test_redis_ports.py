"""The console's ports on a real server: figures, alerts, resolving, readiness."""

import threading
from dataclasses import replace

import pytest

from barograph_console.store.connection_pool import ConnectionPool
from barograph_console.store.ports import HistoryFilter, ReadinessProblem
from barograph_console.store.redis_alerts import RedisAlerts
from barograph_console.store.redis_ports import RedisHealth, RedisPanes
from barograph_core.alerts.actions import AlertConflictError
from barograph_core.alerts.by_hand import HandChange, resolve_by_hand
from barograph_core.alerts.record import AlertRecord, AlertState
from barograph_core.alerts.transition import transition_of
from barograph_core.functions.library import ensure_library
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.keyspace.layout import Layout, LayoutView
from barograph_core.pipeline.closing import StuckClosing, pack_stuck
from barograph_core.server.connection import Connection, read_now
from barograph_core.server.replies import EntryId, as_entries, as_text
from barograph_core.silences.book import SilenceBook
from barograph_core.silences.silence import parse_matchers
from tests.integration.console.conftest import ClientAt
from tests.support import FakeClock, valkey_server
from tests.unit.console.fakes import ALERT_ID, NOW_MS, STEPS, panes_of, record, requests
from tests.unit.core.silences.samples import SILENCE

SERVICE = "ranker"


@pytest.fixture
def alerts(pool: ConnectionPool, keys: ShardKeys, real: Connection) -> RedisAlerts:
    real.command("HSET", keys.closed, SERVICE, NOW_MS)
    return RedisAlerts(pool, LayoutView(keys.prefix, FakeClock()))


def hold(connection: Connection, keys: ShardKeys) -> None:
    """Lay a firing alert into the state as the alerter leaves it, with its cooldown key."""
    firing = record()
    connection.command("HSET", keys.state(SERVICE), "version", 7, f"alert:{ALERT_ID}", firing.to_json())
    connection.command("HSET", keys.quiet(ALERT_ID), "hook", "1 error 300000 1 firing")


def resolving(record: AlertRecord) -> HandChange:
    return resolve_by_hand(record, actor="ada", note="", now_ms=NOW_MS)


def announce(connection: Connection, keys: ShardKeys, number: int, *, service: str = SERVICE) -> str:
    transition = transition_of(
        record(number=number, service=service), before=AlertState.PENDING, at_ms=NOW_MS, notify=True
    )
    return as_text(connection.command("XADD", keys.alerts, f"{number}-0", *transition.to_fields()))


def test_a_query_reads_the_panes_that_an_aggregator_wrote(
    real: Connection, client_at: ClientAt, keys: ShardKeys
) -> None:
    """From the stored blocks to the points, over HTTP."""
    rows = [(NOW_MS - 5_000 + 10 * number, "/predict", 500 if number % 10 == 0 else 200, 1.0) for number in range(400)]
    for stored in panes_of([requests(*rows)]):
        start = stored.start_ms
        real.command(
            *("HSET", keys.panes(SERVICE, 1_000, start - start % 10_000)),
            *(str(start), stored.pane.pack(), f"r{start}", 0, f"m{start}", 0),
        )
    real.command("HSET", keys.closed, SERVICE, NOW_MS)
    client = client_at(FakeClock(NOW_MS))
    points = client.get(f"/api/v1/query?service={SERVICE}&from=-10s&step=1").json()["series"][0]["points"]
    assert [(point["count"], point["errors"]) for point in points] == [(100, 10)] * 4
    assert client.get(f"/api/v1/current?service={SERVICE}").json()["requests"] == 400
    assert client.get("/readyz").status_code == 200


def test_a_query_passes_over_panes_that_were_dropped_to_make_room(
    real: Connection, pool: ConnectionPool, keys: ShardKeys
) -> None:
    """Read where they are gone, they would look like panes without events: a coarser step answers."""
    panes = RedisPanes(pool, LayoutView(keys.prefix, FakeClock()), STEPS)
    before = [step.keep_ms for step in panes.retention(SERVICE, NOW_MS).steps]
    real.command("HSET", keys.store, "kept_from_ms:1000", NOW_MS - 650_000, "kept_from_ms:10000", NOW_MS - 700_000)
    after = [step.keep_ms for step in panes.retention(SERVICE, NOW_MS).steps]
    assert before == [step.keep_ms for step in STEPS]
    assert after == [650_000, 700_000, *before[2:]]


def test_figures_are_settled_once_no_late_event_can_reach_them(
    real: Connection, pool: ConnectionPool, keys: ShardKeys
) -> None:
    """As the watermark and the aggregator's own bound on lateness say; nobody knows it of an earlier aggregator."""
    panes = RedisPanes(pool, LayoutView(keys.prefix, FakeClock()), STEPS)
    real.command("HSET", keys.progress, "watermark_ms", NOW_MS)
    assert panes.settled_ms(SERVICE) is None
    real.command("HSET", keys.progress, "lateness_ms", 600_000)
    assert panes.settled_ms(SERVICE) == NOW_MS - 660_000


def test_resolving_moves_state_stream_and_cooldown_together(
    alerts: RedisAlerts, real: Connection, keys: ShardKeys
) -> None:
    """One call: a muted record, an entry with the actor, the cooldown key gone, the version raised."""
    hold(real, keys)
    applied = alerts.change(ALERT_ID, resolving, None)
    entry = as_entries(real.command("XRANGE", keys.alerts, "-", "+"))[0]
    assert (entry.text("transition"), entry.text("to"), entry.text("actor")) == (
        applied.transition,
        "resolved",
        "ada",
    )
    assert applied.record is not None
    assert applied.record.is_muted
    assert real.command("HGET", keys.state(SERVICE), "version") == b"8"
    assert real.command("EXISTS", keys.quiet(ALERT_ID)) == 0
    assert not [one for one in alerts.records([SERVICE]) if one.is_active]


def test_an_alert_is_read_once_while_it_stays_as_it_is(alerts: RedisAlerts, real: Connection, keys: ShardKeys) -> None:
    """In a storm of thousands most are as they were a second ago; one that changed is read again."""
    hold(real, keys)
    announce(real, keys, 1)
    (first,), (again,) = alerts.records([SERVICE]), alerts.records([SERVICE])
    assert first is again
    entries = [alerts.history(before=None, limit=5, service=SERVICE).entries[0].transition for _ in range(2)]
    assert entries[0] is entries[1]
    real.command("HSET", keys.state(SERVICE), f"alert:{ALERT_ID}", record(value=0.75).to_json())
    assert [one.value for one in alerts.records([SERVICE])] == [0.75]


def test_a_cooldown_ends_when_the_first_channels_does(alerts: RedisAlerts, real: Connection, keys: ShardKeys) -> None:
    """By the server's clock; an alert without one, and a cooldown that has lapsed, hold nothing back."""
    hold(real, keys)
    assert alerts.quiet_until(SERVICE, ALERT_ID) is None
    until_ms = read_now(real) + 240_000
    for channel, end_ms in (("hook", until_ms), ("mail", until_ms + 1_000)):
        real.command("HSET", keys.quiet(ALERT_ID), channel, f"{end_ms} error 300000 1 firing")
    assert alerts.quiet_until(SERVICE, ALERT_ID) == until_ms
    assert alerts.quiet_until(SERVICE, "f" * 16) is None


def test_of_many_who_resolve_at_once_one_does(alerts: RedisAlerts, real: Connection, keys: ShardKeys) -> None:
    """The version check leaves one entry on the stream; the others learn that it is over."""
    hold(real, keys)
    barrier = threading.Barrier(3)
    outcomes: list[str] = []

    def resolve() -> None:
        barrier.wait()
        try:
            alerts.change(ALERT_ID, resolving, None)
            outcomes.append("resolved")
        except AlertConflictError:
            outcomes.append("conflict")

    threads = [threading.Thread(target=resolve) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["conflict", "conflict", "resolved"]
    assert real.command("XLEN", keys.alerts) == 1


def test_history_goes_back_page_by_page_through_other_services(
    alerts: RedisAlerts, real: Connection, keys: ShardKeys
) -> None:
    """A service's few entries are found among many of others, and an unreadable one is passed over."""
    for number in range(1, 701):
        announce(real, keys, number, service="other" if number % 100 else SERVICE)
    real.command("XADD", keys.alerts, "701-0", "nonsense", 1)
    first = alerts.history(before=None, limit=3, service=SERVICE)
    second = alerts.history(before=first.next_before, limit=10, service=SERVICE)
    assert [entry.id.ms for entry in first.entries + second.entries] == [700, 600, 500, 400, 300, 200, 100]
    assert second.next_before is None
    assert len(alerts.history(before=None, limit=500, service="").entries) == 500


def test_nothing_is_older_than_the_first_id_of_all(
    client_at: ClientAt, alerts: RedisAlerts, real: Connection, keys: ShardKeys
) -> None:
    """An empty page; the server would refuse the range as no range at all."""
    announce(real, keys, 1)
    assert alerts.history(before=EntryId(0, 0), limit=10, service="").entries == ()
    client = client_at(FakeClock(NOW_MS))
    for before in ("0", "0-0", "00-0"):
        answer = client.get(f"/api/v1/alerts/history?before={before}")
        assert (answer.status_code, answer.json()) == (200, {"entries": [], "silences": [], "next_before": None})
    assert [entry.id.ms for entry in alerts.history(before=EntryId(1, 1), limit=10, service="").entries] == [1]


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 8])
def test_history_of_several_shards_gives_every_entry_once(
    pool: ConnectionPool, real: Connection, keys: ShardKeys, limit: int
) -> None:
    """Two shards may give an entry the same id: then both stand on one page, which is longer by one."""
    shards = [ShardKeys(prefix=keys.prefix, tag=tag) for tag in ("0", "5", "9")]
    real.command("HSET", f"{keys.prefix}:meta", "tags", ",".join(shard.tag for shard in shards))
    for shard, numbers in zip(shards, ((1, 2, 3, 4, 5), (2, 3, 5), (3, 5, 6)), strict=True):
        for number in numbers:
            announce(real, shard, number, service=f"of-{shard.tag}")
    alerts = RedisAlerts(pool, LayoutView(keys.prefix, FakeClock()))
    seen: list[tuple[int, str]] = []
    page = alerts.history(before=None, limit=limit, service="")
    seen += [(entry.id.ms, entry.transition.service) for entry in page.entries]
    while page.next_before is not None:
        page = alerts.history(before=page.next_before, limit=limit, service="")
        seen += [(entry.id.ms, entry.transition.service) for entry in page.entries]
    assert [number for number, _ in seen] == [6, 5, 5, 5, 4, 3, 3, 3, 2, 2, 1]
    assert len(set(seen)) == 11


def test_history_has_what_people_did_to_silences(
    pool: ConnectionPool, real: Connection, keys: ShardKeys, client_at: ClientAt
) -> None:
    """Who, when and what was meant, once although it stands on every shard, and found by who did it."""
    shards = [ShardKeys(prefix=keys.prefix, tag=tag) for tag in ("0", "5")]
    real.command("HSET", f"{keys.prefix}:meta", "tags", ",".join(shard.tag for shard in shards))
    real.command("HSET", shards[0].closed, SERVICE, NOW_MS)
    book = SilenceBook(real, Layout(keys.prefix, tags=("0", "5")))
    now_ms = read_now(real)
    draft = replace(SILENCE, matchers=parse_matchers(["service=ranker", "route=/a"]), starts_ms=now_ms)
    added = book.add(replace(draft, ends_ms=now_ms + 60_000, actor="ann", comment="release"), now_ms)
    book.end(added.silence_id, actor="bob", note="done", now_ms=now_ms + 5)
    announce(real, shards[0], now_ms + 60_000)
    alerts = RedisAlerts(pool, LayoutView(keys.prefix, FakeClock()))

    def changes(service: str = "", rule: str = "", alert_id: str = "", actor: str = "") -> list[tuple[str, str, str]]:
        page = alerts.history(before=None, limit=10, service=service, only=HistoryFilter(rule, alert_id, actor))
        return [(one.entry.change, one.entry.actor, one.entry.note) for one in page.silences]

    both = [("ended", "bob", "done"), ("added", "ann", "release")]
    assert changes() == both
    assert changes(actor="bob") == both[:1]
    assert changes(SERVICE) == both
    assert changes("other") == changes(rule="slow") == changes(alert_id=ALERT_ID) == []
    page = alerts.history(before=None, limit=2, service="")
    assert (len(page.entries), len(page.silences)) == (1, 1)
    (row,) = client_at(FakeClock(NOW_MS)).get("/api/v1/alerts/history?actor=ann").json()["silences"]
    assert (row["change"], row["actor"], row["note"], row["silence_id"]) == (
        *("added", "ann", "release"),
        added.silence_id,
    )
    assert row["matchers"] == ['service="ranker"', 'route="/a"']


def test_counts_over_a_span_come_from_the_stream(alerts: RedisAlerts, real: Connection, keys: ShardKeys) -> None:
    """Firings and resolutions since a time; reminders are no new firings."""
    for number in range(1, 6):
        announce(real, keys, number)
    firing = record()
    reminder = transition_of(firing, before=AlertState.FIRING, at_ms=NOW_MS, notify=True, reason="reminder")
    real.command("XADD", keys.alerts, "6-0", *reminder.to_fields())
    counts = alerts.count_since(3)
    assert (counts.fired, counts.resolved, counts.is_capped) == (3, 0, False)


def test_readiness_on_a_server_that_changes() -> None:
    """No library, then ready, then out of memory, then gone: each is told from the others."""
    clock = FakeClock(NOW_MS)
    found: list[list[ReadinessProblem]] = []
    with valkey_server() as url:
        pool = ConnectionPool(lambda: Connection.open(url, socket_timeout_s=1.0), size=1, wait_s=1.0)
        health = RedisHealth(pool, LayoutView("baro", clock), clock)

        def ask() -> None:
            clock.advance(1_000)
            found.append(health.problems())

        ask()
        with pool.borrow() as connection:
            ensure_library(connection)
        ask()
        with pool.borrow() as connection:
            connection.command("CONFIG", "SET", "maxmemory", "1")
        ask()
    ask()
    pool.close()
    assert found == [
        [ReadinessProblem("no_library", "no_library")],
        [],
        [ReadinessProblem("refuses", "out_of_memory")],
        [ReadinessProblem("gone", "unreachable")],
    ]


def test_a_server_that_drops_keys_is_not_ready() -> None:
    """An evicting policy makes figures wrong in silence: red from the start, not only when memory is full."""
    clock = FakeClock(NOW_MS)
    with valkey_server(maxmemory=500_000_000) as url:
        pool = ConnectionPool(lambda: Connection.open(url, socket_timeout_s=1.0), size=1, wait_s=1.0)
        health = RedisHealth(pool, LayoutView("baro", clock), clock)
        with pool.borrow() as connection:
            ensure_library(connection)
        before = health.problems()
        with pool.borrow() as connection:
            connection.command("CONFIG", "SET", "maxmemory-policy", "volatile-lru")
        clock.advance(1_000)
        after = health.problems()
        pool.close()
    assert (before, after) == ([], [ReadinessProblem("evicts", "can_evict")])


def test_a_pipeline_that_stands_still_is_not_ready(real: Connection, pool: ConnectionPool, keys: ShardKeys) -> None:
    """Neither without aggregators nor with one that does not close everything; before the first ran, all is well."""
    clock = FakeClock(NOW_MS)
    health = RedisHealth(pool, LayoutView(keys.prefix, clock), clock)
    found: list[list[str]] = []

    def ask() -> None:
        clock.advance(1_000)
        found.append([problem.kind for problem in health.problems()])

    ask()
    now_ms = read_now(real)
    real.command("HSET", keys.progress, "watermark_ms", now_ms, "closer_until_ms", now_ms + 1_000)
    ask()
    real.command("SET", keys.closing, pack_stuck([StuckClosing("ranker", 1_000, 5_000, 45_000, 2, "foreign data")]))
    ask()
    real.command("HSET", keys.progress, "closer_until_ms", now_ms - 31_000)
    ask()
    assert found == [[], [], ["stuck"], ["no_aggregator"]]
