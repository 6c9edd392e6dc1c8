"""From panes to alert transitions, on a real server."""

import json
from dataclasses import replace

import pytest

from barograph_core.alerts import AlertRecord, AlertState, resolve_by_hand
from barograph_core.consumer import UnreadableEntryError
from barograph_core.keys import ShardKeys
from barograph_core.pane import Pane
from barograph_core.stream import Connection, Value
from tests.integration.alerter.desk import SERVICE, START, STEP, STEPS, Desk
from tests.support import FakeClock
from tests.unit.alerter.build import pane_of, requests

COUNTING = """
[[rule]]
name = "errors"
on = "request"
window = "3s"
when = "errors >= 5"
severity = "error"
summary = "{{ errors }} errors"
"""
RATIO = """
[[rule]]
name = "ratio"
on = "request"
window = "3s"
when = "error_rate > 0.5"
severity = "error"
"""


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture
def desk(real: Connection, keys: ShardKeys, clock: FakeClock) -> Desk:
    return Desk(real, keys, clock)


def test_a_breach_fires_and_its_end_resolves(desk: Desk) -> None:
    """The whole life of an alert, told in two entries."""
    alerter = desk.alerter(RATIO)
    for pane in (requests(ok=10), requests(errors=30), requests(ok=10), requests(ok=10), requests(ok=10)):
        desk.close(pane)
        alerter.work()
    assert desk.told == [("inactive", "firing", True, ""), ("firing", "resolved", True, "")]
    assert desk.records() == []
    assert desk.pending_hints == 0


def test_an_open_pane_can_fire_a_count(desk: Desk) -> None:
    """Nobody waits for the pane to close when more events cannot take the breach back."""
    alerter = desk.alerter(COUNTING)
    desk.close(requests(ok=3))
    alerter.work()
    desk.add_to_open(requests(errors=3))
    desk.add_to_open(requests(errors=2))
    alerter.work()
    assert desk.told == [("inactive", "firing", True, "")]
    assert (desk.entries[0].value, desk.entries[0].threshold, desk.entries[0].summary) == (5.0, 5.0, "5 errors")


def test_an_open_pane_cannot_fire_a_ratio(desk: Desk) -> None:
    """Errors are shipped before successes: an open pane's ratio is biased."""
    alerter = desk.alerter(RATIO)
    desk.close(requests(ok=3))
    alerter.work()
    desk.add_to_open(requests(errors=50))
    alerter.work()
    assert desk.told == []
    assert desk.pending_hints == 0


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


def test_each_label_set_is_an_alert_of_its_own(desk: Desk) -> None:
    """One route fires, the other does not."""
    alerter = desk.alerter(RATIO + 'by = ["route"]')
    desk.close(Pane.merge([requests(errors=5, route="/a"), requests(ok=5, route="/b")]))
    alerter.work()
    assert [entry.labels for entry in desk.entries] == [{"route": "/a"}]


def test_a_firing_names_its_contributors(desk: Desk) -> None:
    """Which routes account for the breach, the worst first."""
    alerter = desk.alerter(RATIO)
    desk.close(Pane.merge([requests(errors=1, route="/a"), requests(errors=3, route="/b"), requests(ok=1, route="/c")]))
    alerter.work()
    assert [(c.labels["route"], c.of, c.share_ratio) for c in desk.entries[0].contributors] == [
        ("/b", "errors", 0.75),
        ("/a", "errors", 0.25),
    ]


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


def test_two_alerters_tell_each_transition_once(desk: Desk) -> None:
    """Both look at the same panes; the state is compared and set."""
    first, second = desk.alerter(RATIO), desk.alerter(RATIO, "a2")
    desk.close(requests(ok=1))
    first.work()
    for pane in (requests(errors=9), requests(ok=9), requests(ok=9), requests(ok=9)):
        desk.close(pane)
        hints = first.read()
        second.judge.judge(SERVICE)
        first.handler.handle(hints, is_redelivered=False)
    assert [after for _, after, _, _ in desk.told] == ["firing", "resolved"]
    assert len({entry.transition for entry in desk.entries}) == 2
    assert desk.pending_hints == 0


def test_hints_claimed_by_another_alerter_are_left_to_it(desk: Desk) -> None:
    """The verdict is written all the same, the hint stays with its owner."""
    first = desk.alerter(RATIO)
    desk.close(requests(errors=9))
    hints = first.read()
    desk.connection.command("XCLAIM", desk.keys.metrics, "alerter", "a2", 0, str(hints[0].id))
    first.handler.handle(hints, is_redelivered=False)
    assert [after for _, after, _, _ in desk.told] == ["firing"]
    assert desk.pending_hints == 1
    assert first.counters["fence_rejections"] == 1


def fire_and_resolve(desk: Desk, rules: str = RATIO) -> None:
    alerter = desk.alerter(rules)
    for pane in (requests(ok=1), requests(errors=30), requests(ok=30), requests(ok=30), requests(ok=30)):
        desk.close(pane)
        alerter.work()
    assert [after for _, after, _, _ in desk.told] == ["firing", "resolved"]


def test_a_second_firing_within_the_cooldown_is_told_quietly(desk: Desk) -> None:
    """Transitions are always written; the key only keeps them from being sent."""
    fire_and_resolve(desk)
    desk.close(requests(errors=90))
    desk.alerter(RATIO).work()
    assert desk.told[2:] == [("inactive", "firing", False, "cooldown")]


def test_an_alert_that_still_fires_when_the_cooldown_lapses_is_sent_after_all(desk: Desk) -> None:
    """A firing that nobody was told of earns one reminder, and only one."""
    fire_and_resolve(desk)
    alerter = desk.alerter(RATIO)
    desk.close(requests(errors=90))
    alerter.work()
    desk.connection.command("DEL", desk.keys.cooldown(desk.records()[0].alert_id))
    for _ in range(3):
        desk.clock.advance(1_000)
        alerter.tick()
    assert desk.told[3:] == [("firing", "firing", True, "reminder")]
    assert desk.records()[0].is_announced


def test_an_announced_firing_earns_no_reminder(desk: Desk) -> None:
    """What was sent is not sent again."""
    alerter = desk.alerter(RATIO)
    desk.close(requests(errors=90))
    alerter.work()
    desk.connection.command("DEL", desk.keys.cooldown(desk.records()[0].alert_id))
    desk.clock.advance(5_000)
    alerter.tick()
    assert len(desk.told) == 1


@pytest.mark.parametrize("change", [('"error"', '"critical"'), ("window", 'cooldown = "1m"\nwindow')])
def test_worse_news_or_another_setting_breaks_the_cooldown(desk: Desk, change: tuple[str, str]) -> None:
    """A mute that was meant for something else does not count."""
    fire_and_resolve(desk)
    desk.close(requests(errors=90))
    desk.alerter(RATIO.replace(*change)).work()
    assert desk.told[2:] == [("inactive", "firing", True, "")]


def test_an_alert_that_grows_more_severe_while_it_fires_is_told_again(desk: Desk) -> None:
    """With a rule edited upwards people hear of it at once."""
    desk.close(requests(errors=90))
    desk.alerter(RATIO).work()
    desk.close(requests(errors=90))
    desk.alerter(RATIO.replace('"error"', '"critical"')).work()
    assert desk.told[1:] == [("firing", "firing", True, "")]
    assert desk.entries[1].severity.value == "critical"


def test_the_claim_is_short_until_a_delivery_extends_it(desk: Desk) -> None:
    """An undelivered alert must not mute the next for five minutes."""
    desk.close(requests(errors=90))
    desk.alerter(RATIO).work()
    life = desk.connection.command("PTTL", desk.keys.cooldown(desk.records()[0].alert_id))
    assert isinstance(life, int)
    assert 0 < life <= 60_000


def test_resolved_by_hand_stays_quiet_until_one_closed_pane_is_clear(desk: Desk) -> None:
    """Then the next breach is news again."""
    alerter = desk.alerter(RATIO)
    desk.close(requests(errors=90))
    alerter.work()
    muted, _ = resolve_by_hand(desk.records()[0], "ann", desk.clock.now_ms())
    assert muted is not None
    desk.connection.command("HSET", desk.keys.state(SERVICE), f"alert:{muted.alert_id}", muted.to_json())
    desk.close(*[requests(errors=90)] * 3)
    alerter.work()
    assert len(desk.told) == 1
    desk.close(*[requests(ok=90)] * 4)
    alerter.work()
    assert desk.records() == []
    desk.close(*[requests(errors=90)] * 3)
    alerter.work()
    assert [after for _, after, _, _ in desk.told] == ["firing", "firing"]


def test_a_hold_passes_without_any_hint(desk: Desk) -> None:
    """A timer drives what open panes can decide."""
    alerter = desk.alerter(COUNTING + 'for = "500ms"')
    desk.close(requests(ok=1))
    alerter.work()
    desk.add_to_open(requests(errors=5), ahead=0)
    alerter.work()
    assert [after for _, after, _, _ in desk.told] == ["pending"]
    desk.clock.advance(400)
    alerter.tick()
    assert len(desk.told) == 1
    desk.clock.advance(100)
    alerter.tick()
    assert desk.told[1:] == [("pending", "firing", True, "")]


def test_a_hint_that_got_lost_is_made_up_for(desk: Desk) -> None:
    """The timer finds cursors that were left behind, also of services never seen here."""
    alerter = desk.alerter(RATIO)
    desk.close(requests(ok=1), *[requests(errors=9)] * 3)
    desk.connection.command("XTRIM", desk.keys.metrics, "MAXLEN", 0)
    alerter.tick()
    assert [after for _, after, _, _ in desk.told] == ["firing"]


def test_an_alert_of_a_removed_rule_is_ended(desk: Desk) -> None:
    """Nobody waits for a resolution that cannot come."""
    desk.close(requests(errors=9))
    desk.alerter(RATIO).work()
    desk.close(requests(errors=9))
    desk.alerter(COUNTING.replace("5", "500")).work()
    assert desk.told[1:] == [("firing", "resolved", True, "rule_removed")]


def test_a_revision_changes_windows_not_judged_yet(desk: Desk) -> None:
    """Late errors count in the windows to come."""
    alerter = desk.alerter(COUNTING)
    desk.close(requests(ok=1), requests(errors=4))
    alerter.work()
    desk.store(desk.next_ms - STEP, requests(errors=40), revision=1)
    desk.close(requests(ok=1))
    alerter.work()
    assert [entry.value for entry in desk.entries] == [40.0]


def test_one_hint_may_name_several_services(desk: Desk) -> None:
    """Quiet services share an entry; it is acknowledged with the last."""
    alerter = desk.alerter(RATIO)
    for service in ("one", "two"):
        desk.next_ms = START
        desk.close(requests(errors=9), service=service)
    desk.connection.command("XTRIM", desk.keys.metrics, "MAXLEN", 0)
    desk.hint("closed", "one,two")
    alerter.work()
    assert sorted(entry.service for entry in desk.entries) == ["one", "two"]
    assert desk.pending_hints == 0


def test_a_rule_can_be_meant_for_some_services(desk: Desk) -> None:
    """Patterns of names, as a shell has them."""
    desk.close(requests(errors=9))
    desk.alerter(RATIO + 'services = ["shop-*"]').work()
    assert desk.told == []


@pytest.mark.parametrize("fields", [("type", "closed"), ("type", "closed", "service", "no spaces, please")])
def test_a_malformed_hint_is_unreadable(desk: Desk, fields: tuple[str, ...]) -> None:
    """The loop moves it to the dead-letter stream."""
    desk.connection.command("XADD", desk.keys.metrics, "*", *fields)
    with pytest.raises(UnreadableEntryError, match="service"):
        desk.alerter(RATIO).work()


def test_hints_of_types_to_come_are_passed_over(desk: Desk) -> None:
    """A newer aggregator may write more."""
    desk.hint("forecast", SERVICE)
    desk.hint("closed", "nobody")
    desk.alerter(RATIO).work()
    assert desk.pending_hints == 0


def test_a_state_that_cannot_be_read_stops_nothing(desk: Desk) -> None:
    """One broken record costs itself only."""
    desk.connection.command("HSET", desk.keys.state(SERVICE), "alert:broken", "{", "version", "7")
    desk.close(requests(errors=9))
    desk.alerter(RATIO).work()
    assert [after for _, after, _, _ in desk.told] == ["firing"]


def test_many_alerts_at_once_are_written_in_chunks(desk: Desk) -> None:
    """500 routes breach in one pane; each is told once, and the cursor moves with the last."""
    alerter = desk.alerter(RATIO + 'by = ["route"]')
    events = {(f"/{i}", "GET", 500): [(1.0,)] for i in range(500)}
    desk.close(pane_of("request", {labels: list(values) for labels, values in events.items()}))
    alerter.work()
    assert len({entry.alert_id for entry in desk.entries}) == 500
    assert all(record.is_announced for record in desk.records())
    assert desk.state()["closed_at"] == str(desk.next_ms).encode()


def test_long_windows_are_read_at_a_coarser_step(desk: Desk) -> None:
    """Two hours are 120 panes of a minute and the last two minutes second by second."""
    desk.next_ms = START - START % 60_000
    minute = requests(ok=90, errors=10)
    for begin in range(desk.next_ms - 7_200_000, desk.next_ms, 60_000):
        block = begin - begin % STEPS[1].span_ms
        facts: list[Value] = [str(begin), minute.pack(), f"r{begin}", 0, f"m{begin}", 0]
        desk.connection.command("HSET", desk.keys.panes(SERVICE, 60_000, block), *facts)
    desk.close(requests(errors=1))
    desk.alerter('[[rule]]\nname = "slow-burn"\non = "request"\nwindow = "2h"\nwhen = "errors > 1000"\n').work()
    # The two newest minutes are taken from panes of a second, of which there is one.
    assert [entry.value for entry in desk.entries] == [1_181.0]


def test_a_broken_template_never_costs_the_alert(desk: Desk) -> None:
    """A plain line takes its place, and the failure is counted."""
    alerter = desk.alerter(RATIO + "summary = '{{ duration_ms.p95 + labels.nothing }}'")
    desk.close(requests(errors=9))
    alerter.work()
    assert desk.entries[0].summary == "ranker: error_rate > 0.5, now 1"
    assert alerter.counters["template_errors"] == 1


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


def test_contributors_and_labels_are_json_for_people_with_redis_cli(desk: Desk) -> None:
    """The entry reads without our decoder."""
    desk.close(requests(errors=9, route="/é"))
    desk.alerter(RATIO).work()
    reply = desk.connection.command("XRANGE", desk.keys.alerts, "-", "+")
    assert "contributors" in str(reply)
    told = desk.entries[0]
    plain = json.loads(dict(zip(told.to_fields()[::2], told.to_fields()[1::2], strict=True))["contributors"])
    assert plain == [{"amount": 9.0, "labels": {"method": "GET", "route": "/é"}, "of": "errors", "share_ratio": 1.0}]
    assert replace(told, actor="x").actor == "x"


def test_idle_services_are_looked_at_now_and_then_only(desk: Desk) -> None:
    """Quiet ticks of services with neither events nor alerts cost an acknowledgement."""
    alerter = desk.alerter(RATIO)
    desk.pass_quietly(1, "one", "two")
    alerter.work()
    judged = alerter.counters["evaluations"]
    for _ in range(9):
        desk.pass_quietly(1, "one", "two")
        alerter.tick()
        alerter.work()
    assert alerter.counters["evaluations"] == judged == 2
    assert desk.pending_hints == 0
    desk.pass_quietly(5, "one", "two")
    alerter.tick()
    alerter.work()
    assert desk.state("one")["closed_at"] == str(desk.next_ms).encode()


def test_quiet_services_are_looked_at_where_a_rule_speaks_of_silence(desk: Desk) -> None:
    """That nothing happens is a fact too."""
    alerter = desk.alerter(RATIO.replace("error_rate > 0.5", "count < 1") + 'for = "3s"')
    for _ in range(4):
        desk.pass_quietly(1, SERVICE)
        alerter.work()
    assert [after for _, after, _, _ in desk.told] == ["pending", "firing"]


def test_an_alert_of_a_service_fallen_quiet_is_looked_at_with_each_tick(desk: Desk) -> None:
    """The errors leave the window although nothing new comes in."""
    alerter = desk.alerter(COUNTING)
    desk.close(requests(errors=9))
    alerter.work()
    for _ in range(3):
        desk.pass_quietly(1, SERVICE)
        alerter.work()
    assert [after for _, after, _, _ in desk.told] == ["firing", "resolved"]
