"""Cooldowns of channels on a real server: what mutes a firing where, what breaks a mute, when a reminder comes."""

import pytest

from barograph_core.alerts.record import Severity
from tests.integration.alerter.desk import RATIO, Alerter, Desk
from tests.unit.alerter.build import requests


def fire_and_resolve(desk: Desk, rules: str = RATIO) -> Alerter:
    alerter = desk.alerter(rules)
    for pane in (requests(ok=1), requests(errors=30), requests(ok=30), requests(ok=30), requests(ok=30)):
        desk.close(pane)
        alerter.work()
    assert [after for _, after, _, _ in desk.told] == ["firing", "resolved"]
    return alerter


def fire_again(desk: Desk, alerter: Alerter) -> None:
    desk.close(requests(errors=90))
    alerter.work()


def test_without_a_delivery_nothing_is_muted(desk: Desk) -> None:
    """An alert that nobody was told of must not mute the next."""
    fire_again(desk, fire_and_resolve(desk))
    assert desk.told[2:] == [("inactive", "firing", True, "")]
    assert desk.muted[2] == ()
    assert desk.records()[0].is_announced


def test_a_channel_is_muted_by_its_own_delivery_only(desk: Desk) -> None:
    """One that was down while another worked is told of the next firing."""
    alerter = fire_and_resolve(desk)
    desk.delivered("hook")
    desk.delivered("mail", lasts_ms=-1)
    fire_again(desk, alerter)
    assert desk.told[2:] == [("inactive", "firing", True, "")]
    assert desk.muted[2] == ("hook",)
    assert not desk.records()[0].is_announced


def test_a_channel_whose_cooldown_lapses_is_reminded_once(desk: Desk) -> None:
    """And no other: which are still muted stands on the reminder."""
    alerter = fire_and_resolve(desk)
    desk.delivered("hook")
    desk.delivered("mail")
    fire_again(desk, alerter)
    assert desk.muted[2] == ("hook", "mail")
    alerter.tick()
    assert len(desk.told) == 3
    desk.delivered_before("hook")
    for _ in range(3):
        desk.clock.advance(1_000)
        alerter.tick()
    assert desk.told[3:] == [("firing", "firing", True, "reminder")]
    assert desk.muted[3] == ("mail",)
    assert not desk.records()[0].is_announced
    desk.delivered_before("mail")
    for _ in range(3):
        desk.clock.advance(1_000)
        alerter.tick()
    assert desk.told[4:] == [("firing", "firing", True, "reminder")]
    assert desk.muted[4] == ()
    assert desk.records()[0].is_announced


def test_no_channel_stands_at_resolved_while_the_alert_fires(desk: Desk) -> None:
    """After half a minute of firing it is told, whatever its cooldown; one that was never told it is over waits."""
    alerter = fire_and_resolve(desk)
    desk.delivered("hook")
    desk.delivered("mail", word="firing")
    fire_again(desk, alerter)
    desk.clock.advance(29_000)
    alerter.tick()
    assert len(desk.told) == 3
    for _ in range(3):
        desk.clock.advance(1_000)
        alerter.tick()
    assert desk.told[3:] == [("firing", "firing", True, "reminder")]
    assert desk.muted[3] == ("mail",)


def test_a_flap_that_is_over_sooner_is_not_told(desk: Desk) -> None:
    alerter = fire_and_resolve(desk)
    desk.delivered("hook")
    fire_again(desk, alerter)
    for _ in range(4):
        desk.clock.advance(1_000)
        desk.close(requests(ok=900))
        alerter.work()
        alerter.tick()
    assert [after for _, after, _, _ in desk.told[2:]] == ["firing", "resolved"]


def test_when_no_channel_is_known_any_more_all_are_reminded(desk: Desk) -> None:
    """The hash has expired, so every cooldown has lapsed; channels that told of the episode know it themselves."""
    alerter = fire_and_resolve(desk)
    desk.delivered("hook")
    fire_again(desk, alerter)
    desk.connection.command("DEL", desk.keys.quiet(desk.records()[0].alert_id))
    for _ in range(3):
        desk.clock.advance(1_000)
        alerter.tick()
    assert desk.told[3:] == [("firing", "firing", True, "reminder")]
    assert desk.muted[3] == ()


def test_an_announced_firing_earns_no_reminder(desk: Desk) -> None:
    """What was sent is not sent again."""
    alerter = desk.alerter(RATIO)
    fire_again(desk, alerter)
    desk.clock.advance(60_000)
    alerter.tick()
    assert len(desk.told) == 1


@pytest.mark.parametrize("change", [('"error"', '"critical"'), ("window", 'cooldown = "1m"\nwindow')])
def test_worse_news_or_another_setting_breaks_the_cooldown(desk: Desk, change: tuple[str, str]) -> None:
    """A mute that was meant for something else does not count."""
    fire_and_resolve(desk)
    desk.delivered("hook")
    fire_again(desk, desk.alerter(RATIO.replace(*change)))
    assert desk.told[2:] == [("inactive", "firing", True, "")]
    assert desk.muted[2] == ()


@pytest.mark.parametrize("tag", ["critical 300000", "error 300000"])
def test_milder_or_equal_news_waits(desk: Desk, tag: str) -> None:
    alerter = fire_and_resolve(desk)
    desk.delivered("hook", tag=tag)
    fire_again(desk, alerter)
    assert desk.muted[2] == ("hook",)


def test_an_entry_that_cannot_be_read_mutes_nothing(desk: Desk) -> None:
    """A doubt must not mute an alert."""
    alerter = fire_and_resolve(desk)
    desk.connection.command("HSET", desk.keys.quiet(desk.entries[0].alert_id), "hook", "until tomorrow")
    fire_again(desk, alerter)
    assert desk.muted[2] == ()


def test_an_alert_that_grows_more_severe_while_it_fires_is_told_again(desk: Desk) -> None:
    """With a rule edited upwards people hear of it at once, on every channel."""
    fire_again(desk, desk.alerter(RATIO))
    desk.delivered("hook", word="firing")
    fire_again(desk, desk.alerter(RATIO.replace('"error"', '"critical"')))
    assert desk.told[1:] == [("firing", "firing", True, "")]
    assert desk.muted[1] == ()
    assert desk.entries[1].severity is Severity.CRITICAL


def test_a_quiet_firing_recovers_while_the_cooldown_runs(desk: Desk) -> None:
    """The reminder that waits for it must not hold back what is noted of its recovery."""
    alerter = desk.alerter(RATIO + 'keep_firing_for = "2s"')
    for pane in (requests(errors=30), *[requests(ok=30)] * 5):
        desk.close(pane)
        alerter.work()
    desk.delivered("hook")
    for pane in (requests(errors=90), *[requests(ok=900)] * 4):
        desk.close(pane)
        alerter.work()
    assert desk.told[2:] == [("inactive", "firing", True, ""), ("firing", "resolved", True, "")]
    assert desk.muted[2:] == [("hook",), ()]


def test_another_cooldown_frees_a_firing_that_was_held_back(desk: Desk) -> None:
    """A day's mute that was taken out of the rule does not last the day."""
    fire_and_resolve(desk)
    desk.delivered("hook")
    fire_again(desk, desk.alerter(RATIO))
    alerter = desk.alerter(RATIO + 'cooldown = "1m"')
    fire_again(desk, alerter)
    assert desk.told[3:] == [("firing", "firing", True, "")]
    assert desk.muted[3] == ()
    fire_again(desk, alerter)
    assert len(desk.told) == 4
