"""Entries of the metrics stream say where to look: who acknowledges them, and what quiet services cost."""

import pytest

from barograph_core.workers.consumer import UnreadableEntryError
from tests.integration.alerter.desk import COUNTING, RATIO, SERVICE, START, Desk
from tests.unit.alerter.build import requests


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


def test_quiet_services_are_looked_at_where_a_rule_fires_on_silence(desk: Desk) -> None:
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
