"""An alert that fires again and again is one incident to people: one notice, updates, and one notice at its end."""

import json
from collections.abc import Callable, Sequence
from typing import Final

import pytest

from barograph_core.alerts.acknowledgement import Acknowledgement
from barograph_core.alerts.actions import apply_by_hand
from barograph_core.alerts.by_hand import acknowledge, resolve_by_hand
from barograph_core.alerts.record import AlertRecord, AlertState
from barograph_core.alerts.state import ServiceState
from barograph_core.alerts.transition import Transition
from barograph_core.keyspace.layout import Layout
from barograph_core.server.replies import as_hash
from tests.integration.notifier.harness import NotifierHarness
from tests.virtual_pipeline import SERVICE, T0, VirtualPipeline, VirtualProducer, request

# A second with errors fires, the next one without them resolves: every four seconds, seven times.
BAD: Final = range(2, 27, 4)
RULE: Final = """
[[rule]]
name = "r"
on = "request"
window = "1s"
when = "errors >= 3"
fire_on = "closed"
cooldown = "6s"
flapping = { firings = 3, within = "20s", calm = 1 }
"""
Pipelines = Callable[..., VirtualPipeline]


class Scene:
    """A pipeline with one rule, and a channel that sends at once and always arrives."""

    def __init__(self, virtual: Pipelines, rule: str = RULE, bad: Sequence[int] = BAD, last_s: int = 50) -> None:
        self.world = virtual(tick_ms=500)
        self.rule = rule
        self.alerter = self.world.alerter(rule)
        self.api: VirtualProducer = self.world.producer()
        self.notifier = NotifierHarness(self.world.connection, self.world.keys, self.world.clock)
        self.world.each_second(range(last_s), self._send)
        self._bad = frozenset(bad)

    def _send(self, second: int, at_ms: int) -> None:
        self.api.send("request", [request(at_ms, 500 if second in self._bad else 200)] * 4)
        self.notifier.handle()
        self.notifier.send()

    @property
    def entries(self) -> list[tuple[int, str, str, str]]:
        """Return second of the pane, state, reason and flag of each entry from the third firing on."""
        return [
            (round((one.at_ms - T0) / 1_000), one.after.value, one.reason, one.flag)
            for one in self.world.transitions[4:]
        ]

    @property
    def messages(self) -> list[tuple[str, str]]:
        """Return status and reason of each message that the channel sent."""
        return [(one.status, one.reason) for one, _ in self.notifier.channel.sent]

    @property
    def state(self) -> ServiceState:
        return ServiceState.from_hash(as_hash(self.world.connection.command("HGETALL", self.world.keys.state(SERVICE))))

    def act(self, decide: Callable[[AlertRecord], tuple[AlertRecord, Transition]]) -> None:
        layout = Layout(self.world.keys.prefix, tags=(self.world.keys.tag,))
        (record,) = self.state.records.values()
        apply_by_hand(self.world.connection, layout, record.alert_id, decide)


def test_a_flapping_alert_is_told_once_updated_and_told_when_it_is_calm(virtual: Pipelines) -> None:
    """Three firings in 20 s begin it; it ends when no more than one is left within 20 s, as resolved."""
    scene = Scene(virtual)
    scene.world.run_until(50)
    begin, *updates, end = (one for one in scene.entries if one[1:3] != ("resolved", "flapping"))
    assert begin[1:] == ("firing", "flapping", "flapping")
    assert [one[1:] for one in updates] == [("firing", "flapping", "")] * 4
    assert end[1:] == ("resolved", "flapping_ended", "flapping_ended")
    # The sixth firing, of the pane that ends at 23 s, no longer counts at the pane that ends at 43 s.
    assert end[0] in (43, 44)
    # Each channel hears of an update once a cooldown, and of no end but the last.
    assert scene.messages == [
        ("firing", ""),
        ("resolved", ""),
        ("firing", "flapping"),
        ("firing", "flapping"),
        ("firing", "flapping"),
        ("resolved", "flapping_ended"),
    ]
    assert scene.state.is_empty


def test_all_messages_of_an_incident_belong_together(virtual: Pipelines) -> None:
    """Channels that open incidents update and close the one with which it began."""
    scene = Scene(virtual)
    scene.world.run_until(50)
    messages = [one for one, _ in scene.notifier.channel.sent]
    assert len({one.episode for one in messages[2:]}) == 1
    assert messages[2].summary.startswith("flapping, fired 3 times in 20s: ")
    assert messages[-1].summary.startswith("no longer flapping: ")


def test_an_alert_that_keeps_firing_is_told_as_steady_and_ends_as_any_other(virtual: Pipelines) -> None:
    """Its end closes the incident that began with the flapping."""
    scene = Scene(virtual, bad=[2, 6, 10, 14, *range(18, 45)])
    scene.world.run_until(50)
    assert scene.messages[-2:] == [("firing", "flapping_ended"), ("resolved", "")]
    assert len({one.episode for one, _ in scene.notifier.channel.sent[2:]}) == 1
    assert not any(record.is_flapping for record in scene.state.records.values())


@pytest.mark.parametrize("restart_s", [3, 9, 11, 17, 27, 35, 42])
def test_a_restart_changes_nothing(virtual: Pipelines, restart_s: int) -> None:
    """What is counted is on the server; an alerter that starts in the middle goes on with it."""
    undisturbed = Scene(virtual)
    undisturbed.world.run_until(50)
    again = Scene(virtual)
    again.world.at(restart_s, lambda: again.world.alerters.remove(again.alerter))
    again.world.at(restart_s + 2, lambda: again.world.alerter(again.rule))
    again.world.run_until(50)

    def moved(one: Scene) -> list[tuple[str, str, int, str, str]]:
        return [
            (entry.before.value, entry.after.value, entry.episode_ms, entry.reason, entry.flag)
            for entry in one.world.transitions
        ]

    assert moved(again) == moved(undisturbed)
    assert again.messages[-1] == ("resolved", "flapping_ended")


def test_one_that_is_switched_off_tells_every_firing(virtual: Pipelines) -> None:
    rule = RULE.replace('flapping = { firings = 3, within = "20s", calm = 1 }', "flapping = false")
    scene = Scene(virtual, rule.replace("6s", "0s"))
    scene.world.run_until(32)
    assert scene.messages == [("firing", ""), ("resolved", "")] * 7
    assert scene.state.flaps == {}


def test_a_rise_in_severity_is_told_in_spite_of_it(virtual: Pipelines) -> None:
    """People who were told of a warning hear that it is critical, within the cooldown too."""
    levels = """levels = [
      { severity = "warning", when = "errors >= 3" },
      { severity = "critical", when = "errors >= 6" },
    ]"""
    scene = Scene(virtual, RULE.replace('when = "errors >= 3"', levels).replace("6s", "10m"))
    scene.world.at(14.3, lambda: scene.api.send("request", [request(T0 + 14_150, 500)] * 4))
    scene.world.run_until(32)
    told = [(one.severity.value, one.reason) for one, _ in scene.notifier.channel.sent if one.status == "firing"]
    assert told == [("warning", ""), ("warning", "flapping"), ("critical", "flapping")]


def test_an_acknowledgement_lasts_through_the_flaps(virtual: Pipelines) -> None:
    """Who looks after it is not told of each; the end is told to all."""
    scene = Scene(virtual)
    ack = Acknowledgement(actor="ann", at_ms=T0, note="on it")
    scene.world.at(11.6, lambda: scene.act(lambda record: acknowledge(record, ack)))
    scene.world.run_until(11.5)
    assert [one.state for one in scene.state.records.values()] == [AlertState.FIRING]
    scene.world.run_until(50)
    assert [one for one in scene.entries if one[2] == "acknowledged"] != []
    assert scene.messages[2:] == [("firing", "flapping"), ("resolved", "flapping_ended")]


def test_a_resolution_by_hand_ends_it(virtual: Pipelines) -> None:
    """It is told, and nothing more of that incident."""
    scene = Scene(virtual, bad=[2, 6, 10, 11, 12, 13])
    scene.world.at(13.1, lambda: scene.act(lambda record: resolve_by_hand(record, actor="ann", note="", now_ms=T0)))
    scene.world.run_until(50)
    assert scene.messages[2:] == [("firing", "flapping"), ("resolved", "resolved_by_hand")]
    assert scene.state.is_empty


def test_the_end_of_the_rule_ends_it(virtual: Pipelines) -> None:
    """Also while the alert is clear: its incident is open where it was told."""
    scene = Scene(virtual, bad=[2, 6, 10, 14])
    scene.world.at(17.1, lambda: scene.world.alerters.remove(scene.alerter))
    scene.world.at(17.2, lambda: scene.world.alerter(RULE.replace('"r"', '"other"')))
    scene.world.run_until(25)
    assert scene.messages[-1] == ("resolved", "rule_removed")
    assert scene.state.is_empty


def test_what_is_stored_of_firings_is_forgotten(virtual: Pipelines) -> None:
    """Each firing that still counts is on the server, and nothing of it 20 s later."""
    scene = Scene(virtual, bad=[2, 6])
    scene.world.run_until(10)
    (text,) = (
        text
        for name, text in as_hash(scene.world.connection.command("HGETALL", scene.world.keys.state(SERVICE))).items()
        if name.startswith("flaps:")
    )
    assert json.loads(text) == {"rule": "r", "fired_ms": [T0 + 3_000, T0 + 7_000]}
    scene.world.run_until(30)
    assert scene.state.is_empty
