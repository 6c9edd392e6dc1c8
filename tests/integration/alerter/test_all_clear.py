"""Never a false all-clear: what is missing, late, gone or out of sight resolves nothing."""

from barograph_alerter.conditions.row import Look
from barograph_core.alerts.record import AlertRecord, AlertState
from barograph_core.panes.pane import Pane
from barograph_core.server.link import Value
from barograph_core.steps import parse_keep
from tests.integration.alerter.desk import COUNTING, RATIO, SERVICE, START, STEP, STEPS, Desk
from tests.unit.alerter.build import requests

HOUR = 3_600_000


def test_a_pane_closed_later_but_older_than_the_breach_does_not_resolve_it(desk: Desk) -> None:
    """Fired by the second open pane, the alert outlives the first one's clear verdict."""
    alerter = desk.alerter(COUNTING)
    desk.close(requests(ok=3))
    alerter.work()
    desk.add_to_open(requests(errors=5), ahead=1)
    alerter.work()
    desk.close(requests(ok=3))
    alerter.work()
    assert desk.told == [("inactive", "firing", True, "")]


def test_nothing_resolves_while_an_instance_is_missing(desk: Desk) -> None:
    """A failing producer that was killed must not look like a recovery."""
    alerter = desk.alerter(RATIO)
    desk.close(requests(errors=5))
    alerter.work()
    desk.close(*[requests(ok=5)] * 8, missing=1)
    alerter.work()
    assert desk.told == [("inactive", "firing", True, "")]
    desk.close(requests(ok=5))
    alerter.work()
    assert [after for _, after, _, _ in desk.told] == ["firing", "resolved"]


def test_no_data_keeps_an_alert_unless_told_otherwise(desk: Desk) -> None:
    """Traffic that stops is no recovery."""
    alerter = desk.alerter(RATIO)
    desk.close(requests(errors=9))
    alerter.work()
    desk.close(*[Pane.EMPTY] * 400)
    alerter.work()
    assert [record.state for record in desk.records()] == [AlertState.FIRING]
    assert isinstance(desk.records()[0], AlertRecord)


def test_no_data_resolves_where_the_rule_says_so(desk: Desk) -> None:
    """After no_data_for, with the reason."""
    alerter = desk.alerter(RATIO + 'no_data = "resolve"\nno_data_for = "20s"')
    desk.close(requests(ok=1))
    alerter.work()
    desk.close(requests(errors=9), *[Pane.EMPTY] * 21)
    alerter.work()
    assert len(desk.told) == 1
    desk.close(*[Pane.EMPTY] * 3)
    alerter.work()
    assert desk.told[1:] == [("firing", "resolved", True, "no_data")]


def test_nothing_resolves_because_the_aggregator_is_behind(desk: Desk) -> None:
    """A window is read as far back as it goes, however old the newest closed pane is by our clock."""
    desk.close(requests(ok=1))
    desk.alerter(COUNTING).work()
    desk.close(requests(errors=9))
    desk.alerter(COUNTING).work()
    desk.close(*[requests(errors=9)] * 10)
    desk.clock.advance(700_000)
    desk.alerter(COUNTING, "a2").work()
    assert [after for _, after, _, _ in desk.told] == ["firing"]


def test_panes_that_have_expired_do_not_count_as_empty(desk: Desk) -> None:
    """After a long pause only those windows are judged that the store still holds whole."""
    steps = parse_keep("1s:65s,1m:2d")
    desk.close(requests(ok=1))
    desk.alerter(COUNTING, steps=steps).work()
    desk.close(requests(errors=9))
    desk.alerter(COUNTING, steps=steps).work()
    paused_at = desk.next_ms
    desk.close(*[requests(errors=9)] * 100)
    for start in range(paused_at, desk.next_ms - 65_000, STEP):
        block = start - start % steps[0].span_ms
        fields = [str(start), f"r{start}", f"m{start}"]
        desk.connection.command("HDEL", desk.keys.panes(SERVICE, STEP, block), *fields)
    desk.alerter(COUNTING, "a2", steps=steps).work()
    assert [after for _, after, _, _ in desk.told] == ["firing"]
    assert desk.state()["closed_at"] == str(desk.next_ms).encode()


def drop_before(desk: Desk, step_ms: int, end_ms: int) -> None:
    """Drop every block of ``step_ms`` that ends by ``end_ms``, as the aggregator does when the store is too heavy."""
    span_ms = next(step.span_ms for step in STEPS if step.step_ms == step_ms)
    for block in range(START - START % span_ms, end_ms - span_ms + 1, span_ms):
        desk.connection.command("DEL", desk.keys.panes(SERVICE, step_ms, block))
    desk.connection.command("HSET", desk.keys.store, f"kept_from_ms:{step_ms}", end_ms)


MINUTES = COUNTING.replace('"3s"', '"2m"')


def breach_and_drop(desk: Desk) -> int:
    """Fire in a minute that ends; all that is left of it may be its roll-up. Return its start."""
    minute = desk.next_ms = START - START % 60_000
    alerter = desk.alerter(MINUTES)
    desk.close(requests(ok=1))
    alerter.work()
    desk.close(requests(errors=9), *[requests(ok=1)] * 58)
    alerter.work()
    desk.close(*[requests(ok=1)] * 20)
    drop_before(desk, STEP, minute + 60_000)
    return minute


def test_panes_that_were_dropped_to_make_room_do_not_count_as_empty(desk: Desk) -> None:
    """A window of which no step holds all is not judged: nothing resolves, and the errors are counted."""
    minute = breach_and_drop(desk)
    drop_before(desk, 60_000, minute + 60_000)
    fresh = desk.alerter(MINUTES, "a2")
    fresh.work()
    assert ([after for _, after, _, _ in desk.told], fresh.counters["evaluation_errors"] > 0) == (["firing"], True)


def test_a_roll_up_that_is_still_to_be_made_does_not_count_as_empty(desk: Desk) -> None:
    """After an outage of the aggregator, base panes close before their roll-ups are made."""
    minute = breach_and_drop(desk)
    desk.connection.command("ZADD", desk.keys.rollups, minute + 60_000, f"{SERVICE}:60000:{minute}")
    fresh = desk.alerter(MINUTES, "a2")
    fresh.work()
    assert ([after for _, after, _, _ in desk.told], fresh.counters["evaluation_errors"] > 0) == (["firing"], True)


def test_a_window_falls_back_to_the_next_step_that_holds_all_of_it(desk: Desk) -> None:
    """Fine panes were dropped; their roll-up has the errors."""
    minute = breach_and_drop(desk)
    block = minute - minute % STEPS[1].span_ms
    facts: list[Value] = [str(minute), requests(ok=58, errors=9).pack(), f"r{minute}", 0, f"m{minute}", 0]
    desk.connection.command("HSET", desk.keys.panes(SERVICE, 60_000, block), *facts)
    fresh = desk.alerter(MINUTES, "a2")
    fresh.work()
    assert ([after for _, after, _, _ in desk.told], fresh.counters["evaluation_errors"]) == (["firing"], 0)
    assert [record.value for record in desk.records()] == [9.0]


def test_panes_that_an_alerter_holds_may_be_dropped_behind_it(desk: Desk) -> None:
    """It has read them: the window is whole."""
    alerter = desk.alerter(MINUTES)
    desk.close(requests(ok=1))
    alerter.work()
    desk.close(requests(errors=9), *[requests(ok=1)] * 80)
    alerter.work()
    drop_before(desk, STEP, START + 60_000)
    desk.close(*[requests(ok=1)] * 60)
    alerter.work()
    assert ([after for _, after, _, _ in desk.told], alerter.counters["evaluation_errors"]) == (
        ["firing", "resolved"],
        0,
    )


def test_what_a_returning_instance_hands_in_late_counts_at_once(desk: Desk) -> None:
    """Its panes are revised before the first one that does not miss it is closed: no window may be judged without."""
    alerter = desk.alerter(RATIO.replace("3s", "60s").replace("0.5", "0.3"))
    desk.close(requests(ok=1))
    alerter.work()
    desk.close(*[requests(ok=9, errors=9)] * 60)
    alerter.work()
    gone_at = desk.next_ms
    for _ in range(58):
        desk.close(requests(ok=9), missing=1)
        alerter.work()
    for start in range(gone_at, desk.next_ms, STEP):
        desk.store(start, requests(ok=9, errors=9), revision=1)
    desk.close(requests(ok=9, errors=9))
    alerter.work()
    assert [after for _, after, _, _ in desk.told] == ["firing"]


def test_no_long_window_has_a_hole_after_others_judged_the_service(desk: Desk) -> None:
    """What this alerter held from before counts for nothing, where nobody knows what lies in between."""
    desk.next_ms = START - START % 60_000
    alerter = desk.alerter(
        "".join(
            f'[[rule]]\nname = "r{hours}"\non = "request"\nwindow = "{hours}h"\nwhen = "errors > 1000000"\n'
            for hours in (2, 3)
        )
    )
    for begin in range(desk.next_ms - 3 * HOUR, desk.next_ms + 3 * HOUR, 60_000):
        block = begin - begin % STEPS[1].span_ms
        facts: list[Value] = [str(begin), requests(errors=1).pack(), f"r{begin}", 0, f"m{begin}", 0]
        desk.connection.command("HSET", desk.keys.panes(SERVICE, 60_000, block), *facts)

    def errors(hours: int) -> int:
        panes = alerter.cache.refresh(SERVICE, desk.next_ms - STEP, 600_000)
        assert panes is not None
        return panes.windows_at(desk.next_ms)(Look(hours * HOUR)).pane.errors

    desk.close(Pane.EMPTY)
    assert (errors(2), errors(3)) == (120, 180)
    desk.next_ms += 3 * HOUR - 2 * STEP
    desk.close(Pane.EMPTY)
    assert (errors(2), errors(3)) == (120, 180)
