"""Pauses, restarts and revisions: closed panes are judged in order, each once."""

from collections.abc import Sequence

from barograph_alerter.states.writer import TransitionWriter
from barograph_core.alerts.change import Change, Cursors, LostHints, Stale, Written
from barograph_core.errors import StreamUnavailableError
from barograph_core.events.encode import LabelSet
from barograph_core.server.link import Value
from barograph_core.server.replies import EntryId
from tests.integration.alerter.desk import COUNTING, RATIO, SERVICE, START, STEP, STEPS, Desk
from tests.unit.alerter.build import pane_of, requests


def test_panes_missed_in_a_pause_are_judged_in_order(desk: Desk) -> None:
    """A restart loses nothing: the breach and its end are both told."""
    desk.close(requests(ok=1))
    desk.alerter(RATIO).work()
    desk.close(requests(errors=9), *[requests(ok=9)] * 4)
    desk.alerter(RATIO, "a2").work()
    assert [after for _, after, _, _ in desk.told] == ["firing", "resolved"]
    assert desk.state()["closed_at"] == str(desk.next_ms).encode()


def test_history_from_before_the_first_look_is_not_replayed(desk: Desk) -> None:
    """A service seen for the first time begins with its newest closed pane."""
    desk.close(requests(errors=9), *[requests(ok=9)] * 4)
    desk.alerter(RATIO).work()
    assert desk.told == []
    assert desk.state()["closed_at"] == str(desk.next_ms).encode()


def test_a_hint_that_got_lost_is_made_up_for(desk: Desk) -> None:
    """The timer finds cursors that were left behind, also of services never seen here."""
    alerter = desk.alerter(RATIO)
    desk.close(requests(ok=1), *[requests(errors=9)] * 3)
    desk.connection.command("XTRIM", desk.keys.metrics, "MAXLEN", 0)
    alerter.tick()
    assert [after for _, after, _, _ in desk.told] == ["firing"]


def test_a_revision_changes_windows_not_judged_yet(desk: Desk) -> None:
    """Late errors count in the windows to come."""
    alerter = desk.alerter(COUNTING)
    desk.close(requests(ok=1), requests(errors=4))
    alerter.work()
    desk.store(desk.next_ms - STEP, requests(errors=40), revision=1)
    desk.close(requests(ok=1))
    alerter.work()
    assert [entry.value for entry in desk.entries] == [40.0]


def test_a_state_that_cannot_be_read_stops_nothing(desk: Desk) -> None:
    """One broken record costs itself only."""
    desk.connection.command("HSET", desk.keys.state(SERVICE), "alert:broken", "{", "version", "7")
    desk.close(requests(errors=9))
    desk.alerter(RATIO).work()
    assert [after for _, after, _, _ in desk.told] == ["firing"]


def test_long_windows_are_read_at_a_coarser_step(desk: Desk) -> None:
    """Two hours are 120 panes of a minute, and the minute that goes on second by second."""
    desk.next_ms = START - START % 60_000
    minute = requests(ok=90, errors=10)
    for begin in range(desk.next_ms - 7_200_000, desk.next_ms, 60_000):
        block = begin - begin % STEPS[1].span_ms
        facts: list[Value] = [str(begin), minute.pack(), f"r{begin}", 0, f"m{begin}", 0]
        desk.connection.command("HSET", desk.keys.panes(SERVICE, 60_000, block), *facts)
    desk.close(requests(errors=1))
    desk.alerter('[[rule]]\nname = "slow-burn"\non = "request"\nwindow = "2h"\nwhen = "errors > 1000"\n').work()
    assert [entry.value for entry in desk.entries] == [1_201.0]


class BrokenOff(TransitionWriter):
    """Loses the server after the first part of a call."""

    def write(
        self, service: str, cursors: Cursors, changes: Sequence[Change], ids: Sequence[EntryId]
    ) -> Written | Stale | LostHints:
        written = super().write(service, cursors, changes, ids)
        if cursors.closed_to_ms is None and any(change.transition for change in changes):
            raise StreamUnavailableError("timeout")
        return written


def test_a_verdict_broken_off_between_two_parts_tells_nothing_twice(desk: Desk) -> None:
    """90 routes breach, recover and breach again in a pause: more than one part holds, each told once."""
    rules = 'by = ["route"]\ncooldown = "0s"\n'.join([COUNTING.replace("3s", "1s"), ""])
    labels: list[LabelSet] = [(f"/{i}", "GET", 500) for i in range(90)]
    failing = pane_of("request", {each: [(1.0,)] * 5 for each in labels})
    desk.close(requests(ok=1))
    desk.alerter(rules).work()
    desk.close(failing, requests(ok=1), failing)
    try:
        desk.alerter(rules, writer_class=BrokenOff).work()
    except StreamUnavailableError:
        desk.alerter(rules, "a2").judge.judge(SERVICE)
    told = [entry.transition for entry in desk.entries]
    assert (len(told), len(set(told))) == (270, 270)


def test_a_cursor_from_before_the_step_was_changed_is_put_right(desk: Desk) -> None:
    """Where it lies within a pane, what that pane lacks would go unseen."""
    desk.close(requests(errors=9))
    desk.alerter(COUNTING).work()
    desk.connection.command("HSET", desk.keys.state(SERVICE), "closed_at", desk.next_ms - 300)
    desk.close(*[requests(ok=9)] * 4, missing=1)
    desk.alerter(COUNTING, "a2").work()
    assert desk.told == [("inactive", "firing", True, "")]
    assert desk.state()["closed_at"] == str(desk.next_ms).encode()
