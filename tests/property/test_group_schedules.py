"""Groups and repetitions under random schedules in virtual time: every alert is accounted for, and paces are kept.

A schedule fires, worsens and ends alerts of two services, lets time pass, answers as channels do, and kills senders.
"""

import os
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import pytest

from barograph_core.alerts.record import AlertRecord, AlertState, Severity
from barograph_core.alerts.state import alert_field
from barograph_core.alerts.transition import Transition, transition_of
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_list, as_text
from barograph_notifier.channel import Outcome, Refused, Retry, Sent
from barograph_notifier.digest import Digest
from barograph_notifier.notification import Notification
from barograph_notifier.outbox.grouping import Grouping
from tests.integration.notifier.harness import CHANNEL, LEASE_MS, NotifierHarness
from tests.support import FakeClock, fake_connection
from tests.unit.core.alerts.samples import RECORD
from tests.unit.notifier.samples import Recorder

# 10,000 is the full size.
SCHEDULES: Final = int(os.environ.get("BAROGRAPH_GROUP_SCHEDULES", "24"))
SERVICES: Final = ("ranker", "search")
GROUPINGS: Final = (
    Grouping(by=("service",), wait_ms=10_000, interval_ms=60_000),
    Grouping(by=(), wait_ms=5_000, interval_ms=30_000, repeat_ms=dict.fromkeys(Severity, 600_000)),
    Grouping(by=("service", "rule"), wait_ms=0, interval_ms=0, repeat_ms={Severity.CRITICAL: 120_000}),
    Grouping(repeat_ms={Severity.ERROR: 300_000}),
    Grouping(),
)


class KilledError(BaseException):
    """Ends a sender where it stands, as SIGKILL does."""


@dataclass(frozen=True)
class Message:
    """What a channel took, or may have taken.

    Attributes:
        told: (alert, status, episode) of each alert in it.
    """

    at_ms: int
    key: str
    told: tuple[tuple[str, str, int], ...]
    severities: frozenset[Severity]


class Flaky(Recorder):
    """A channel that answers by chance, and whose sender dies by chance before or after it has taken the message."""

    def __init__(self, rng: random.Random, clock: FakeClock) -> None:
        super().__init__()
        self.messages: list[Message] = []
        self.is_calm = False
        self._rng = rng
        self._clock = clock

    def send(self, notification: Notification, *, key: str, timeout_s: float) -> Outcome:
        del timeout_s
        return self._take([notification], key)

    def send_digest(self, digest: Digest, *, key: str, timeout_s: float) -> Outcome:
        del timeout_s
        assert len({alert.alert_id for alert in digest.alerts}) == len(digest.alerts) > 1
        return self._take(digest.alerts, key)

    def _take(self, alerts: Sequence[Notification], key: str) -> Outcome:
        chance = 1.0 if self.is_calm else self._rng.random()
        if chance < 0.06:
            raise KilledError
        if chance < 0.14:
            return Retry(None, "http 503")
        if chance < 0.17:
            return Refused("http 404")
        told = tuple((alert.alert_id, alert.status, alert.started_at_ms) for alert in alerts)
        severities = frozenset(alert.severity for alert in alerts)
        self.messages.append(Message(self._clock.now_ms(), key, told, severities))
        if chance < 0.23:
            raise KilledError
        if chance < 0.29:
            return Retry(None, "timeout", may_have_arrived=True)
        return Sent("ok")


class Schedule:
    """One run: a channel, two notifiers that share it, and what was written."""

    def __init__(self, connection: Connection, seed: int) -> None:
        self.rng = random.Random(seed)
        self.connection, self.keys = connection, ShardKeys(prefix=f"s{seed}")
        self.clock = FakeClock(2 * 10**12)
        self.grouping = self.rng.choice(GROUPINGS)
        self.channel = Flaky(self.rng, self.clock)
        self.harnesses = [self._harness(name) for name in ("one", "two")]
        self.records = {
            f"{number:016x}": replace(
                RECORD,
                alert_id=f"{number:016x}",
                service=self.rng.choice(SERVICES),
                state=AlertState.RESOLVED,
                number=0,
            )
            for number in range(1, self.rng.randrange(2, 7))
        }
        self.written: list[Transition] = []
        self.calls = 0

    def _harness(self, name: str) -> NotifierHarness:
        return NotifierHarness(
            self.connection,
            self.keys,
            self.clock,
            self.channel,
            consumer=name,
            grouping=self.grouping,
            retry_for_ms=10**9,
        )

    def write(self, record: AlertRecord, before: AlertState) -> None:
        self.records[record.alert_id] = record
        self.connection.command("HSET", self.keys.state(record.service), alert_field(record.alert_id), record.to_json())
        one = transition_of(record, before=before, at_ms=self.clock.now_ms(), notify=True)
        self.written.append(one)
        self.connection.command("XADD", self.keys.alerts, "*", *one.to_fields())

    def change(self) -> None:
        """Fire, worsen or end one alert."""
        record = self.records[self.rng.choice(list(self.records))]
        number, now_ms = record.number + 1, self.clock.now_ms()
        if record.state is AlertState.FIRING and self.rng.random() < 0.25 and record.severity is not Severity.CRITICAL:
            self.write(replace(record, severity=Severity.CRITICAL, number=number), AlertState.FIRING)
        elif record.state is AlertState.FIRING:
            self.write(
                replace(record, state=AlertState.RESOLVED, number=number, changed_at_ms=now_ms), AlertState.FIRING
            )
        else:
            severity = self.rng.choice([Severity.WARNING, Severity.ERROR, Severity.ERROR, Severity.CRITICAL])
            fired = replace(record, state=AlertState.FIRING, number=number, severity=severity)
            # Two episodes of an alert never begin at one time.
            self.write(replace(fired, episode_ms=now_ms + number, changed_at_ms=now_ms), AlertState.PENDING)

    def work(self) -> None:
        """Let one notifier read and send; a killed one leaves its leases behind, which end."""
        index = self.rng.randrange(2)
        harness = self.harnesses[index]
        try:
            harness.handle()
            harness.send()
        except KilledError:
            self.harnesses[index] = self._harness(harness.consumer)
            self.clock.advance(LEASE_MS)
            for lease in as_list(self.connection.command("KEYS", self.keys.lease(CHANNEL, "*"))):
                self.connection.command("DEL", as_text(lease))

    def run(self) -> None:
        for _ in range(self.rng.randrange(8, 30)):
            for _ in range(self.rng.choice([0, 1, 1, 2, 3])):
                self.change()
            self.work()
            self.clock.advance(self.rng.choice([100, 1_000, 5_000, 10_000, 30_000, 60_000, 400_000]))
        self.end()

    def end(self) -> None:
        """End every alert, and let a calm channel take all that is left."""
        self.channel.is_calm = True
        for _ in range(3):
            self.clock.advance(700_000)
            for _ in range(4):
                self.work()
        for record in list(self.records.values()):
            if record.state is AlertState.FIRING:
                self.write(replace(record, state=AlertState.RESOLVED, number=record.number + 1), AlertState.FIRING)
        for _ in range(12):
            self.clock.advance(100_000)
            self.work()

    def recorded(self) -> Counter[str]:
        """Return how often each transition has a final record; a repetition is a further one of its transition."""
        notes = self.harnesses[0].notes(self.keys.deliveries)
        return Counter(note["transition"].decode() for note in notes if note["result"] != b"retry")

    def mistakes(self) -> list[str]:
        found = list[str]()
        recorded, repeats = self.recorded(), self.grouping.repeat_ms
        for one in self.written:
            count = recorded[one.transition]
            if count < 1 or (count > 1 and (not repeats or one.after is not AlertState.FIRING)):
                found.append(f"{one.alert_id} {one.after}: {count} records")
        found += self._orders() + self._keys_of_messages()
        left = self.harnesses[0].waiting()
        keys = [as_text(key) for key in as_list(self.connection.command("KEYS", f"{self.keys.outbox(CHANNEL)}*"))]
        left += [key for key in keys if not key.endswith(":items")]
        return [*found, *(f"left behind: {key}" for key in left)]

    def _orders(self) -> list[str]:
        """Return alerts of which an end came before its beginning, or a beginning after its end."""
        found, over = list[str](), dict[str, int]()
        begun = set[tuple[str, int]]()
        for message in self.channel.messages:
            for alert, status, episode_ms in message.told:
                if status == "firing":
                    begun.add((alert, episode_ms))
                    if episode_ms <= over.get(alert, 0):
                        found.append(f"{alert}: fires again in an episode that is over")
                else:
                    over[alert] = episode_ms
        return found

    def _keys_of_messages(self) -> list[str]:
        """Return keys under which two messages differ."""
        by_key: dict[str, set[frozenset[tuple[str, str, int]]]] = {}
        for message in self.channel.messages:
            by_key.setdefault(message.key, set()).add(frozenset(message.told))
        return [f"{key} stands for {len(told)} messages" for key, told in by_key.items() if len(told) > 1]


def run_schedules(connection: Connection, seeds: Sequence[int]) -> None:
    for seed in seeds:
        schedule = Schedule(connection, seed)
        schedule.run()
        assert schedule.mistakes() == [], f"seed {seed}"
        stale = as_list(connection.command("KEYS", f"*{schedule.keys.prefix}:*"))
        if stale:
            connection.command("DEL", *map(as_text, stale))


PARTS: Final = 8


@pytest.mark.parametrize("part", range(PARTS))
def test_every_alert_is_accounted_for(part: int) -> None:
    """By a message that has it, or a counted suppression; and nothing is left behind when all is over."""
    run_schedules(fake_connection(), range(part, SCHEDULES, PARTS))
