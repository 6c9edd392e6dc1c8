"""What a rule asks for is done: its services, its summary, and its end when it is taken away."""

from tests.integration.alerter.desk import COUNTING, RATIO, Desk
from tests.unit.alerter.build import requests


def test_an_alert_of_a_removed_rule_is_ended(desk: Desk) -> None:
    """Nobody waits for a resolution that cannot come."""
    desk.close(requests(errors=9))
    desk.alerter(RATIO).work()
    desk.close(requests(errors=9))
    desk.alerter(COUNTING.replace("5", "500")).work()
    assert desk.told[1:] == [("firing", "resolved", True, "rule_removed")]


def test_a_rule_can_be_meant_for_some_services(desk: Desk) -> None:
    """Patterns of names, as a shell has them."""
    desk.close(requests(errors=9))
    desk.alerter(RATIO + 'services = ["shop-*"]').work()
    assert desk.told == []


def test_a_broken_template_never_costs_the_alert(desk: Desk) -> None:
    """A plain line takes its place, and the failure is counted."""
    alerter = desk.alerter(RATIO + "summary = '{{ 1 / (errors - 9) }}'")
    desk.close(requests(errors=9))
    alerter.work()
    assert desk.entries[0].summary == "ranker: error_rate > 0.5, now 1"
    assert alerter.counters["template_errors"] == 1
