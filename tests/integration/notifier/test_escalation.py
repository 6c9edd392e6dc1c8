"""An alert that no one acknowledges is told to further channels, each in its time, on every kind of server."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from barograph_core.alerts.acknowledgement import Acknowledgement
from barograph_core.alerts.record import AlertRecord, AlertState, Severity
from barograph_core.alerts.state import alert_field
from barograph_core.alerts.transition import Transition, transition_of
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.matching.matcher import Matcher
from barograph_core.server.connection import Connection
from barograph_notifier.channel import Retry, Sent
from barograph_notifier.escalation.escalation import Escalation, Step
from barograph_notifier.routing.route import Route
from tests.integration.notifier.harness import CHANNEL, NotifierHarness
from tests.integration.notifier.receiver import Receiver, running_receiver
from tests.integration.pipeline import running_pipeline
from tests.support import FakeClock, wait_until
from tests.unit.core.alerts.samples import RECORD
from tests.unit.notifier.samples import Recorder

PHONES, BOSS = "phones", "boss"
_MINUTE_MS = 60_000
_ESCALATIONS = (
    Escalation(
        {"severity": Matcher.parse(RECORD.severity.value)},
        (Step(10 * _MINUTE_MS, (PHONES,)), Step(30 * _MINUTE_MS, (PHONES, BOSS))),
    ),
    Escalation({}, (Step(_MINUTE_MS, ("never",)),)),
)


_PROCESS_CONFIG = """
[[channel]]
name = "first"
type = "webhook"
url = "{first}"
allow_private = true

[[channel]]
name = "further"
type = "webhook"
url = "{further}"
allow_private = true

[[route]]
rules = "high-error-rate"
channels = ["first"]

[[escalation]]
match = {{ rule = "high-error-rate" }}
steps = [{{ after = "10s", channels = ["further"] }}]
"""


class Watch:
    """The channel of the route, two further ones, and the alert's record, in virtual time."""

    def __init__(self, connection: Connection, keys: ShardKeys, clock: FakeClock) -> None:
        self.connection, self.keys, self.clock = connection, keys, clock
        clock.advance(2 * 10**12 - clock.now_ms())
        self.hook = self.make(CHANNEL, Recorder())
        self.further = [self.make(name, Recorder(), routes=()) for name in (PHONES, BOSS)]

    def make(self, name: str, channel: Recorder, routes: tuple[Route, ...] | None = None) -> NotifierHarness:
        return NotifierHarness(
            self.connection,
            self.keys,
            self.clock,
            channel,
            channel_name=name,
            routes=(Route(channels=(CHANNEL,)),) if routes is None else routes,
            escalations=_ESCALATIONS,
        )

    @property
    def told(self) -> list[list[tuple[str, str]]]:
        """Return status and reason of what each further channel was sent."""
        return [[(given.status, given.reason) for given, _ in one.channel.sent] for one in self.further]

    def keep(self, record: AlertRecord) -> None:
        self.connection.command("HSET", self.keys.state(record.service), alert_field(record.alert_id), record.to_json())

    def fire(self, record: AlertRecord = RECORD) -> Transition:
        self.keep(record)
        fired = transition_of(record, before=AlertState.PENDING, at_ms=self.clock.now_ms(), notify=True)
        self.write(fired)
        return fired

    def resolve(self) -> None:
        over = replace(RECORD, state=AlertState.RESOLVED, number=RECORD.number + 1)
        self.keep(over)
        self.write(transition_of(over, before=AlertState.FIRING, at_ms=self.clock.now_ms(), notify=True))

    def write(self, transition: Transition) -> None:
        # The id of the entry is that of the test's clock, not the server's.
        self.connection.command("XADD", self.keys.alerts, f"{self.clock.now_ms()}-*", *transition.to_fields())
        for one in (self.hook, *self.further):
            one.handle()

    def wait(self, minutes: float) -> None:
        """Let the time pass in steps, as senders see it."""
        for _ in range(round(minutes * 2)):
            self.clock.advance(_MINUTE_MS // 2)
            for one in (self.hook, *self.further):
                one.send()


@pytest.fixture
def watch(connection: Connection, keys: ShardKeys, clock: FakeClock) -> Watch:
    return Watch(connection, keys, clock)


def test_each_step_is_told_in_its_time_and_the_end_where_a_step_was(watch: Watch) -> None:
    watch.fire()
    watch.hook.send()
    watch.wait(9.5)
    assert watch.told == [[], []]
    watch.wait(0.5)
    assert watch.told == [[("firing", "escalated")], []]
    watch.wait(20)
    assert watch.told == [[("firing", "escalated"), ("firing", "escalated")], [("firing", "escalated")]]
    watch.resolve()
    watch.wait(0.5)
    assert [one[-1] for one in watch.told] == [("resolved", ""), ("resolved", "")]
    keys = [key for one in watch.further for _, key in one.channel.sent]
    assert len(set(keys)) == len(keys)


def test_the_time_runs_from_the_first_delivery(watch: Watch) -> None:
    """Not from the firing: while no channel takes it, no one could have acknowledged it."""
    watch.hook = watch.make(CHANNEL, Recorder([Retry(None, "down"), Sent("ok")]))
    watch.fire()
    watch.hook.send()
    watch.wait(5)
    assert watch.hook.channel.statuses == ["firing", "firing"]
    sent = next(note for note in watch.hook.notes(watch.keys.deliveries) if note["result"] == b"sent")
    while not watch.told[0]:
        watch.wait(0.5)
    assert 0 <= watch.clock.now_ms() - int(sent["at_ms"]) - 10 * _MINUTE_MS <= _MINUTE_MS // 2


def test_a_resolution_stops_it(watch: Watch) -> None:
    watch.fire()
    watch.hook.send()
    watch.wait(5)
    watch.resolve()
    watch.wait(30)
    assert watch.told == [[], []]
    assert [one.waiting() for one in watch.further] == [[], []]


def test_an_acknowledgement_holds_it_back_for_as_long_as_it_lasts(watch: Watch) -> None:
    """When it expires and the alert still fires, someone else has to look."""
    watch.fire()
    watch.hook.send()
    until_ms = watch.clock.now_ms() + 40 * _MINUTE_MS
    watch.keep(replace(RECORD, ack=Acknowledgement(actor="kim", at_ms=1, until_ms=until_ms)))
    watch.wait(35)
    assert watch.told == [[], []]
    held = [note["reason"] for note in watch.hook.notes(watch.keys.deliveries) if note["result"] == b"held"]
    assert held == [b"acknowledged"] * 3
    watch.wait(7)
    assert [len(one) for one in watch.told] == [1, 1]


def test_an_end_that_came_before_the_step_was_queued_stops_it_too(watch: Watch) -> None:
    """The delivery was under way when the alert ended, so the further channels knew of nothing."""
    watch.fire()
    watch.resolve()
    slow = watch.make("slow", Recorder(), routes=(Route(channels=("slow",)),))
    late = transition_of(RECORD, before=AlertState.PENDING, at_ms=watch.clock.now_ms(), notify=True)
    slow.deliver(late)
    watch.wait(31)
    assert watch.told == [[], []]


def test_a_repetition_of_a_recorded_delivery_queues_nothing_twice(watch: Watch) -> None:
    """A sender that dies between its message and the record sends once more; a second channel tells later."""
    fired = watch.fire()
    watch.hook.send()
    watch.wait(2)
    second = watch.make("second", Recorder(), routes=(Route(channels=("second",)),))
    second.deliver(fired)
    watch.wait(30)
    assert [len(one) for one in watch.told] == [2, 1]


def test_a_rise_in_severity_does_not_start_it_again(watch: Watch) -> None:
    watch.fire()
    watch.hook.send()
    watch.wait(5)
    risen = replace(RECORD, severity=Severity.CRITICAL, number=RECORD.number + 1)
    watch.keep(risen)
    watch.write(transition_of(risen, before=AlertState.FIRING, at_ms=watch.clock.now_ms(), notify=True))
    watch.wait(35)
    assert [len(one) for one in watch.told] == [2, 1]


def test_the_next_episode_has_an_escalation_of_its_own(watch: Watch) -> None:
    watch.fire()
    watch.hook.send()
    watch.wait(12)
    watch.resolve()
    watch.wait(1)
    watch.fire(replace(RECORD, episode_ms=RECORD.episode_ms + 5, number=RECORD.number + 2))
    watch.wait(12)
    assert watch.told[0] == [("firing", "escalated"), ("resolved", ""), ("firing", "escalated")]


def test_a_step_on_the_channel_of_the_route_is_a_message_of_its_own(
    connection: Connection, keys: ShardKeys, clock: FakeClock
) -> None:
    """It does not overtake the first message, which waits in the same queue."""
    clock.advance(2 * 10**12 - clock.now_ms())
    escalations = (Escalation({}, (Step(_MINUTE_MS, (CHANNEL,)), Step(2 * _MINUTE_MS, (CHANNEL,)))),)
    hook = NotifierHarness(connection, keys, clock, escalations=escalations)
    connection.command("HSET", keys.state(RECORD.service), alert_field(RECORD.alert_id), RECORD.to_json())
    hook.deliver(transition_of(RECORD, before=AlertState.PENDING, at_ms=clock.now_ms(), notify=True))
    for _ in range(5):
        clock.advance(_MINUTE_MS // 2)
        hook.send()
    assert [(given.status, given.reason) for given, _ in hook.channel.sent] == [
        ("firing", ""),
        ("firing", "escalated"),
        ("firing", "escalated"),
    ]


def test_a_step_survives_the_kill_of_every_notifier(valkey_url: str, keys: ShardKeys, tmp_path: Path) -> None:
    """Its time lies on the server; whoever comes next sends it, once."""
    with running_receiver() as first, running_receiver() as further:
        config = _PROCESS_CONFIG.format(first=first.url, further=further.url)
        with running_pipeline(valkey_url, keys, tmp_path, config) as pipeline:
            producer = pipeline.producer()

            def fail_until(receiver: Receiver) -> bool:
                """Keep the alert firing, however long a slow machine takes, and say whether a message has come."""
                producer.request(route="/predict", method="GET", status=500, duration_ms=1.0)
                return bool(receiver.received)

            wait_until(lambda: fail_until(first), what="the first message")
            notifier = pipeline.processes[-1]
            notifier.kill()
            notifier.wait(20)
            options = ["--url", valkey_url, "--prefix", keys.prefix, "--config", str(tmp_path / "barograph.toml")]
            again = subprocess.Popen([sys.executable, "-m", "barograph_notifier", *options])
            try:
                wait_until(lambda: fail_until(further), what="the step")
            finally:
                again.terminate()
                again.wait(20)
                producer.close()
    told = [json.loads(got.body) for got in further.received]
    assert [(body["status"], body["reason"]) for body in told] == [("firing", "escalated")]
