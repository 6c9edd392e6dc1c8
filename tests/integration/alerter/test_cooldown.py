"""Cooldown keys on a real server: what mutes a firing, what breaks a mute, when a reminder comes."""

import pytest

from tests.integration.alerter.desk import RATIO, Desk
from tests.unit.alerter.build import requests


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


def test_a_quiet_firing_recovers_while_the_cooldown_runs(desk: Desk) -> None:
    """The reminder that waits for it must not hold back what is noted of its recovery."""
    rules = RATIO + 'keep_firing_for = "2s"'
    alerter = desk.alerter(rules)
    for pane in (requests(errors=30), *[requests(ok=30)] * 5, requests(errors=90), *[requests(ok=900)] * 4):
        desk.close(pane)
        alerter.work()
    assert desk.told[2:] == [("inactive", "firing", False, "cooldown"), ("firing", "resolved", True, "")]


def test_a_firing_held_back_in_the_same_call_as_an_announced_one_earns_its_reminder(desk: Desk) -> None:
    """After a pause both are found at once; the first firing of each episode bears the same number."""
    desk.close(requests(ok=1))
    desk.alerter(RATIO).work()
    desk.close(requests(errors=9), *[requests(ok=99)] * 4, requests(errors=999))
    alerter = desk.alerter(RATIO)
    alerter.work()
    assert desk.told[2:] == [("inactive", "firing", False, "cooldown")]
    desk.connection.command("DEL", desk.keys.cooldown(desk.records()[0].alert_id))
    desk.clock.advance(1_000)
    alerter.tick()
    assert desk.told[3:] == [("firing", "firing", True, "reminder")]


def test_another_cooldown_frees_a_firing_that_was_held_back(desk: Desk) -> None:
    """A day's mute that was taken out of the rule does not last the day."""
    fire_and_resolve(desk)
    desk.close(requests(errors=90))
    desk.alerter(RATIO).work()
    desk.close(requests(errors=90))
    alerter = desk.alerter(RATIO + 'cooldown = "1m"')
    alerter.work()
    assert desk.told[3:] == [("firing", "firing", True, "")]
    desk.close(requests(errors=90))
    alerter.work()
    assert len(desk.told) == 4
