"""Alerts of a group share a message: when it is due, what it holds, and what becomes of each alert in it."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from barograph_core.alerts.flapping.flaps import Flaps
from barograph_core.alerts.reason import FLAPPING
from barograph_core.alerts.record import AlertRecord, AlertState, Severity
from barograph_core.alerts.state import alert_field, flaps_field
from barograph_core.alerts.transition import Transition, transition_of
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_int, as_list, as_text
from barograph_notifier.channel import Outcome, Refused, Retry, Sent
from barograph_notifier.digest import Digest
from barograph_notifier.outbox.grouping import Grouping
from tests.integration.notifier.harness import CHANNEL, LEASE_MS, NotifierHarness
from tests.support import FakeClock
from tests.unit.core.alerts.samples import RECORD
from tests.unit.notifier.samples import FIRING, RESOLVED, DigestRecorder, transition
from tests.unit.notifier.wording.test_templates import read

BY_SERVICE = Grouping(by=("service",), wait_ms=10_000, interval_ms=60_000)


class Desk:
    """A channel that groups, at the present of the server's clock or later."""

    def __init__(
        self,
        connection: Connection,
        keys: ShardKeys,
        clock: FakeClock,
        *answers: Outcome,
        grouping: Grouping = BY_SERVICE,
        consumer: str = "one",
        sends_resolved: bool = True,
    ) -> None:
        self.channel = DigestRecorder(answers or (Sent("ok"),))
        self.clock = clock
        self.harness = NotifierHarness(
            connection,
            keys,
            clock,
            self.channel,
            grouping=grouping,
            consumer=consumer,
            sends_resolved=sends_resolved,
        )

    def fire(self, *alerts: str, severity: Severity = Severity.ERROR, service: str = "ranker") -> None:
        self.harness.deliver(*(transition(FIRING, alert=alert, severity=severity, service=service) for alert in alerts))

    def end(self, *alerts: str) -> None:
        self.harness.deliver(*(transition(RESOLVED, alert=alert, number=2) for alert in alerts))

    def pass_time(self, ms: int) -> None:
        self.clock.advance(ms)
        self.harness.send()

    @property
    def told(self) -> list[list[tuple[str, str]]]:
        return self.channel.told

    @property
    def alone(self) -> list[tuple[str, str]]:
        return [(one.alert_id, one.status) for one, _ in self.channel.sent]


@pytest.fixture
def desk(connection: Connection, keys: ShardKeys, clock: FakeClock) -> Desk:
    return Desk(connection, keys, clock)


def firing(*alerts: str) -> list[tuple[str, str]]:
    return [(alert, "firing") for alert in alerts]


def resolved(*alerts: str) -> list[tuple[str, str]]:
    return [(alert, "resolved") for alert in alerts]


def test_a_group_waits_for_more_and_is_one_message(desk: Desk) -> None:
    """Each alert of it is recorded as sent, under the key of the message."""
    desk.fire("a1")
    desk.pass_time(5_000)
    desk.fire("a2", "a3")
    desk.pass_time(4_999)
    assert desk.told == []
    desk.pass_time(1)
    assert [sorted(told) for told in desk.told] == [firing("a1", "a2", "a3")]
    assert desk.harness.deliveries() == [("sent", "ok")] * 3
    (digest, key), *_ = desk.channel.digests
    assert {note["key"].decode() for note in desk.harness.notes(desk.harness.keys.deliveries)} == {key}
    assert digest.counts == {"error": 3}
    assert desk.harness.waiting() == []


def test_a_digest_has_the_channels_own_title_and_a_template_that_fails_is_counted(
    connection: Connection, keys: ShardKeys, clock: FakeClock
) -> None:
    spec, _ = read('digest_title = "{{ count }} of {{ service }}"\ndigest_body = "{{ label.team }}"')
    assert spec is not None
    channel = DigestRecorder()
    harness = NotifierHarness(connection, keys, clock, channel, grouping=BY_SERVICE, templates=spec.templates)
    harness.deliver(transition(FIRING, alert="a1"), transition(FIRING, alert="a2"))
    clock.advance(10_000)
    harness.send()
    ((digest, _),) = channel.digests
    assert (digest.title, digest.body) == ("2 of ranker", "")
    assert harness.counters["template_errors"] == 1


def test_alerts_of_another_group_have_a_message_of_their_own(desk: Desk) -> None:
    desk.fire("a1", "a2")
    desk.fire("b1", "b2", service="search")
    desk.pass_time(10_000)
    assert sorted(sorted(told) for told in desk.told) == [firing("a1", "a2"), firing("b1", "b2")]


def test_a_group_of_one_is_an_ordinary_message(desk: Desk) -> None:
    """With the key that it has on a channel that does not group."""
    desk.fire("a1")
    desk.pass_time(10_000)
    assert (desk.alone, desk.told) == (firing("a1"), [])


def test_a_critical_alert_waits_for_nothing(desk: Desk) -> None:
    """It takes what waits with it, and it does not wait for the interval either."""
    desk.fire("a1")
    desk.fire("a2", severity=Severity.CRITICAL)
    assert desk.told == [firing("a2", "a1")]
    desk.fire("a3", severity=Severity.CRITICAL)
    assert desk.alone == firing("a3")


def test_what_comes_after_a_message_waits_for_the_interval(desk: Desk) -> None:
    desk.fire("a1", "a2")
    desk.pass_time(10_000)
    desk.pass_time(1_000)
    desk.fire("a3", "a4")
    desk.pass_time(58_999)
    assert len(desk.told) == 1
    desk.pass_time(1)
    assert sorted(desk.told[1]) == firing("a3", "a4")
    assert desk.channel.digests[1][0].still_firing == 2


def test_the_end_of_all_is_told_at_once(desk: Desk) -> None:
    """The end of some waits for the interval, and goes with that of the others."""
    desk.fire("a1", "a2")
    desk.pass_time(10_000)
    desk.end("a1")
    desk.pass_time(1_000)
    assert len(desk.told) == 1
    desk.end("a2")
    assert sorted(desk.told[1]) == resolved("a1", "a2")
    assert desk.channel.digests[1][0].status == "resolved"


def test_a_group_that_is_over_is_forgotten(desk: Desk) -> None:
    """The next alert waits as the first did, and nothing is left on the server."""
    desk.fire("a1", "a2")
    desk.pass_time(10_000)
    desk.end("a1", "a2")
    keys, connection = desk.harness.keys, desk.harness.connection
    left = [as_text(key) for key in as_list(connection.command("KEYS", f"{keys.outbox(CHANNEL)}*"))]
    assert sorted(left) == [keys.outbox_items(CHANNEL, "a1"), keys.outbox_items(CHANNEL, "a2")]
    desk.fire("a3", "a4")
    desk.pass_time(9_999)
    assert len(desk.told) == 2
    desk.pass_time(1)
    assert len(desk.told) == 3


def test_an_alert_that_came_and_went_while_the_group_waited_is_counted_as_suppressed(desk: Desk) -> None:
    desk.fire("a1", "a2", "a3")
    desk.end("a2")
    desk.pass_time(10_000)
    assert [sorted(told) for told in desk.told] == [firing("a1", "a3")]
    assert sorted(desk.harness.deliveries()) == [
        ("sent", "ok"),
        ("sent", "ok"),
        ("suppressed", "not_delivered"),
        ("suppressed", "superseded"),
    ]


def test_a_channel_without_digests_gets_each_alert(connection: Connection, keys: ShardKeys, clock: FakeClock) -> None:
    """When the group is due, one after the other."""
    harness = NotifierHarness(connection, keys, clock, grouping=BY_SERVICE)
    harness.deliver(transition(FIRING, alert="a1"), transition(FIRING, alert="a2"))
    assert harness.channel.sent == []
    clock.advance(10_000)
    harness.send()
    assert sorted(one.alert_id for one, _ in harness.channel.sent) == ["a1", "a2"]
    assert harness.waiting() == []


def test_a_channel_that_wants_no_resolutions_gets_none_of_a_group(
    connection: Connection, keys: ShardKeys, clock: FakeClock
) -> None:
    desk = Desk(connection, keys, clock, sends_resolved=False)
    desk.fire("a1", "a2")
    desk.pass_time(10_000)
    desk.end("a1", "a2")
    desk.pass_time(60_000)
    assert (len(desk.told), desk.alone) == (1, [])
    assert desk.harness.deliveries()[2:] == [("suppressed", "resolutions_off")] * 2
    assert desk.harness.waiting() == []


def test_a_failing_digest_is_tried_again_with_what_came_meanwhile(
    connection: Connection, keys: ShardKeys, clock: FakeClock
) -> None:
    """It surely did not arrive, so nothing keeps it from telling the present. One record says that it failed."""
    desk = Desk(connection, keys, clock, Retry(None, "http 503"), Sent("ok"))
    desk.fire("a1", "a2")
    desk.pass_time(10_000)
    desk.fire("a3")
    desk.end("a1")
    desk.pass_time(1_000)
    assert [sorted(told) for told in desk.told] == [firing("a1", "a2"), firing("a2", "a3")]
    assert desk.channel.digests[0][1] != desk.channel.digests[1][1]
    assert sorted(desk.harness.deliveries()) == [
        ("retry", "http 503"),
        ("sent", "ok"),
        ("sent", "ok"),
        ("suppressed", "not_delivered"),
        ("suppressed", "superseded"),
    ]


def test_a_digest_that_may_have_arrived_is_repeated_as_it_was(
    connection: Connection, keys: ShardKeys, clock: FakeClock
) -> None:
    """Under its key, by which the receiver knows it; what came meanwhile follows."""
    desk = Desk(connection, keys, clock, Retry(None, "timeout", may_have_arrived=True), Sent("ok"))
    desk.fire("a1", "a2")
    desk.pass_time(10_000)
    desk.fire("a3", "a4")
    desk.pass_time(1_000)
    desk.pass_time(60_000)
    assert [sorted(told) for told in desk.told] == [
        firing("a1", "a2"),
        firing("a1", "a2"),
        firing("a3", "a4"),
    ]
    assert desk.channel.digests[0][1] == desk.channel.digests[1][1]


def test_the_end_of_an_alert_in_a_doubtful_digest_is_owed(
    connection: Connection, keys: ShardKeys, clock: FakeClock
) -> None:
    """The digest would be wrong now: what is left of it is told with the end, under another key."""
    desk = Desk(connection, keys, clock, Retry(None, "timeout", may_have_arrived=True), Sent("ok"))
    desk.fire("a1", "a2")
    desk.pass_time(10_000)
    desk.end("a1")
    desk.pass_time(1_000)
    assert sorted(desk.told[1]) == [("a1", "resolved"), ("a2", "firing")]
    assert desk.channel.digests[0][1] != desk.channel.digests[1][1]


def test_a_refused_digest_is_given_up_alert_by_alert(connection: Connection, keys: ShardKeys, clock: FakeClock) -> None:
    desk = Desk(connection, keys, clock, Refused("http 404"))
    desk.fire("a1", "a2")
    desk.pass_time(10_000)
    assert desk.harness.deliveries() == [("dead", "http 404")] * 2
    assert len(desk.harness.notes(keys.dead)) == 2
    assert desk.harness.waiting() == []


class Dying(DigestRecorder):
    """Dies after it has sent a digest."""

    def send_digest(self, digest: Digest, *, key: str, timeout_s: float) -> Outcome:
        super().send_digest(digest, key=key, timeout_s=timeout_s)
        raise KeyboardInterrupt


def test_a_digest_whose_sender_died_is_repeated_as_it_was(desk: Desk) -> None:
    """After the lease, by another notifier, under the same key; the alert that came meanwhile is told too."""
    harness = desk.harness
    dying = NotifierHarness(harness.connection, harness.keys, harness.clock, Dying(), grouping=BY_SERVICE)
    dying.deliver(transition(FIRING, alert="a1"), transition(FIRING, alert="a2"))
    desk.clock.advance(10_000)
    with pytest.raises(KeyboardInterrupt):
        dying.send()
    desk.fire("a3", severity=Severity.CRITICAL)
    assert desk.told == []
    (lease,) = as_list(harness.connection.command("KEYS", harness.keys.lease(CHANNEL, "*")))
    harness.connection.command("DEL", as_text(lease))
    desk.pass_time(LEASE_MS)
    assert isinstance(dying.channel, Dying)
    assert desk.channel.digests[0][1] == dying.channel.digests[0][1]
    assert (len(desk.told), desk.alone) == (1, firing("a3"))
    assert harness.deliveries() == [("sent", "ok")] * 3


def test_a_storm_is_one_message_and_ten_thousand_records(desk: Desk) -> None:
    """With counts and the top ten. A thousand alerts here; the benchmark has ten thousand."""
    alerts = [f"a{number:04}" for number in range(300)]
    desk.fire(*alerts[:200])
    desk.fire(*alerts[200:], severity=Severity.WARNING)
    desk.pass_time(10_000)
    ((digest, _),) = desk.channel.digests
    assert digest.counts == {"error": 200, "warning": 100}
    assert len(digest.top) == 10
    assert {one.severity for one in digest.top} == {Severity.ERROR}
    assert desk.harness.deliveries() == [("sent", "ok")] * 300
    assert desk.harness.waiting() == []


def lay(desk: Desk, *records: AlertRecord) -> None:
    for record in records:
        desk.harness.connection.command(
            "HSET", desk.harness.keys.state(record.service), alert_field(record.alert_id), record.to_json()
        )


def fired(*records: AlertRecord) -> Sequence[Transition]:
    return [
        replace(transition_of(one, before=AlertState.PENDING, at_ms=2_000, notify=True), severity=one.severity)
        for one in records
    ]


REPEATED = Grouping(by=("service",), wait_ms=0, interval_ms=0, repeat_ms={Severity.ERROR: 3_600_000})
TWO = (replace(RECORD, severity=Severity.ERROR), replace(RECORD, alert_id="b" * 16, severity=Severity.ERROR))


def test_what_still_fires_is_repeated_by_severity(connection: Connection, keys: ShardKeys, clock: FakeClock) -> None:
    """Each repetition has a key of its own; an alert that is over by then is not repeated."""
    desk = Desk(connection, keys, clock, grouping=REPEATED)
    lay(desk, *TWO)
    desk.harness.deliver(*fired(*TWO))
    desk.pass_time(3_599_999)
    assert len(desk.told) == 1
    desk.pass_time(1)
    desk.pass_time(3_600_000)
    assert len(desk.told) == 3
    assert {one.reason for digest, _ in desk.channel.digests[1:] for one in digest.alerts} == {"repeat"}
    assert len({key for _, key in desk.channel.digests}) == 3
    lay(desk, replace(TWO[0], state=AlertState.RESOLVED))
    desk.pass_time(3_600_000)
    assert desk.alone == firing("b" * 16)


def test_an_alert_by_itself_is_repeated_too(connection: Connection, keys: ShardKeys, clock: FakeClock) -> None:
    """And its end, which comes at any time, is told at once."""
    desk = Desk(connection, keys, clock, grouping=Grouping(repeat_ms={Severity.ERROR: 60_000}))
    lay(desk, TWO[0])
    desk.harness.deliver(*fired(TWO[0]))
    desk.pass_time(60_000)
    ended = replace(TWO[0], state=AlertState.RESOLVED, number=TWO[0].number + 1)
    lay(desk, ended)
    desk.harness.deliver(transition_of(ended, before=AlertState.FIRING, at_ms=5_000, notify=True))
    desk.pass_time(600_000)
    assert [status for _, status in desk.alone] == ["firing", "firing", "resolved"]
    assert desk.harness.waiting() == []


def test_an_alert_that_flaps_is_repeated_while_it_is_clear(
    connection: Connection, keys: ShardKeys, clock: FakeClock
) -> None:
    """Its incident goes on: an end that nobody is told of is no end for its group."""
    desk = Desk(connection, keys, clock, grouping=Grouping(repeat_ms={Severity.ERROR: 60_000}))
    record = replace(TWO[0], is_flapping=True, incident_ms=TWO[0].episode_ms)
    lay(desk, record)
    desk.harness.deliver(*fired(record))
    ended = replace(record, state=AlertState.RESOLVED, number=record.number + 1)
    flaps = Flaps(rule=record.rule, fired_ms=(1_000,), incident_ms=record.incident_ms, last=ended)
    state = keys.state(record.service)
    connection.command("HDEL", state, alert_field(record.alert_id))
    connection.command("HSET", state, flaps_field(record.alert_id), flaps.to_json())
    quiet = transition_of(ended, before=AlertState.FIRING, at_ms=5_000, notify=False, reason=FLAPPING)
    desk.harness.deliver(quiet)
    desk.pass_time(59_999)
    assert [status for _, status in desk.alone] == ["firing"]
    desk.pass_time(1)
    desk.pass_time(60_000)
    assert [status for _, status in desk.alone] == ["firing"] * 3
    over = replace(ended, number=ended.number + 1, is_flapping=False)
    connection.command("HDEL", state, flaps_field(record.alert_id))
    told = transition_of(over, before=AlertState.INACTIVE, at_ms=6_000, notify=True, flag="flapping_ended")
    desk.harness.deliver(told)
    desk.pass_time(600_000)
    assert [status for _, status in desk.alone] == ["firing"] * 3 + ["resolved"]
    assert desk.harness.waiting() == []


def test_an_end_while_flapping_does_not_hurry_its_group(desk: Desk) -> None:
    """The end of all is told at once, but this one is not the end."""
    desk.fire("a1")
    desk.pass_time(10_000)
    desk.fire("a2", "a3")
    desk.harness.deliver(transition(RESOLVED, alert="a1", number=2, notify=False, reason=FLAPPING))
    desk.pass_time(59_999)
    assert desk.told == []
    desk.pass_time(1)
    assert [sorted(told) for told in desk.told] == [firing("a2", "a3")]
    assert desk.channel.digests[0][0].still_firing == 1


def test_a_severity_without_repetition_is_told_once(connection: Connection, keys: ShardKeys, clock: FakeClock) -> None:
    desk = Desk(connection, keys, clock, grouping=REPEATED)
    desk.fire("a1", severity=Severity.WARNING)
    desk.pass_time(86_400_000)
    assert desk.alone == firing("a1")
    assert desk.harness.waiting() == []


def test_a_channel_that_groups_from_now_on_keeps_the_order_of_an_alert(
    connection: Connection, keys: ShardKeys, clock: FakeClock
) -> None:
    """What waits by itself is not passed by what would wait in a group."""
    plain = NotifierHarness(connection, keys, clock)
    plain.write(transition(FIRING, alert="a1"))
    plain.handle()
    grouped = Desk(connection, keys, clock, consumer="two")
    grouped.harness.write(transition(RESOLVED, alert="a1", number=2))
    grouped.harness.handle()
    assert plain.waiting() == ["a1"]
    grouped.harness.send()
    assert [reason for _, reason in grouped.harness.deliveries()] == ["superseded", "not_delivered"]
    assert as_int(connection.command("EXISTS", keys.outbox(CHANNEL))) == 0
