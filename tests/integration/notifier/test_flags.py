"""Who has taken an alert on is shown where it can be, after the firing and before the end, on every server."""

from dataclasses import replace

import pytest

from barograph_core.alerts.acknowledgement import Acknowledgement
from barograph_core.alerts.by_hand import acknowledge
from barograph_core.alerts.state import alert_field
from barograph_core.alerts.transition import transition_of
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_notifier.channel import Outcome, Refused, Retry, Sent
from barograph_notifier.escalation.escalation import Escalation, Step
from barograph_notifier.notification import Notification
from barograph_notifier.outbox.grouping import PLAIN, Grouping
from barograph_notifier.outbox.hand_over import HandOver
from barograph_notifier.outbox.outbox import Outbox
from tests.integration.notifier.harness import CHANNEL, LEASE_MS, NotifierHarness
from tests.support import FakeClock
from tests.unit.core.alerts.samples import RECORD
from tests.unit.notifier.samples import FIRING, PENDING, RESOLVED, FlagRecorder, Recorder, flagged, transition

FIRED = transition(FIRING, cooldown_ms=300_000)
CLEARED = transition(RESOLVED, number=9)
BY_SERVICE = Grouping(by=("service",), wait_ms=10_000, interval_ms=60_000)


class Stage:
    """A channel that shows flags."""

    def __init__(self, connection: Connection, keys: ShardKeys, clock: FakeClock) -> None:
        self.connection, self.keys, self.clock = connection, keys, clock
        self.channel = FlagRecorder([Sent("first")])
        self.harness = self.make()

    def make(self, *answers: Outcome, grouping: Grouping = PLAIN) -> NotifierHarness:
        if answers:
            self.channel.answers = answers
        self.harness = NotifierHarness(self.connection, self.keys, self.clock, self.channel, grouping=grouping)
        return self.harness

    def pass_time(self, ms: int) -> None:
        self.clock.advance(ms)
        self.harness.send()


@pytest.fixture
def stage(connection: Connection, keys: ShardKeys, clock: FakeClock) -> Stage:
    return Stage(connection, keys, clock)


def test_an_acknowledgement_is_shown_on_the_message_of_its_firing(stage: Stage) -> None:
    stage.harness.deliver(FIRED)
    stage.harness.deliver(flagged())
    (_, first_key), (shown, key) = stage.channel.sent
    assert (shown.flag, shown.actor, shown.note, shown.until_ms) == (
        "acknowledged",
        "kim",
        "rolling back",
        1_700_000_060_000,
    )
    assert (shown.first_ref, shown.episode) == ("first", Notification.of_transition(FIRED).episode)
    assert key != first_key
    stage.harness.deliver(flagged("unacknowledged", number=3))
    stage.harness.deliver(CLEARED)
    assert stage.channel.shown == ["firing", "acknowledged", "unacknowledged", "resolved"]
    assert stage.channel.sent[-1][0].first_ref == "first"
    assert stage.harness.deliveries() == [("sent", "first")] * 4
    assert stage.harness.counters["deliveries_sent"] == 4
    assert (stage.harness.waiting(), stage.harness.pending()) == ([], 0)


def test_a_channel_that_shows_no_flags_hears_of_none(connection: Connection, keys: ShardKeys, clock: FakeClock) -> None:
    """And has no record of it: there was nothing to send."""
    harness = NotifierHarness(connection, keys, clock, Recorder())
    harness.deliver(FIRED)
    harness.deliver(flagged())
    assert harness.channel.statuses == ["firing"]
    assert harness.deliveries() == [("sent", "ok")]
    assert harness.pending() == 0


def test_what_was_done_in_the_channels_own_tool_is_not_sent_back_to_it(stage: Stage) -> None:
    stage.harness.deliver(FIRED)
    stage.harness.deliver(flagged(via="pagerduty"))
    assert stage.channel.shown == ["firing"]
    stage.harness.deliver(flagged(number=3, via="slack"))
    assert stage.channel.shown == ["firing", "acknowledged"]


@pytest.mark.parametrize("fails", [Refused("no"), Retry(None, "down"), Retry(None, "hung", may_have_arrived=True)])
def test_a_channel_that_was_not_told_for_certain_hears_of_no_flag(stage: Stage, fails: Outcome) -> None:
    stage.make(fails)
    stage.harness.deliver(FIRED)
    stage.harness.deliver(flagged())
    assert stage.channel.shown == ["firing"]


def test_a_flag_of_an_alert_that_is_not_known_here_is_nothing_to_send(stage: Stage) -> None:
    stage.harness.deliver(flagged())
    assert (stage.channel.shown, stage.harness.deliveries(), stage.harness.pending()) == ([], [], 0)


def test_after_the_end_no_flag_is_shown(stage: Stage) -> None:
    """Also where two consumers queue the entries in the wrong order."""
    stage.harness.deliver(FIRED)
    stage.harness.deliver(CLEARED)
    stage.harness.deliver(flagged(number=10))
    assert stage.channel.shown == ["firing", "resolved"]
    assert stage.harness.deliveries()[-1] == ("suppressed", "not_delivered")


def test_a_flag_waits_behind_its_firing_and_yields_to_the_end(stage: Stage) -> None:
    stage.make(Retry(None, "down"), Sent("first"))
    stage.harness.deliver(FIRED, flagged())
    assert stage.channel.shown == ["firing"]
    stage.pass_time(60_000)
    assert stage.channel.shown == ["firing", "firing", "acknowledged"]
    stage.harness.deliver(flagged("unacknowledged", number=3), CLEARED)
    assert stage.channel.shown == ["firing", "firing", "acknowledged", "resolved"]
    assert ("suppressed", "superseded") in stage.harness.deliveries()


def test_a_flag_that_fails_is_tried_again_and_holds_nothing_up(stage: Stage) -> None:
    """A rise in severity is told at once, while the edit of a message waits for its next attempt."""
    stage.make(Sent("first"), Retry(None, "down"), Sent("first"))
    stage.harness.deliver(FIRED)
    stage.harness.deliver(flagged())
    assert stage.harness.deliveries() == [("sent", "first"), ("retry", "down")]
    stage.harness.deliver(transition(FIRING, before=FIRING, number=3))
    assert stage.channel.shown == ["firing", "acknowledged", "firing"]
    stage.pass_time(60_000)
    assert stage.channel.shown == ["firing", "acknowledged", "firing"]
    stage.harness.deliver(flagged(number=4))
    stage.channel.answers = (Retry(None, "down"),)
    stage.harness.deliver(flagged("unacknowledged", number=5))
    stage.channel.answers = (Sent("first"),)
    stage.pass_time(60_000)
    assert stage.channel.shown[-3:] == ["acknowledged", "unacknowledged", "unacknowledged"]
    assert stage.harness.waiting() == []


def test_a_flag_is_no_notification(connection: Connection, keys: ShardKeys, clock: FakeClock, stage: Stage) -> None:
    """It begins no cooldown and no escalation, and is handed to no fallback channel."""
    step = Escalation({}, (Step(60_000, ("phones",)),))
    other = Outbox(connection, keys, "other", keep_ms=10**10)
    hand_over = HandOver(connection, keys, other, name="other", after_ms=0, is_for_all=True)
    harness = NotifierHarness(connection, keys, clock, stage.channel, escalations=(step,), hand_over=hand_over)
    harness.deliver(FIRED)
    connection.command("DEL", keys.quiet("a1"), keys.escalated("a1"), keys.outbox("phones"))
    stage.channel.answers = (Refused("no"),)
    harness.deliver(replace(flagged(), cooldown_ms=300_000))
    stage.channel.answers = (Sent("first"),)
    harness.deliver(replace(flagged(number=3), cooldown_ms=300_000))
    assert stage.channel.shown == ["firing", "acknowledged", "acknowledged"]
    touched = (keys.quiet("a1"), keys.escalated("a1"), keys.outbox("phones"), keys.outbox("other"))
    assert connection.command("EXISTS", *touched) == 0


def test_a_flag_passes_a_step_that_the_acknowledgement_holds_back(
    connection: Connection, keys: ShardKeys, clock: FakeClock, stage: Stage
) -> None:
    clock.advance(2 * 10**12 - clock.now_ms())
    step = Escalation({}, (Step(60_000, (CHANNEL,)),))
    harness = NotifierHarness(connection, keys, clock, stage.channel, escalations=(step,))
    state, field = keys.state(RECORD.service), alert_field(RECORD.alert_id)
    connection.command("HSET", state, field, RECORD.to_json())
    harness.deliver(transition_of(RECORD, before=PENDING, at_ms=clock.now_ms(), notify=True))
    for minute in (1, 2):
        held, entry = acknowledge(RECORD, Acknowledgement(actor="kim", at_ms=minute))
        connection.command("HSET", state, field, held.to_json())
        entry_id, told = f"{clock.now_ms()}-*", replace(entry, transition=f"{minute}")
        connection.command("XADD", keys.alerts, entry_id, *told.to_fields())
        harness.handle()
        harness.send()
        clock.advance(90_000)
        harness.send()
    assert stage.channel.shown == ["firing", "acknowledged", "acknowledged"]
    assert harness.deliveries()[2] == ("held", "acknowledged")
    connection.command("HSET", state, field, RECORD.to_json())
    clock.advance(90_000)
    harness.send()
    assert stage.channel.shown == ["firing", "acknowledged", "acknowledged", "firing"]


def test_a_death_while_a_flag_is_sent_sends_it_again_under_its_key(
    connection: Connection, keys: ShardKeys, clock: FakeClock, stage: Stage
) -> None:
    class Dying(FlagRecorder):
        def send(self, notification: Notification, *, key: str, timeout_s: float) -> Outcome:
            super().send(notification, key=key, timeout_s=timeout_s)
            if notification.flag:
                raise KeyboardInterrupt
            return Sent("first")

    dying = NotifierHarness(connection, keys, clock, Dying())
    dying.deliver(FIRED)
    with pytest.raises(KeyboardInterrupt):
        dying.deliver(flagged())
    connection.command("DEL", keys.lease(CHANNEL, "a1"))
    stage.pass_time(LEASE_MS)
    assert stage.channel.shown == ["acknowledged"]
    assert stage.channel.sent[0][1] == dying.channel.sent[1][1]
    assert stage.channel.sent[0][0].first_ref == "first"
    stage.harness.deliver(CLEARED)
    assert stage.channel.shown == ["acknowledged", "resolved"]


def test_a_flag_that_another_notifier_takes_for_a_transition_is_not_sent_by_it(stage: Stage) -> None:
    """One that does not know flags obeys the mute."""
    stage.harness.deliver(FIRED)
    stage.harness.write(flagged())
    stage.harness.handle()
    found = stage.harness.factory.turns(stage.connection)
    (queue,) = found.read_queues(["a1"])
    assert [one.mute for one in queue.flags] == ["acknowledged"]


def test_a_flag_waits_for_no_group_and_takes_nothing_along(stage: Stage) -> None:
    """What waits for the interval of its group goes on waiting, also when the flag is tried again."""
    stage.make(Sent("first"), grouping=BY_SERVICE)
    stage.harness.deliver(FIRED)
    stage.pass_time(10_000)
    assert stage.channel.shown == ["firing"]
    stage.harness.deliver(transition(FIRING, alert="b2"))
    stage.pass_time(5_000)
    stage.channel.answers = (Retry(None, "down"),)
    stage.harness.deliver(flagged())
    stage.channel.answers = (Sent("first"),)
    assert stage.channel.shown == ["firing", "acknowledged"]
    stage.pass_time(2_000)
    stage.harness.deliver(flagged("unacknowledged", number=3))
    assert stage.channel.shown == ["firing", "acknowledged", "acknowledged", "unacknowledged"]
    stage.pass_time(52_999)
    assert len(stage.channel.sent) == 4
    stage.pass_time(1)
    assert [(given.alert_id, given.flag) for given, _ in stage.channel.sent[4:]] == [("b2", "")]
    assert stage.harness.waiting() == []


def test_a_flag_waits_for_the_group_of_its_firing(stage: Stage) -> None:
    stage.make(Sent("first"), grouping=BY_SERVICE)
    stage.harness.deliver(FIRED)
    stage.harness.deliver(flagged())
    stage.pass_time(9_999)
    assert stage.channel.shown == []
    stage.pass_time(1)
    assert stage.channel.shown == ["firing", "acknowledged"]
    assert stage.harness.waiting() == []


def test_a_group_that_is_repeated_shows_flags_too(stage: Stage) -> None:
    """The repetition is a turn of its own; the flag of another alert comes along with nothing."""
    hour = 3_600_000
    repeats = replace(BY_SERVICE, repeat_ms={RECORD.severity: hour})
    stage.make(Sent("first"), grouping=repeats)
    told = transition_of(RECORD, before=PENDING, at_ms=1, notify=True)
    stage.connection.command("HSET", stage.keys.state(RECORD.service), alert_field(RECORD.alert_id), RECORD.to_json())
    stage.harness.deliver(told)
    stage.pass_time(10_000)
    _, entry = acknowledge(RECORD, Acknowledgement(actor="kim", at_ms=1))
    stage.harness.deliver(entry)
    assert stage.channel.shown == ["firing", "acknowledged"]
    stage.pass_time(hour)
    assert stage.channel.shown == ["firing", "acknowledged", "firing"]
