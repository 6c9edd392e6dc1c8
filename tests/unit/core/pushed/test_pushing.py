"""Pushed alerts on the server: entries, the list of services, bounds and rivals."""

from dataclasses import replace

import pytest

from barograph_core.alerts.flapping.flaps import Flaps
from barograph_core.alerts.record import AlertState
from barograph_core.alerts.state import ServiceState, flaps_field
from barograph_core.alerts.transition import Transition
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.keyspace.layout import Layout
from barograph_core.pushed import pushing
from barograph_core.pushed.pushed_alert import PushedAlert
from barograph_core.pushed.pushing import PushedAlerts
from barograph_core.server.connection import Connection
from barograph_core.server.link import Reply
from barograph_core.server.replies import as_entries, as_hash
from tests.support import fake_connection

NOW = 1_700_000_000_000
KEYS = ShardKeys()
ONE = PushedAlert(
    service="node", alertname="Down", labels={"instance": "a"}, starts_ms=NOW - 1_000, ends_ms=NOW + 60_000
)


class Desk:
    def __init__(self, connection: Connection | None = None) -> None:
        self.connection = connection or fake_connection()
        self.alerts = PushedAlerts(self.connection, Layout("baro", 0, ("0",), (), {}), 1_000)

    @property
    def told(self) -> list[tuple[str, str]]:
        entries = as_entries(self.connection.command("XRANGE", KEYS.alerts, "-", "+"))
        told = [Transition.from_fields(entry.fields) for entry in entries]
        return [(one.labels.get("instance", ""), one.after.value) for one in told]

    def state(self, service: str = "node") -> ServiceState:
        return ServiceState.from_hash(as_hash(self.connection.command("HGETALL", KEYS.state(service))))


def test_a_push_that_comes_twice_is_one_entry() -> None:
    """The first answer was lost, or two programs watch the same."""
    desk = Desk()
    assert desk.alerts.push([ONE], NOW) == []
    assert desk.alerts.push([ONE], NOW + 5) == []
    assert desk.told == [("a", "firing")]


def test_of_an_alert_that_stands_in_one_push_twice_the_last_word_counts() -> None:
    desk = Desk()
    desk.alerts.push([ONE, replace(ONE, ends_ms=NOW - 1)], NOW)
    assert desk.told == []
    desk.alerts.push([replace(ONE, ends_ms=NOW - 1), ONE], NOW)
    assert desk.told == [("a", "firing")]


def test_it_comes_and_goes_twice() -> None:
    desk = Desk()
    for at in (NOW, NOW + 10_000):
        desk.alerts.push([replace(ONE, starts_ms=at, ends_ms=at + 60_000)], at)
        desk.alerts.push([replace(ONE, starts_ms=at, ends_ms=at + 5_000)], at + 5_001)
    assert [state for _, state in desk.told] == ["firing", "resolved", "firing", "resolved"]
    assert desk.state().records == {}


def test_a_service_that_nothing_is_known_of_is_listed() -> None:
    desk = Desk()
    desk.alerts.push([ONE, replace(ONE, service="web")], NOW)
    closed = as_hash(desk.connection.command("HGETALL", KEYS.closed))
    assert sorted(closed) == ["node", "web"]
    assert all(int(through) % 1_000 == 0 for through in closed.values())


def test_a_push_that_meets_another_writer_looks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody acknowledges the alert between the look and the write."""

    connection = fake_connection()
    desk = Desk(connection)
    real, rivals = connection.call, [1]

    def call(name: str, *arguments: object, **named: object) -> Reply:
        if name == "baro_transition_1" and rivals:
            rivals.pop()
            connection.command("HSET", KEYS.state("node"), "version", 7)
        return real(name, *arguments, **named)  # type: ignore[arg-type]  # handed through

    monkeypatch.setattr(connection, "call", call)
    assert desk.alerts.push([ONE], NOW) == []
    assert desk.told == [("a", "firing")]


def test_there_is_a_bound_on_alerts_of_a_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are there go on being refreshed, and others get their place when they end."""
    monkeypatch.setattr(pushing, "MOST_ALERTS", 2)
    desk = Desk()
    alerts = [replace(ONE, labels={"instance": name}) for name in "abc"]
    refused = desk.alerts.push(alerts, NOW)
    assert [one.alert.labels["instance"] for one in refused] == ["c"]
    assert "2 alerts already" in refused[0].why
    assert desk.alerts.push(alerts[:2], NOW + 1) == []
    desk.alerts.push([replace(alerts[0], ends_ms=NOW)], NOW + 2)
    assert desk.alerts.push([alerts[2]], NOW + 3) == []


def test_what_is_remembered_of_other_alerts_takes_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as how often those of rules have fired lately."""
    monkeypatch.setattr(pushing, "MOST_ALERTS", 2)
    desk = Desk()
    flaps = Flaps(rule="r", fired_ms=(NOW,)).to_json()
    desk.connection.command("HSET", KEYS.state("node"), flaps_field("a"), flaps, flaps_field("b"), flaps)
    alerts = [replace(ONE, labels={"instance": name}) for name in "abc"]
    assert [one.alert.labels["instance"] for one in desk.alerts.push(alerts, NOW)] == ["c"]


def test_there_is_a_bound_on_services(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pushing, "MOST_SERVICES", 1)
    desk = Desk()
    assert desk.alerts.push([ONE], NOW) == []
    (refused,) = desk.alerts.push([replace(ONE, service="web")], NOW)
    assert "'web' would be one more" in refused.why
    assert desk.state("web").records == {}


def test_many_alerts_of_one_service_are_written_in_parts() -> None:
    desk = Desk()
    alerts = [replace(ONE, labels={"instance": str(number)}) for number in range(450)]
    assert desk.alerts.push(alerts, NOW) == []
    assert len(desk.told) == 450
    assert all(one.state is AlertState.FIRING for one in desk.state().records.values())


def test_an_end_of_what_never_began_brings_no_service() -> None:
    desk = Desk()
    assert desk.alerts.push([replace(ONE, ends_ms=NOW - 1)], NOW) == []
    assert desk.connection.command("EXISTS", KEYS.closed, KEYS.alerts) == 0
