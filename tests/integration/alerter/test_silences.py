"""An alerter ends silences whose time is up: once, however many alerters look."""

from dataclasses import replace

from barograph_alerter.judge.silence_keeper import SilenceKeeper
from barograph_core.keyspace.layout import Layout
from barograph_core.server.replies import as_entries
from barograph_core.silences.book import SilenceBook
from barograph_core.silences.ending import KEPT_MS
from barograph_core.silences.entry import SilenceEntry
from barograph_core.silences.silence import parse_matchers
from tests.integration.alerter.desk import RATIO, Desk
from tests.unit.alerter.build import requests
from tests.unit.core.silences.samples import HOUR, SILENCE


def changes(desk: Desk) -> list[tuple[str, str]]:
    """Return (change, reason) of each entry about a silence."""
    found = as_entries(desk.connection.command("XRANGE", desk.keys.alerts, "-", "+"))
    entries = [SilenceEntry.from_fields(one.fields) for one in found if b"kind" in one.fields]
    return [(one.change, one.reason) for one in entries]


def test_the_end_of_a_silence_is_told_once(desk: Desk) -> None:
    """By whichever of two alerters looks first, at its time and not before."""
    now_ms = desk.clock.now_ms()
    book = SilenceBook(desk.connection, Layout(desk.keys.prefix))
    book.add(replace(SILENCE, starts_ms=now_ms, ends_ms=now_ms + HOUR), now_ms)
    keepers = [SilenceKeeper(desk.connection, desk.keys, desk.clock) for _ in range(2)]
    for wait_ms in (HOUR - 1, 1, 1):
        desk.clock.advance(wait_ms)
        for keeper in keepers:
            keeper.look()
        expected = [("added", "")] if wait_ms == HOUR - 1 else [("added", ""), ("ended", "expired")]
        assert changes(desk) == expected
    desk.clock.advance(KEPT_MS)
    keepers[0].look()
    assert book.all() == []


def test_a_silence_until_resolved_ends_with_the_alert(desk: Desk) -> None:
    """The alerter's own tick sees to it."""
    alerter = desk.alerter(RATIO)
    desk.close(requests(errors=90))
    alerter.work()
    now_ms = desk.clock.now_ms()
    book = SilenceBook(desk.connection, Layout(desk.keys.prefix))
    silence = replace(SILENCE, matchers=parse_matchers(["rule=ratio"]), starts_ms=now_ms, ends_ms=None)
    book.add(silence, now_ms)
    keeper = SilenceKeeper(desk.connection, desk.keys, desk.clock)
    keeper.look()
    assert changes(desk) == [("added", "")]
    desk.close(*[requests(ok=90)] * 4)
    alerter.work()
    keeper.look()
    assert changes(desk) == [("added", ""), ("ended", "resolved")]
