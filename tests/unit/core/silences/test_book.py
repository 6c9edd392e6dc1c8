"""People add, change and end silences, on three shards at once."""

from dataclasses import replace
from typing import Final

import pytest

from barograph_core.alerts.actions import AlertConflictError, KeyReusedError, Once
from barograph_core.alerts.record import AlertState
from barograph_core.alerts.state import alert_field
from barograph_core.keyspace.layout import Layout, spread_tags
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_entries
from barograph_core.silences.book import SilenceBook, SilenceNotFoundError
from barograph_core.silences.ending import KEPT_MS, due_writes
from barograph_core.silences.entry import SilenceEntry, ended
from barograph_core.silences.silence import SilenceError, parse_matchers
from barograph_core.silences.store import HeldSilence, SilenceStore, SilenceWrite
from tests.support import fake_connection
from tests.unit.core.alerts.samples import RECORD
from tests.unit.core.silences.samples import HOUR, NOW, SILENCE

LAYOUT: Final = Layout("baro", tags=spread_tags(3))


@pytest.fixture
def server() -> Connection:
    return fake_connection()


@pytest.fixture
def book(server: Connection) -> SilenceBook:
    return SilenceBook(server, LAYOUT)


def fire(server: Connection, state: AlertState = AlertState.FIRING) -> None:
    keys = LAYOUT.keys_of(RECORD.service)
    server.command("HSET", keys.closed, RECORD.service, 1_000)
    record = replace(RECORD, state=state)
    server.command("HSET", keys.state(RECORD.service), alert_field(RECORD.alert_id), record.to_json())


def entries(server: Connection) -> list[list[SilenceEntry]]:
    """Return the entries of each shard."""
    return [
        [SilenceEntry.from_fields(one.fields) for one in as_entries(server.command("XRANGE", keys.alerts, "-", "+"))]
        for keys in LAYOUT.shards
    ]


def test_a_silence_lies_on_every_shard_under_one_id(server: Connection, book: SilenceBook) -> None:
    added = book.add(SILENCE, NOW)
    assert [one.silence for one in book.all()] == [added]
    assert added.silence_id != SILENCE.silence_id
    assert [[one.change for one in shard] for shard in entries(server)] == [["added"]] * 3


def test_a_start_in_the_past_becomes_now(book: SilenceBook) -> None:
    assert book.add(replace(SILENCE, starts_ms=NOW - HOUR), NOW).starts_ms == NOW
    assert book.add(replace(SILENCE, starts_ms=NOW + 5), NOW).starts_ms == NOW + 5


def test_what_cannot_be_meant_is_not_written(server: Connection, book: SilenceBook) -> None:
    with pytest.raises(SilenceError):
        book.add(replace(SILENCE, ends_ms=NOW), NOW)
    assert entries(server) == [[], [], []]


def test_the_same_request_adds_one_silence(server: Connection, book: SilenceBook) -> None:
    """Also when it got to one shard only before the process died."""
    once = Once.of("mira", "key", "ask")
    first = book.add(SILENCE, NOW, once)
    keys = LAYOUT.shards[2]
    server.command("DEL", keys.silences, keys.alerts, keys.once(once.key))
    assert book.add(SILENCE, NOW + 5_000, once) == first
    assert [len(shard) for shard in entries(server)] == [1, 1, 1]
    with pytest.raises(KeyReusedError):
        book.add(SILENCE, NOW, Once.of("mira", "key", "something else"))


def test_a_silence_until_resolved_lies_where_it_mutes_something(server: Connection, book: SilenceBook) -> None:
    endless = replace(SILENCE, ends_ms=None)
    with pytest.raises(SilenceError, match="end at once"):
        book.add(endless, NOW)
    fire(server)
    book.add(endless, NOW)
    assert sum(len(shard) for shard in entries(server)) == 1


def test_a_new_end_or_comment_keeps_the_id(server: Connection, book: SilenceBook) -> None:
    added = book.add(SILENCE, NOW)
    changed = book.change(
        added.silence_id, replace(added, ends_ms=NOW + 5 * HOUR, comment="longer", actor="ann"), NOW + 9
    )
    assert (changed.silence_id, changed.ends_ms, changed.comment) == (added.silence_id, NOW + 5 * HOUR, "longer")
    assert [one.silence for one in book.all()] == [changed]
    assert [[(one.change, one.actor) for one in shard] for shard in entries(server)] == [
        [("added", "mira"), ("changed", "ann")]
    ] * 3


@pytest.mark.parametrize(
    "changes",
    [{"matchers": parse_matchers(["route=/other"])}, {"starts_ms": NOW + HOUR // 2}],
    ids=["matchers", "start"],
)
def test_other_matchers_or_another_start_make_a_new_one_and_end_the_old(
    server: Connection, book: SilenceBook, changes: dict[str, object]
) -> None:
    added = book.add(SILENCE, NOW)
    changed = book.change(added.silence_id, replace(added, **changes), NOW + 9)  # type: ignore[arg-type]  # one at a time
    assert changed.silence_id != added.silence_id
    old = book.find(added.silence_id).silence
    assert (old.ended_ms, old.end_reason) == (NOW + 9, "replaced")
    assert [[one.change for one in shard] for shard in entries(server)] == [["added", "added", "ended"]] * 3


def test_one_that_is_over_is_followed_by_a_new_one(book: SilenceBook) -> None:
    added = book.add(SILENCE, NOW)
    later = NOW + 2 * HOUR
    changed = book.change(added.silence_id, replace(added, ends_ms=later + HOUR), later)
    assert changed.silence_id != added.silence_id
    assert changed.starts_ms == later


def test_a_silence_is_ended_once(server: Connection, book: SilenceBook) -> None:
    added = book.add(SILENCE, NOW)
    over = book.end(added.silence_id, actor="ann", note="done", now_ms=NOW + 7)
    assert book.find(added.silence_id).silence == over
    assert [[(one.change, one.actor, one.note, one.reason) for one in shard[1:]] for shard in entries(server)] == [
        [("ended", "ann", "done", "by_hand")]
    ] * 3
    with pytest.raises(AlertConflictError, match="over"):
        book.end(added.silence_id, actor="bob", note="", now_ms=NOW + 8)


def test_an_unknown_silence_is_not_found(book: SilenceBook) -> None:
    with pytest.raises(SilenceNotFoundError):
        book.end("nope", actor="ann", note="", now_ms=NOW)
    with pytest.raises(SilenceNotFoundError):
        book.change("nope", SILENCE, NOW)


def test_hits_of_all_shards_add_up(server: Connection, book: SilenceBook) -> None:
    added = book.add(SILENCE, NOW)
    for keys, times in zip(LAYOUT.shards, (1, 2, 0), strict=True):
        for _ in range(times):
            SilenceStore(server, keys).count_hit(added.silence_id)
    assert book.find(added.silence_id).hits == 3


@pytest.mark.parametrize(
    ("state", "expected"), [(AlertState.FIRING, 1), (AlertState.PENDING, 1), (AlertState.RESOLVED, 0)]
)
def test_a_preview_names_what_is_pending_or_fires(
    server: Connection, book: SilenceBook, state: AlertState, expected: int
) -> None:
    fire(server, state)
    assert len(book.meant(SILENCE)) == expected
    assert book.meant(replace(SILENCE, matchers=parse_matchers(["route=/other"]))) == []


def test_what_cannot_be_read_is_passed_over(server: Connection, book: SilenceBook) -> None:
    added = book.add(SILENCE, NOW)
    server.command("HSET", LAYOUT.shards[0].silences, "broken", "{")
    assert [one.silence.silence_id for one in book.all()] == [added.silence_id]


def held(**changes: object) -> HeldSilence:
    silence = replace(SILENCE, **changes)  # type: ignore[arg-type]  # one field at a time
    return HeldSilence(silence, silence.to_json())


def due(one: HeldSilence, now_ms: int, *, mutes_any: bool = True) -> list[SilenceWrite]:
    return list(due_writes([one], now_ms, lambda _: mutes_any))


def test_a_silence_whose_time_is_up_ends_with_an_entry() -> None:
    assert due(held(), NOW + HOUR - 1) == []
    (write,) = due(held(), NOW + HOUR)
    assert (write.change, write.after) == ("ended", ended(SILENCE, "expired", NOW + HOUR))


def test_a_silence_until_resolved_ends_when_nothing_is_left_to_mute() -> None:
    endless = held(ends_ms=None)
    assert due(endless, NOW + 1_000 * HOUR) == []
    (write,) = due(endless, NOW + 5, mutes_any=False)
    assert write.after == ended(endless.silence, "resolved", NOW + 5)
    assert due(held(ends_ms=None, starts_ms=NOW + HOUR), NOW, mutes_any=False) == []


def test_a_silence_that_ended_is_forgotten_after_days() -> None:
    over = held(ended_ms=NOW, end_reason="expired")
    assert due(over, NOW + KEPT_MS - 1) == []
    assert due(over, NOW + KEPT_MS) == [SilenceWrite(over, None)]
