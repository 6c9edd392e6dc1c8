"""Silences and inhibition hold firings back when they would be sent, and let them go with the value of then."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import pytest

from barograph_core.alerts.acknowledgement import Acknowledgement
from barograph_core.alerts.record import AlertRecord, AlertState, Severity
from barograph_core.alerts.state import ServiceState, alert_field
from barograph_core.alerts.transition import Transition, transition_of
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.keyspace.layout import Layout
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_hash
from barograph_core.silences.book import SilenceBook
from barograph_core.silences.silence import Silence, parse_matchers
from barograph_notifier.muting.inhibition import DEFAULT_INHIBITIONS
from barograph_notifier.muting.muting import Muting
from tests.integration.notifier.harness import NotifierHarness
from tests.support import FakeClock
from tests.unit.core.silences.samples import HOUR, SILENCE
from tests.unit.notifier.samples import FIRING, RESOLVED

WARNING: Final = AlertRecord(
    alert_id="a1",
    rule="slow",
    service="ranker",
    labels={"route": "/predict"},
    severity=Severity.WARNING,
    state=AlertState.FIRING,
    episode_ms=1_000,
    changed_at_ms=2_000,
    breached_to_ms=1_000,
    number=1,
    value=0.5,
    summary="p95 is 500 ms",
)
CRITICAL: Final = replace(WARNING, alert_id="b2", rule="down", severity=Severity.CRITICAL, summary="down")


class Stage:
    """A notifier, and the alerts and silences of its shard."""

    def __init__(self, connection: Connection, keys: ShardKeys, clock: FakeClock) -> None:
        self.connection, self.keys, self.clock = connection, keys, clock
        self.notifier = NotifierHarness(connection, keys, clock, inhibitions=DEFAULT_INHIBITIONS)
        self.book = SilenceBook(connection, Layout(keys.prefix, tags=(keys.tag,)))
        self._version = 0

    def hold(self, record: AlertRecord) -> None:
        """Lay a record into the state, as an alerter does with the entry in one step."""
        self._version += 1
        key = self.keys.state(record.service)
        self.connection.command("HSET", self.keys.closed, record.service, 1_000)
        self.connection.command("HSET", key, alert_field(record.alert_id), record.to_json(), "version", self._version)

    def fire(self, *records: AlertRecord) -> None:
        for record in records:
            self.hold(record)
        self.deliver(*(transition_of(one, before=AlertState.PENDING, at_ms=2_000, notify=True) for one in records))

    def end(self, record: AlertRecord) -> None:
        self._version += 1
        key = self.keys.state(record.service)
        self.connection.command("HDEL", key, alert_field(record.alert_id))
        self.connection.command("HSET", key, "version", self._version)
        over = replace(record, state=RESOLVED, number=record.number + 1)
        self.deliver(transition_of(over, before=FIRING, at_ms=3_000, notify=True))

    def deliver(self, *transitions: Transition) -> None:
        self.notifier.deliver(*transitions)

    def silence(self, *matchers: str, ends_ms: int | None = None, starts_in_ms: int = 0) -> Silence:
        now_ms = self.clock.now_ms()
        draft = replace(
            SILENCE,
            matchers=parse_matchers(matchers),
            starts_ms=now_ms + starts_in_ms,
            ends_ms=now_ms + HOUR if ends_ms is None else ends_ms,
        )
        return self.book.add(draft, now_ms)

    def look(self) -> None:
        """Let the notifier read and send what there is."""
        self.notifier.handle()
        self.clock.advance(1_000)
        self.notifier.handler.tick(self.clock.now_ms())
        self.notifier.send()

    @property
    def sent(self) -> Sequence[tuple[str, str, str]]:
        """Return (rule, status, reason) of each message."""
        return [(one.rule, one.status, one.reason) for one, _ in self.notifier.channel.sent]


@pytest.fixture
def stage(real: Connection, keys: ShardKeys, clock: FakeClock) -> Stage:
    return Stage(real, keys, clock)


def test_a_silenced_firing_is_held_back_and_counted_once(stage: Stage) -> None:
    """However often it is looked at; the record says by which silence."""
    silence = stage.silence("route=/predict")
    stage.fire(WARNING)
    for _ in range(3):
        stage.clock.advance(61_000)
        stage.notifier.send()
    assert stage.sent == []
    assert stage.notifier.deliveries() == [("held", f"silenced {silence.silence_id}")]
    assert stage.book.find(silence.silence_id).hits == 1
    assert stage.notifier.pending() == 0


def test_what_a_silence_does_not_mean_is_sent(stage: Stage) -> None:
    stage.silence("route=/other")
    stage.silence("route=/predict", starts_in_ms=60_000)
    stage.fire(WARNING)
    assert stage.sent == [("slow", "firing", "")]


def test_an_alert_that_still_fires_is_told_when_the_silence_is_over(stage: Stage) -> None:
    """By its own end; with the value of then, and why it is told now."""
    stage.silence("route=/predict", ends_ms=stage.clock.now_ms() + 30_000)
    stage.fire(WARNING)
    stage.hold(replace(WARNING, value=0.9, summary="p95 is 900 ms"))
    stage.clock.advance(29_999)
    stage.notifier.send()
    assert stage.sent == []
    stage.clock.advance(1)
    stage.notifier.send()
    assert stage.sent == [("slow", "firing", "silence_ended")]
    told, _ = stage.notifier.channel.sent[0]
    assert (told.value, told.summary) == (0.9, "p95 is 900 ms")


def test_a_silence_that_is_ended_by_hand_lets_go_at_once(stage: Stage) -> None:
    """The notifier reads of it on the alerts stream; it waits for no timer."""
    silence = stage.silence("route=/predict")
    stage.fire(WARNING)
    stage.book.end(silence.silence_id, actor="ann", note="", now_ms=stage.clock.now_ms())
    stage.notifier.handle()
    stage.notifier.send()
    assert stage.sent == [("slow", "firing", "silence_ended")]
    assert stage.notifier.pending() == 0


def test_a_silence_with_a_later_end_goes_on(stage: Stage) -> None:
    silence = stage.silence("route=/predict", ends_ms=stage.clock.now_ms() + 30_000)
    stage.fire(WARNING)
    stage.book.change(silence.silence_id, replace(silence, ends_ms=silence.starts_ms + HOUR), stage.clock.now_ms() + 10)
    stage.look()
    stage.clock.advance(60_000)
    stage.notifier.send()
    assert stage.sent == []
    assert stage.book.find(silence.silence_id).hits == 1


def test_an_alert_that_ends_while_it_is_silenced_is_never_told(stage: Stage) -> None:
    """Neither its begin nor its end."""
    stage.silence("route=/predict")
    stage.fire(WARNING)
    stage.end(WARNING)
    stage.look()
    assert stage.sent == []
    assert stage.notifier.deliveries()[1:] == [("suppressed", "superseded"), ("suppressed", "not_delivered")]
    assert stage.notifier.waiting() == []


def test_the_end_of_an_alert_that_was_told_before_the_silence_is_told(stage: Stage) -> None:
    """Otherwise an incident would stay open with whoever was told."""
    stage.fire(WARNING)
    stage.silence("route=/predict")
    stage.end(WARNING)
    assert stage.sent == [("slow", "firing", ""), ("slow", "resolved", "")]


def test_a_critical_alert_holds_back_what_is_less_severe(stage: Stage) -> None:
    """Of the same service and labels, whichever of both comes first on the stream."""
    stage.fire(WARNING, CRITICAL)
    assert stage.sent == [("down", "firing", "")]
    assert ("held", "inhibited b2") in stage.notifier.deliveries()


@pytest.mark.parametrize(
    "other",
    [replace(WARNING, labels={"route": "/b"}), replace(WARNING, service="shop"), replace(CRITICAL, alert_id="c3")],
    ids=["labels", "service", "severity"],
)
def test_it_holds_nothing_else_back(stage: Stage, other: AlertRecord) -> None:
    stage.fire(CRITICAL, other)
    assert len(stage.sent) == 2


def test_what_was_held_back_is_told_when_the_critical_alert_ends(stage: Stage) -> None:
    stage.fire(CRITICAL, WARNING)
    stage.end(CRITICAL)
    stage.look()
    assert stage.sent[0] == ("down", "firing", "")
    assert set(stage.sent[1:]) == {("down", "resolved", ""), ("slow", "firing", "inhibition_ended")}
    assert stage.notifier.waiting() == []


def test_when_both_end_only_the_critical_alert_is_told(stage: Stage) -> None:
    stage.fire(CRITICAL, WARNING)
    stage.end(WARNING)
    stage.end(CRITICAL)
    stage.look()
    assert stage.sent == [("down", "firing", ""), ("down", "resolved", "")]


def test_a_silenced_alert_still_holds_others_back(stage: Stage) -> None:
    """As in Alertmanager: who silences the cause does not want to hear of what follows."""
    stage.silence("rule=down")
    stage.fire(CRITICAL, WARNING)
    assert stage.sent == []


def test_a_silence_can_take_over_from_an_inhibition(stage: Stage) -> None:
    """Each reason is on record once."""
    stage.fire(CRITICAL, WARNING)
    silence = stage.silence("rule=slow")
    stage.end(CRITICAL)
    stage.look()
    assert stage.sent == [("down", "firing", ""), ("down", "resolved", "")]
    assert [one for one in stage.notifier.deliveries() if one[0] == "held"] == [
        ("held", "inhibited b2"),
        ("held", f"silenced {silence.silence_id}"),
    ]


@pytest.mark.parametrize(("reason", "expected"), [("repeat", "acknowledged"), ("", ""), ("ack_expired", "")])
def test_an_acknowledged_alert_is_not_repeated(stage: Stage, reason: str, expected: str) -> None:
    """All else that there is to say of it is said."""
    muting = Muting(stage.connection, stage.keys, stage.clock)
    told = transition_of(WARNING, before=FIRING, at_ms=2_000, notify=True, reason=reason)
    stage.hold(WARNING)
    assert muting.mute_of(told) is None
    stage.hold(replace(WARNING, ack=Acknowledgement(actor="ann", at_ms=1)))
    mute = muting.mute_of(told)
    assert (mute.reason if mute else "") == expected


def test_an_entry_of_an_unknown_kind_is_passed_over(stage: Stage) -> None:
    """Not a dead letter: a newer version wrote it."""
    stage.connection.command("XADD", stage.keys.alerts, "*", "kind", "marker", "title", "api 2.15")
    stage.fire(WARNING)
    assert stage.sent == [("slow", "firing", "")]
    assert (stage.notifier.pending(), stage.notifier.counters["entries_passed_over"]) == (0, 1)


def shown(stage: Stage) -> list[tuple[str, ...]]:
    """Return by whom each alert of the service is held back, for those who look at alerts."""
    fields = as_hash(stage.connection.command("HGETALL", stage.keys.state(WARNING.service)))
    return [one.inhibited_by for one in ServiceState.from_hash(fields).shown if one.alert_id == WARNING.alert_id]


def test_who_looks_at_an_alert_sees_which_one_holds_it_back(stage: Stage) -> None:
    """While that one fires; then, and once it is told, nothing holds it back."""
    stage.fire(CRITICAL, WARNING)
    assert shown(stage) == [(CRITICAL.alert_id,)]
    stage.end(CRITICAL)
    stage.look()
    assert ("slow", "firing", "inhibition_ended") in stage.sent
    assert shown(stage) == [()]
    assert stage.connection.command("HEXISTS", stage.keys.state(WARNING.service), f"inhibited:{WARNING.alert_id}") == 0


def test_an_alert_that_ends_while_it_is_held_back_leaves_no_note(stage: Stage) -> None:
    stage.fire(CRITICAL, WARNING)
    stage.end(WARNING)
    stage.look()
    assert stage.connection.command("HEXISTS", stage.keys.state(WARNING.service), f"inhibited:{WARNING.alert_id}") == 0
