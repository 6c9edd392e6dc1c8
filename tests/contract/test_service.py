"""baro_retire_1, baro_delete_1, baro_deleted_1, baro_purge_1: a service ends in one step, while workers run."""

import pytest

from barograph_core.alerts.record import AlertRecord, AlertState, Severity
from barograph_core.alerts.transition import Transition
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import Entry, EntryId, as_entries, as_hash, as_int, as_list, as_text
from barograph_core.services.ending import ServiceEnd, Waiting, retire_call
from tests.support import append, request_batch, stream_ids

GROUP = "aggregator"
KEEP_MS = 3_600_000
INSTANCE = "host:1:0000000000000001"


@pytest.fixture
def end(connection: Connection, keys: ShardKeys) -> ServiceEnd:
    return ServiceEnd(connection, keys, "ranker")


def list_service(connection: Connection, keys: ShardKeys, service: str = "ranker", heard_ms: int = 5_000) -> None:
    connection.command("HSET", keys.closed, service, heard_ms)
    connection.command("ZADD", keys.heard, heard_ms, service)
    connection.command("ZADD", keys.series(service), 1, '["request", "/a", "GET"]')


def send(connection: Connection, keys: ShardKeys, *, seq: int = 1, service: str = "ranker") -> EntryId:
    fields = request_batch([(1_000, "/secret", 200, 5.0)], seq=seq, service=service)
    return EntryId.parse(append(connection, keys, fields, seq=seq, service=service, through_ms=2_000)[1])


def read_all(connection: Connection, keys: ShardKeys) -> list[str]:
    connection.command("XGROUP", "CREATE", keys.events, GROUP, "0", "MKSTREAM")
    connection.command("XREADGROUP", "GROUP", GROUP, "mine", "STREAMS", keys.events, ">")
    return [str(entry_id) for entry_id in stream_ids(connection, keys.events)]


def alert(connection: Connection, keys: ShardKeys, state: AlertState) -> AlertRecord:
    record = AlertRecord(
        alert_id=f"{len(state):016x}",
        rule="high-error-rate",
        service="ranker",
        labels={"route": "/secret"},
        severity=Severity.ERROR,
        state=state,
        episode_ms=1_000,
        changed_at_ms=2_000,
        breached_to_ms=2_000,
    )
    fields = ("version", 7, "closed_at", 5_000, f"alert:{record.alert_id}", record.to_json())
    connection.command("HSET", keys.state("ranker"), *fields)
    return record


def told_of_endings(connection: Connection, keys: ShardKeys) -> dict[str, bytes]:
    """Return what is left in ``progress``, without when places were last freed: it is there where any were."""
    progress = as_hash(connection.command("HGETALL", keys.progress))
    assert ("places_freed_ms" in progress) == ("series_dropped" in progress)
    return {name: value for name, value in progress.items() if name != "places_freed_ms"}


def all_keys(connection: Connection, keys: ShardKeys) -> list[str]:
    return sorted(as_text(name) for name in as_list(connection.command("KEYS", f"{keys.prefix}:*")))


def test_a_retired_service_leaves_the_lists(connection: Connection, keys: ShardKeys, end: ServiceEnd) -> None:
    """No tick names it, nobody waits for its producers; its panes stay."""
    list_service(connection, keys)
    append(connection, keys, {}, mode="heartbeat", seq=0, through_ms=5_000)
    connection.command("HSET", keys.panes("ranker", 1_000, 0), "1000", b"pane")
    assert end.retire(EntryId(0, 0)) is None
    assert told_of_endings(connection, keys) == {"series_dropped": b"1", "retired:ranker": b"5000"}
    gone = (keys.closed, keys.heard, keys.producers("ranker"), keys.series("ranker"), keys.state("ranker"))
    assert connection.command("EXISTS", *gone) == 0
    assert connection.command("EXISTS", keys.panes("ranker", 1_000, 0)) == 1
    (entry,) = as_entries(connection.command("XRANGE", keys.metrics, "-", "+"))
    assert entry.fields == {b"type": b"retired", b"service": b"ranker"}


def test_retiring_waits_for_what_was_sent_before(connection: Connection, keys: ShardKeys, end: ServiceEnd) -> None:
    """An entry that is still to be committed would bring the service back."""
    list_service(connection, keys)
    until = send(connection, keys)
    ids = read_all(connection, keys)
    assert end.retire(until) == Waiting(oldest=until)
    connection.command("XACK", keys.events, GROUP, *ids)
    connection.command("ZADD", keys.open, 2_000, "ranker:1000:1000", 2_000, "ranker2:1000:1000")
    assert end.retire(until) == Waiting(open_panes=1)
    connection.command("ZREM", keys.open, "ranker:1000:1000")
    assert end.retire(until) is None


def test_a_firing_alert_of_a_retired_service_is_resolved_and_says_why(
    connection: Connection, keys: ShardKeys, end: ServiceEnd
) -> None:
    """Nothing would ever resolve it: nobody judges the service any more."""
    list_service(connection, keys)
    firing = alert(connection, keys, AlertState.FIRING)
    alert(connection, keys, AlertState.PENDING)
    connection.command("HSET", keys.quiet(firing.alert_id), "hook", "1 error 300000 1 firing")
    end.retire(EntryId(0, 0))
    assert end.end_alerts("ops", 9_000) == 2
    end.retire(EntryId(0, 0))
    entries = as_entries(connection.command("XRANGE", keys.alerts, "-", "+"))
    told = sorted((t.before, t.after, t.notify, t.reason, t.actor) for t in map(_transition, entries))
    assert told == [
        (AlertState.FIRING, AlertState.RESOLVED, True, "service_retired", "ops"),
        (AlertState.PENDING, AlertState.INACTIVE, False, "service_retired", "ops"),
    ]
    assert connection.command("EXISTS", keys.state("ranker"), keys.quiet(firing.alert_id)) == 0


def _transition(entry: Entry) -> Transition:
    return Transition.from_fields(entry.fields)


def retire_idle(connection: Connection, keys: ShardKeys, idle_before_ms: int) -> str:
    call = retire_call(keys, GROUP, "ranker", idle_before_ms=idle_before_ms, keep_metrics_ms=KEEP_MS)
    return as_text(as_list(connection.command(*call))[0])


def test_a_service_that_was_silent_for_long_retires_by_itself(connection: Connection, keys: ShardKeys) -> None:
    """Neither an event nor a producer: the list of services does not grow for ever."""
    list_service(connection, keys, heard_ms=5_000)
    append(connection, keys, {}, mode="heartbeat", seq=0, through_ms=6_000)
    assert retire_idle(connection, keys, 5_000) == "alive"  # heard of at that very time
    assert retire_idle(connection, keys, 6_000) == "alive"  # its producer was
    assert retire_idle(connection, keys, 6_001) == "ok"
    assert connection.command("EXISTS", keys.closed, keys.heard, keys.producers("ranker")) == 0


def test_a_service_with_an_alert_does_not_retire_by_itself(connection: Connection, keys: ShardKeys) -> None:
    """That would end the alert without anybody having seen to it."""
    list_service(connection, keys)
    alert(connection, keys, AlertState.FIRING)
    assert retire_idle(connection, keys, 9_000) == "alive"


def test_a_deleted_service_leaves_no_key(connection: Connection, keys: ShardKeys, end: ServiceEnd) -> None:
    """Panes, roll-ups, parts, series, producers, their reports, alert state, cooldowns, outboxes, markers."""
    list_service(connection, keys)
    append(connection, keys, {}, mode="heartbeat", seq=0, through_ms=5_000)
    firing = alert(connection, keys, AlertState.FIRING)
    connection.command("HSET", keys.quiet(firing.alert_id), "hook", "1 error 300000 1 firing")
    connection.command("XGROUP", "CREATE", keys.alerts, "notifier:hook", "0", "MKSTREAM")
    connection.command("HSET", keys.outbox_items("hook", firing.alert_id), "1-0", "{}")
    connection.command("RPUSH", keys.parts("ranker", 1_000), b"part")
    connection.command("ZADD", keys.open, 2_000, "ranker:1000:1000")
    connection.command("RPUSH", keys.rollup_parts("ranker", 10_000, 0), b"part")
    connection.command("ZADD", keys.rollups, 10_000, "ranker:10000:0")
    connection.command("HSET", keys.panes("ranker", 1_000, 0), "1000", b"pane")
    connection.command("ZADD", keys.blocks("ranker"), 10**13, "1000:0")
    connection.command("HSET", keys.markers("ranker"), "ci:1", "{}")
    deleted = end.delete()
    assert (deleted.entry_id, deleted.keys) == (EntryId(0, 0), 11)
    assert end.finish_deletion() is None
    # The producer lives: without its last number it would send batches a second time.
    assert all_keys(connection, keys) == sorted([keys.alerts, keys.progress, keys.sequence(INSTANCE)])
    assert told_of_endings(connection, keys) == {"deletions": b"1", "series_dropped": b"1"}


def test_other_services_keep_everything(connection: Connection, keys: ShardKeys, end: ServiceEnd) -> None:
    """Also one whose name begins alike."""
    for service in ("ranker", "ranker2"):
        list_service(connection, keys, service)
        connection.command("RPUSH", keys.parts(service, 1_000), b"part")
        connection.command("ZADD", keys.open, 2_000, f"{service}:1000:1000")
    end.delete()
    assert connection.command("HKEYS", keys.closed) == [b"ranker2"]
    assert connection.command("ZRANGE", keys.open, 0, -1) == [b"ranker2:1000:1000"]
    assert connection.command("EXISTS", keys.parts("ranker2", 1_000), keys.series("ranker2")) == 2


def commit(connection: Connection, keys: ShardKeys, ids: list[str], service: str = "ranker") -> list[str]:
    reply = connection.call(
        "baro_commit_1",
        [keys.events, keys.open, keys.progress, keys.metrics, keys.parts(service, 1_000)],
        [GROUP, "mine", 1_000, 1, 0, KEEP_MS, len(ids), *ids, service, 1_000, b"part"],
    )
    return [as_text(item) for item in as_list(reply)]


def test_a_commit_under_way_does_not_bring_a_deleted_service_back(
    connection: Connection, keys: ShardKeys, end: ServiceEnd
) -> None:
    """An aggregator that has read its events learns of the deletion; other services' events it may commit."""
    last = send(connection, keys)
    ids = read_all(connection, keys)
    assert end.delete().entry_id == last
    assert commit(connection, keys, ids) == ["deleted", "ranker", str(last)]
    assert connection.command("EXISTS", keys.open, keys.parts("ranker", 1_000)) == 0
    assert end.finish_deletion() == Waiting(oldest=last)
    assert commit(connection, keys, ids, "other") == ["ok"]


def test_events_after_the_deletion_begin_the_service_anew(
    connection: Connection, keys: ShardKeys, end: ServiceEnd
) -> None:
    """Only what came before is gone."""
    send(connection, keys)
    first = read_all(connection, keys)
    end.delete()
    newer = send(connection, keys, seq=2)
    connection.command("XREADGROUP", "GROUP", GROUP, "mine", "STREAMS", keys.events, ">")
    assert commit(connection, keys, [str(newer)]) == ["ok"]
    assert commit(connection, keys, first)[0] == "deleted"


def test_a_deletion_ends_when_nothing_older_is_on_its_way(
    connection: Connection, keys: ShardKeys, end: ServiceEnd
) -> None:
    """What was written meanwhile without knowing of it goes then: series, alert state."""
    send(connection, keys)
    ids = read_all(connection, keys)
    end.delete()
    connection.command("ZADD", keys.series("ranker"), 1, '["request", "/secret", "GET"]')
    alert(connection, keys, AlertState.PENDING)
    connection.command("XACK", keys.events, GROUP, *ids)
    assert end.finish_deletion() is None
    assert connection.command("EXISTS", keys.series("ranker"), keys.state("ranker")) == 0
    assert told_of_endings(connection, keys) == {"deletions": b"1", "series_dropped": b"1"}


def test_a_key_that_comes_into_being_meanwhile_is_not_forgotten(connection: Connection, keys: ShardKeys) -> None:
    """The deletion compares what it was told of with what is there."""
    list_service(connection, keys)
    connection.command("ZADD", keys.blocks("ranker"), 10**13, "1000:0")
    names = [keys.events, keys.closed, keys.open, keys.rollups, keys.progress, keys.heard, keys.producers("ranker")]
    names += [keys.series("ranker"), keys.state("ranker"), keys.blocks("ranker")]
    assert connection.call("baro_delete_1", names, ["ranker"]) == [b"changed", b"1000:0"]
    assert connection.command("HEXISTS", keys.closed, "ranker") == 1


def test_a_living_producer_is_not_made_to_send_again(connection: Connection, keys: ShardKeys, end: ServiceEnd) -> None:
    """What it was confirmed stays, so that its next batch is its next batch."""
    send(connection, keys)
    end.delete()
    assert as_int(connection.command("GET", keys.sequence(INSTANCE))) == 1
    assert send(connection, keys, seq=2) > EntryId(0, 0)


def test_entries_of_a_service_are_found_and_deleted_on_every_stream(
    connection: Connection, keys: ShardKeys, end: ServiceEnd
) -> None:
    """In steps; hints that name others beside it stay, for they tell of others."""
    for number in range(1_200):
        service = "ranker" if number % 3 == 0 else "other"
        connection.command("XADD", keys.events, f"{number + 1}-0", "service", service, "instance", INSTANCE)
    found = end.search(keys.events, EntryId(601, 0))
    assert (found.entries, found.instances) == (201, {INSTANCE})
    assert end.search(keys.events, is_deleting=True).entries == 400
    assert connection.command("XLEN", keys.events) == 800
    connection.command("XADD", keys.metrics, "*", "type", "closed", "service", "other,ranker")
    assert end.search(keys.metrics, is_deleting=True).entries == 0


def test_deliveries_and_dead_letters_are_known_by_what_they_tell_of(
    connection: Connection, keys: ShardKeys, end: ServiceEnd
) -> None:
    """A delivery names the transition; a dead notification holds the alert as JSON, where a label may bear any name."""
    connection.command("XADD", keys.deliveries, "*", "transition", "t1", "channel", "hook")
    connection.command("XADD", keys.deliveries, "*", "transition", "t2", "channel", "hook")
    others = (
        '{"entry":{"service":"ranker2"}}',
        '{"entry":{"service":"other","labels":{"service":"ranker"}}}',
        '{"service":"ranker"',
        "[1]",
    )
    for notification in ('{"entry":{"service":"ranker"}}', *others):
        connection.command("XADD", keys.dead, "*", "dead_stage", "notifier", "notification", notification)
    assert end.search(keys.deliveries, None, ["t1"], is_deleting=True).entries == 1
    assert end.search(keys.dead, is_deleting=True).entries == 1
    assert (connection.command("XLEN", keys.deliveries), connection.command("XLEN", keys.dead)) == (1, len(others))
