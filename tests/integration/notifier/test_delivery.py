"""From an alerts entry to the channel and the deliveries stream, on every kind of server."""

import pytest

from barograph_core.alerts import Severity
from barograph_core.consumer import UnreadableEntryError
from barograph_core.keys import ShardKeys
from barograph_core.stream import Connection, as_bytes, as_int
from barograph_notifier.channel import Refused, Retry, Sent
from barograph_notifier.notification import idempotency_key
from barograph_notifier.routing import Route
from tests.integration.notifier.desk import CHANNEL, Desk
from tests.support import FakeClock
from tests.unit.notifier.samples import FIRING, PENDING, RESOLVED, Recorder, transition

FIRED = transition(FIRING)
CLEARED = transition(RESOLVED, number=2)


@pytest.fixture
def desk(connection: Connection, keys: ShardKeys, clock: FakeClock) -> Desk:
    return Desk(connection, keys, clock)


def with_answers(desk: Desk, *answers: Sent | Retry | Refused | Exception, retry_for_ms: int = 3_600_000) -> Desk:
    return Desk(desk.connection, desk.keys, desk.clock, Recorder(answers), retry_for_ms=retry_for_ms)


def test_a_firing_and_its_resolution_are_sent(desk: Desk) -> None:
    """In order, each once, and nothing is left behind."""
    desk.tell(FIRED)
    desk.tell(CLEARED)
    assert desk.channel.statuses == ["firing", "resolved"]
    assert desk.deliveries() == [("sent", "ok"), ("sent", "ok")]
    assert (desk.pending(), desk.waiting()) == (0, [])
    assert desk.counters["deliveries_sent"] == 2


def test_a_delivery_is_noted_with_its_key(desk: Desk) -> None:
    """The deliveries stream is what people look at to see what was sent."""
    desk.tell(FIRED)
    key = idempotency_key(FIRED.transition, CHANNEL)
    assert desk.channel.sent[0][1] == key
    assert desk.notes(desk.keys.deliveries) == [
        {
            "transition": FIRED.transition.encode(),
            "channel": b"hook",
            "key": key.encode(),
            "attempt": b"1",
            "result": b"sent",
            "reason": b"ok",
            "at_ms": b"1700000000000",
        }
    ]


def test_what_is_not_sent_is_noted_with_the_reason(desk: Desk) -> None:
    """Muted by the cooldown, wanted by no route, or nobody's news."""
    nowhere = Desk(desk.connection, desk.keys, desk.clock, routes=[Route(channels=("other",))])
    desk.tell(transition(FIRING, notify=False, reason="cooldown"), transition(PENDING))
    nowhere.tell(FIRED, CLEARED)
    assert desk.deliveries() == [("suppressed", "cooldown"), ("suppressed", "unrouted"), ("suppressed", "unrouted")]
    assert desk.channel.sent == []
    assert desk.pending() == 0


def test_a_resolution_follows_its_firing_past_changed_routes(desk: Desk) -> None:
    """Whoever was told of the firing is told of its end, whatever the routes say by then."""
    desk.tell(FIRED)
    rerouted = Desk(desk.connection, desk.keys, desk.clock, routes=[Route(channels=("other",))])
    rerouted.tell(CLEARED)
    assert rerouted.channel.statuses == ["resolved"]


def test_a_resolution_without_a_delivered_firing_is_not_sent(desk: Desk) -> None:
    """And a second resolution neither."""
    desk.tell(CLEARED)
    assert desk.deliveries() == [("suppressed", "not_delivered")]
    assert desk.channel.sent == []


def test_a_failure_is_tried_again_after_a_while(desk: Desk) -> None:
    """With the same key; the sender says how long to wait."""
    desk = with_answers(desk, Retry(None, "http 503"), Sent("ok"))
    wait_ms = desk.tell(FIRED)
    assert 0 < wait_ms <= 500
    assert desk.waiting() == ["a1"]
    desk.clock.advance(1_000)
    desk.send()
    assert desk.deliveries() == [("retry", "http 503"), ("sent", "ok")]
    assert len({key for _, key in desk.channel.sent}) == 1
    assert [note["attempt"] for note in desk.notes(desk.keys.deliveries)] == [b"1", b"2"]


def test_retry_after_holds_the_whole_channel(desk: Desk) -> None:
    """A full channel is not asked again for every other alert."""
    desk = with_answers(desk, Retry(30.0, "http 429"), Sent("ok"))
    desk.tell(FIRED, transition(FIRING, alert="a2"))
    desk.clock.advance(29_000)
    desk.send()
    assert len(desk.channel.sent) == 1
    desk.clock.advance(2_000)
    desk.send()
    assert len(desk.channel.sent) == 3


def test_what_is_refused_goes_to_the_dead_letter_stream(desk: Desk) -> None:
    """With all that is needed to send it by hand."""
    desk = with_answers(desk, Refused("http 404"))
    desk.tell(FIRED)
    assert desk.deliveries() == [("dead", "http 404")]
    (dead,) = desk.notes(desk.keys.dead)
    assert (dead["dead_stage"], dead["dead_reason"], dead["dead_attempts"]) == (b"notifier", b"http 404", b"1")
    assert FIRED.transition.encode() in dead["notification"]
    assert desk.waiting() == []


def test_what_keeps_failing_is_given_up_in_the_end(desk: Desk) -> None:
    desk = with_answers(desk, Retry(None, "timeout"), retry_for_ms=1_400)
    desk.tell(FIRED)
    desk.clock.advance(1_000)
    desk.send()
    assert desk.deliveries() == [("retry", "timeout"), ("dead", "given up: timeout")]
    assert desk.waiting() == []


def test_a_channel_that_raises_is_tried_again(desk: Desk) -> None:
    """The fault of a plug-in costs no alert."""
    desk = with_answers(desk, RuntimeError("boom"), Sent("ok"))
    desk.tell(FIRED)
    desk.clock.advance(1_000)
    desk.send()
    assert desk.deliveries() == [("retry", "raised RuntimeError"), ("sent", "ok")]


def test_a_firing_overtaken_by_its_resolution_is_never_sent(desk: Desk) -> None:
    """Both came while the channel was down: nobody hears of an alert that came and went."""
    desk = with_answers(desk, Retry(None, "http 503"), Sent("ok"))
    desk.tell(FIRED)
    desk.tell(CLEARED)
    assert desk.deliveries() == [("retry", "http 503"), ("suppressed", "superseded"), ("suppressed", "not_delivered")]
    assert (len(desk.channel.sent), desk.waiting()) == (1, [])


def test_a_resolution_is_retried_before_the_next_firing(desk: Desk) -> None:
    """Order holds within an alert also when an attempt fails."""
    desk = with_answers(desk, Sent("ok"), Retry(None, "http 503"), Sent("ok"))
    desk.tell(FIRED)
    desk.tell(CLEARED)
    desk.tell(transition(FIRING, episode_ms=9_000))
    assert desk.channel.statuses == ["firing", "resolved"]
    desk.clock.advance(1_000)
    desk.send()
    assert desk.channel.statuses == ["firing", "resolved", "resolved", "firing"]


def test_a_failing_alert_does_not_hold_up_the_others(desk: Desk) -> None:
    desk = with_answers(desk, Retry(None, "http 500"), Sent("ok"))
    desk.tell(FIRED, transition(FIRING, alert="a2"))
    assert desk.deliveries() == [("retry", "http 500"), ("sent", "ok")]
    assert desk.waiting() == ["a1"]


def test_a_reminder_is_sent_and_then_the_resolution(desk: Desk) -> None:
    """The firing itself was muted; the reminder is what people were told."""
    desk.tell(transition(FIRING, notify=False, reason="cooldown"))
    desk.tell(transition(FIRING, before=FIRING, number=2, reason="reminder"))
    desk.tell(transition(RESOLVED, number=3))
    assert [(given.status, given.reason) for given, _ in desk.channel.sent] == [
        ("firing", "reminder"),
        ("resolved", ""),
    ]


def test_a_transition_written_twice_is_sent_once(desk: Desk) -> None:
    desk.tell(FIRED)
    desk.tell(FIRED)
    assert desk.deliveries() == [("sent", "ok"), ("suppressed", "duplicate")]


def test_the_first_delivery_starts_the_full_cooldown(desk: Desk) -> None:
    """An undelivered alert mutes nothing for longer than its claim; a delivered one for its whole cooldown."""
    cooldown = desk.keys.cooldown("a1")
    desk = with_answers(desk, Retry(None, "http 503"), Sent("ok"))
    desk.connection.command("SET", cooldown, "tag", "PX", 60_000)
    desk.tell(transition(FIRING, cooldown_ms=300_000))
    assert as_int(desk.connection.command("PTTL", cooldown)) <= 60_000
    desk.clock.advance(1_000)
    desk.send()
    assert 290_000 < as_int(desk.connection.command("PTTL", cooldown)) <= 300_000
    assert as_bytes(desk.connection.command("GET", cooldown)) == b"tag"


def test_a_delivery_after_the_claim_has_lapsed_says_of_what_it_was(desk: Desk) -> None:
    """The alerter must be able to tell that the next firing is worse."""
    desk.tell(transition(FIRING, severity=Severity.WARNING, cooldown_ms=300_000))
    assert as_bytes(desk.connection.command("GET", desk.keys.cooldown("a1"))) == b"warning:300000"


def test_a_second_channel_does_not_prolong_the_cooldown(desk: Desk) -> None:
    """It runs from the first delivery."""
    cooldown = desk.keys.cooldown("a1")
    desk.connection.command("SET", cooldown, "tag", "PX", 100_000)
    desk.tell(transition(FIRING, cooldown_ms=300_000))
    assert as_int(desk.connection.command("PTTL", cooldown)) <= 100_000


def test_an_entry_that_is_no_transition_is_named(desk: Desk) -> None:
    """Nothing of its batch has taken effect, so that the loop can bury it and hand the others over again."""
    desk.write(FIRED)
    desk.connection.command("XADD", desk.keys.alerts, "*", "what", "this")
    entries = desk.read()
    with pytest.raises(UnreadableEntryError) as caught:
        desk.handler.handle(entries, is_redelivered=False)
    assert caught.value.entry == entries[1]
    assert desk.pending() == 2


def test_enqueueing_wakes_the_sender(desk: Desk) -> None:
    desk.write(FIRED)
    desk.handle()
    assert desk.wake.is_set()


def test_what_is_forgotten_takes_no_room(desk: Desk) -> None:
    """After the resolution only a memory with an end is left; while people wait for one it lasts longer."""
    items = desk.keys.outbox_items(CHANNEL, "a1")
    desk.tell(FIRED)
    assert as_int(desk.connection.command("PTTL", items)) > 86_400_000
    desk.write(CLEARED)
    desk.handle()
    assert as_int(desk.connection.command("PTTL", items)) == -1
    desk.send()
    assert 0 < as_int(desk.connection.command("PTTL", items)) <= 86_400_000


def test_an_unreadable_item_holds_nobody_up(desk: Desk) -> None:
    """It goes to the dead-letter stream, and the alert's other items are told."""
    desk.write(FIRED)
    desk.handle()
    desk.connection.command("HSET", desk.keys.outbox_items(CHANNEL, "a1"), "1-1", "not an item")
    desk.connection.command("HSET", desk.keys.outbox_items(CHANNEL, "a1"), "nonsense", "{}")
    desk.send()
    assert sorted(desk.deliveries()) == [("dead", "unreadable"), ("dead", "unreadable"), ("sent", "ok")]
    assert {note["notification"] for note in desk.notes(desk.keys.dead)} == {b"not an item", b"{}"}


def test_a_member_without_items_is_dropped(desk: Desk) -> None:
    """Someone deleted the hash by hand: no endless loop."""
    desk.write(FIRED)
    desk.handle()
    desk.connection.command("DEL", desk.keys.outbox_items(CHANNEL, "a1"))
    assert desk.send() == 500
    assert desk.waiting() == []
