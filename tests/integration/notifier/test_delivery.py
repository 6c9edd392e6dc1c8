"""From an alerts entry to the channel and the deliveries stream, on every kind of server."""

from dataclasses import replace
from pathlib import Path

import pytest

from barograph_core.alerts.record import Severity
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.markers.marker import Marker
from barograph_core.markers.store import add_marker
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_bytes, as_int, as_list, as_text
from barograph_core.settings.config_file import parse_config
from barograph_core.workers.consumer import UnreadableEntryError
from barograph_notifier.channel import Refused, Retry, Sent
from barograph_notifier.channels.reading import parse_channels
from barograph_notifier.notification import idempotency_key
from barograph_notifier.routing.route import Route
from barograph_notifier.wording.words import text_of
from tests.integration.notifier.harness import CHANNEL, NotifierHarness
from tests.support import FakeClock
from tests.unit.notifier.samples import FIRING, PENDING, RESOLVED, Recorder, transition

FIRED = transition(FIRING)
CLEARED = transition(RESOLVED, number=2)


@pytest.fixture
def harness(connection: Connection, keys: ShardKeys, clock: FakeClock) -> NotifierHarness:
    return NotifierHarness(connection, keys, clock)


def with_answers(
    harness: NotifierHarness, *answers: Sent | Retry | Refused | Exception, retry_for_ms: int = 3_600_000
) -> NotifierHarness:
    return NotifierHarness(
        harness.connection, harness.keys, harness.clock, Recorder(answers), retry_for_ms=retry_for_ms
    )


def test_a_firing_and_its_resolution_are_sent(harness: NotifierHarness) -> None:
    """In order, each once, and nothing is left behind."""
    harness.deliver(FIRED)
    harness.deliver(CLEARED)
    assert harness.channel.statuses == ["firing", "resolved"]
    assert harness.deliveries() == [("sent", "ok"), ("sent", "ok")]
    assert (harness.pending(), harness.waiting()) == (0, [])
    assert harness.counters["deliveries_sent"] == 2


def test_a_delivery_is_noted_with_its_key(harness: NotifierHarness) -> None:
    """The deliveries stream is what people look at to see what was sent."""
    harness.deliver(FIRED)
    key = idempotency_key(FIRED.transition, CHANNEL)
    assert harness.channel.sent[0][1] == key
    assert harness.notes(harness.keys.deliveries) == [
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


def test_what_is_not_sent_is_noted_with_the_reason(harness: NotifierHarness) -> None:
    """Muted by the cooldown, selected by no route, or not to be sent at all."""
    nowhere = NotifierHarness(harness.connection, harness.keys, harness.clock, routes=[Route(channels=("other",))])
    harness.deliver(transition(FIRING, notify=False, reason="cooldown"), transition(PENDING))
    nowhere.deliver(FIRED, CLEARED)
    assert harness.deliveries() == [("suppressed", "cooldown"), ("suppressed", "unrouted"), ("suppressed", "unrouted")]
    assert harness.channel.sent == []
    assert harness.pending() == 0


def test_a_resolution_follows_its_firing_past_changed_routes(harness: NotifierHarness) -> None:
    """The channel that delivered the firing delivers its end, even if the routes have changed."""
    harness.deliver(FIRED)
    rerouted = NotifierHarness(harness.connection, harness.keys, harness.clock, routes=[Route(channels=("other",))])
    rerouted.deliver(CLEARED)
    assert rerouted.channel.statuses == ["resolved"]


def test_a_resolution_without_a_delivered_firing_is_not_sent(harness: NotifierHarness) -> None:
    """And a second resolution neither."""
    harness.deliver(CLEARED)
    assert harness.deliveries() == [("suppressed", "not_delivered")]
    assert harness.channel.sent == []


def test_a_failure_is_tried_again_after_a_while(harness: NotifierHarness) -> None:
    """With the same key; the sender says how long to wait."""
    harness = with_answers(harness, Retry(None, "http 503"), Sent("ok"))
    wait_ms = harness.deliver(FIRED)
    assert 0 < wait_ms <= 500
    assert harness.waiting() == ["a1"]
    harness.clock.advance(1_000)
    harness.send()
    assert harness.deliveries() == [("retry", "http 503"), ("sent", "ok")]
    assert len({key for _, key in harness.channel.sent}) == 1
    assert [note["attempt"] for note in harness.notes(harness.keys.deliveries)] == [b"1", b"2"]


def test_a_clock_set_back_does_not_delay_an_attempt(harness: NotifierHarness) -> None:
    """The alert is due a second after its failure, whatever the wall clock says by then."""
    harness = with_answers(harness, Retry(None, "http 503"), Sent("ok"))
    harness.deliver(FIRED)
    harness.clock.set_back(3_600_000)
    harness.send()
    before = len(harness.channel.sent)
    harness.clock.advance(1_000)
    harness.send()
    assert (before, len(harness.channel.sent)) == (1, 2)
    assert harness.waiting() == []


def test_retry_after_holds_the_whole_channel(harness: NotifierHarness) -> None:
    """A full channel is not asked again for every other alert."""
    harness = with_answers(harness, Retry(30.0, "http 429"), Sent("ok"))
    harness.deliver(FIRED, transition(FIRING, alert="a2"))
    harness.clock.advance(29_000)
    harness.send()
    assert len(harness.channel.sent) == 1
    harness.clock.advance(2_000)
    harness.send()
    assert len(harness.channel.sent) == 3


def test_what_is_refused_goes_to_the_dead_letter_stream(harness: NotifierHarness) -> None:
    """With all that is needed to send it by hand."""
    harness = with_answers(harness, Refused("http 404"))
    harness.deliver(FIRED)
    assert harness.deliveries() == [("dead", "http 404")]
    (dead,) = harness.notes(harness.keys.dead)
    assert (dead["dead_stage"], dead["dead_reason"], dead["dead_attempts"]) == (b"notifier", b"http 404", b"1")
    assert FIRED.transition.encode() in dead["notification"]
    assert harness.waiting() == []


def test_what_keeps_failing_is_given_up_in_the_end(harness: NotifierHarness) -> None:
    harness = with_answers(harness, Retry(None, "timeout"), retry_for_ms=1_400)
    harness.deliver(FIRED)
    harness.clock.advance(1_000)
    harness.send()
    assert harness.deliveries() == [("retry", "timeout"), ("dead", "given up: timeout")]
    assert harness.waiting() == []


def test_a_channel_that_raises_is_tried_again(harness: NotifierHarness) -> None:
    """The fault of a plug-in costs no alert."""
    harness = with_answers(harness, RuntimeError("boom"), Sent("ok"))
    harness.deliver(FIRED)
    harness.clock.advance(1_000)
    harness.send()
    assert harness.deliveries() == [("retry", "raised RuntimeError; may have arrived"), ("sent", "ok")]


def test_a_firing_overtaken_by_its_resolution_is_never_sent(harness: NotifierHarness) -> None:
    """Both came while the channel was down: nobody hears of an alert that came and went."""
    harness = with_answers(harness, Retry(None, "http 503"), Sent("ok"))
    harness.deliver(FIRED)
    harness.deliver(CLEARED)
    assert harness.deliveries() == [
        ("retry", "http 503"),
        ("suppressed", "superseded"),
        ("suppressed", "not_delivered"),
    ]
    assert (len(harness.channel.sent), harness.waiting()) == (1, [])


def test_a_firing_that_may_have_arrived_gets_its_resolution(harness: NotifierHarness) -> None:
    """A receiver that took the firing and answered too late would keep its incident open for ever."""
    harness = with_answers(harness, Retry(None, "timeout", may_have_arrived=True), Sent("ok"))
    harness.deliver(FIRED)
    harness.clock.advance(500)
    harness.deliver(CLEARED)
    assert harness.channel.statuses == ["firing", "resolved"]
    assert harness.deliveries() == [
        ("retry", "timeout; may have arrived"),
        ("suppressed", "superseded"),
        ("sent", "ok"),
    ]
    assert harness.waiting() == []


def test_a_firing_that_surely_did_not_arrive_gets_none(harness: NotifierHarness) -> None:
    """The control of the test above."""
    harness = with_answers(harness, Retry(None, "connection refused"), Sent("ok"))
    harness.deliver(FIRED)
    harness.clock.advance(500)
    harness.deliver(CLEARED)
    assert harness.channel.statuses == ["firing"]
    assert harness.deliveries()[-1] == ("suppressed", "not_delivered")


def test_later_messages_name_the_first_of_their_episode(harness: NotifierHarness) -> None:
    """So that a channel can put them into one thread; another episode begins another."""
    harness = with_answers(harness, Sent("first"), Sent("second"), Sent("third"), Sent("fourth"))
    harness.deliver(FIRED)
    harness.deliver(transition(FIRING, number=2, before=FIRING, severity=Severity.CRITICAL))
    harness.deliver(transition(RESOLVED, number=3))
    harness.deliver(transition(FIRING, episode_ms=9_000))
    assert [given.first_ref for given, _ in harness.channel.sent] == ["", "first", "first", ""]


def test_a_channel_that_wants_no_resolutions_gets_none(
    connection: Connection, keys: ShardKeys, clock: FakeClock
) -> None:
    """They still overtake a firing that waits, and their alert is not remembered for months."""
    harness = NotifierHarness(connection, keys, clock, sends_resolved=False)
    harness.deliver(FIRED, CLEARED)
    harness.deliver(transition(FIRING, episode_ms=9_000))
    harness.deliver(transition(RESOLVED, episode_ms=9_000, number=2))
    assert harness.channel.statuses == ["firing"]
    assert harness.deliveries() == [
        ("suppressed", "superseded"),
        ("suppressed", "not_delivered"),
        ("sent", "ok"),
        ("suppressed", "resolutions_off"),
    ]
    assert as_int(connection.command("PTTL", keys.outbox_items(CHANNEL, "a1"))) <= 86_400_000


def test_a_resolution_is_retried_before_the_next_firing(harness: NotifierHarness) -> None:
    """Order holds within an alert also when an attempt fails."""
    harness = with_answers(harness, Sent("ok"), Retry(None, "http 503"), Sent("ok"))
    harness.deliver(FIRED)
    harness.deliver(CLEARED)
    harness.deliver(transition(FIRING, episode_ms=9_000))
    assert harness.channel.statuses == ["firing", "resolved"]
    harness.clock.advance(1_000)
    harness.send()
    assert harness.channel.statuses == ["firing", "resolved", "resolved", "firing"]


def test_a_failing_alert_does_not_hold_up_the_others(harness: NotifierHarness) -> None:
    harness = with_answers(harness, Retry(None, "http 500"), Sent("ok"))
    harness.deliver(FIRED, transition(FIRING, alert="a2"))
    assert harness.deliveries() == [("retry", "http 500"), ("sent", "ok")]
    assert harness.waiting() == ["a1"]


def test_a_reminder_is_sent_and_then_the_resolution(harness: NotifierHarness) -> None:
    """The firing itself was muted; the reminder was delivered in its place."""
    harness.deliver(transition(FIRING, notify=False, reason="cooldown"))
    harness.deliver(transition(FIRING, before=FIRING, number=2, reason="reminder"))
    harness.deliver(transition(RESOLVED, number=3))
    assert [(given.status, given.reason) for given, _ in harness.channel.sent] == [
        ("firing", "reminder"),
        ("resolved", ""),
    ]


def test_a_transition_written_twice_is_sent_once(harness: NotifierHarness) -> None:
    harness.deliver(FIRED)
    harness.deliver(FIRED)
    assert harness.deliveries() == [("sent", "ok"), ("suppressed", "duplicate")]


def quiet(harness: NotifierHarness) -> tuple[int, list[str]]:
    """Return until when the channel is quiet, and what else its entry holds."""
    key = harness.keys.quiet("a1")
    until_ms, *rest = as_text(harness.connection.command("HGET", key, CHANNEL)).split(" ")
    return int(until_ms), rest


def server_ms(harness: NotifierHarness) -> int:
    seconds, _ = as_list(harness.connection.command("TIME"))
    return int(as_text(seconds)) * 1_000


def test_a_channels_first_delivery_starts_its_cooldown(harness: NotifierHarness) -> None:
    """What was not delivered mutes nothing."""
    harness = with_answers(harness, Retry(None, "http 503"), Sent("ok"))
    harness.deliver(transition(FIRING, cooldown_ms=300_000))
    assert as_int(harness.connection.command("EXISTS", harness.keys.quiet("a1"))) == 0
    harness.clock.advance(1_000)
    harness.send()
    until_ms, rest = quiet(harness)
    assert rest == ["error", "300000", "1000", "firing"]
    assert 240_000 < until_ms - server_ms(harness) <= 301_000
    assert 240_000 < as_int(harness.connection.command("PTTL", harness.keys.quiet("a1"))) <= 301_000


def test_a_later_delivery_does_not_prolong_it_and_a_worse_one_starts_another(harness: NotifierHarness) -> None:
    harness.deliver(transition(FIRING, cooldown_ms=300_000))
    first_ms, _ = quiet(harness)
    harness.deliver(transition(FIRING, number=2, before=FIRING, cooldown_ms=300_000, reason="grown"))
    assert quiet(harness)[0] == first_ms
    worse = transition(FIRING, number=3, before=FIRING, severity=Severity.CRITICAL, cooldown_ms=300_000)
    harness.deliver(worse)
    assert quiet(harness)[1] == ["critical", "300000", "1000", "firing"]


def test_a_resolution_is_noted_as_the_channels_last_word(harness: NotifierHarness) -> None:
    """It does not change until when the channel is quiet."""
    harness.deliver(transition(FIRING, cooldown_ms=300_000))
    first_ms, _ = quiet(harness)
    harness.deliver(CLEARED)
    assert quiet(harness) == (first_ms, ["error", "300000", "1000", "resolved"])


def test_a_key_of_the_version_before_is_left_alone(harness: NotifierHarness) -> None:
    """Alerters of that version read it as a string."""
    harness.connection.command("SET", harness.keys.cooldown("a1"), "error:300000")
    harness.deliver(transition(FIRING, cooldown_ms=300_000))
    harness.deliver(CLEARED)
    assert harness.channel.statuses == ["firing", "resolved"]
    assert as_bytes(harness.connection.command("GET", harness.keys.cooldown("a1"))) == b"error:300000"


def test_an_entry_that_mutes_the_channel_is_not_sent(harness: NotifierHarness) -> None:
    harness.deliver(replace(FIRED, muted=("other",)))
    harness.deliver(replace(transition(FIRING, alert="a2"), muted=("other", CHANNEL)))
    assert harness.deliveries() == [("sent", "ok"), ("suppressed", "cooldown")]


def test_a_reminder_is_for_channels_that_were_muted(harness: NotifierHarness) -> None:
    """This one has told of the episode; the next episode it has not."""
    harness.deliver(FIRED)
    harness.deliver(transition(FIRING, number=2, before=FIRING, reason="reminder"))
    harness.deliver(transition(RESOLVED, number=3))
    harness.deliver(replace(transition(FIRING, episode_ms=9_000), muted=(CHANNEL,)))
    harness.deliver(transition(FIRING, episode_ms=9_000, number=2, before=FIRING, reason="reminder"))
    assert harness.deliveries() == [
        ("sent", "ok"),
        ("suppressed", "delivered_before"),
        ("sent", "ok"),
        ("suppressed", "cooldown"),
        ("sent", "ok"),
    ]


def test_a_reminder_follows_a_firing_in_doubt(harness: NotifierHarness) -> None:
    """Without a certain delivery the episode counts as untold."""
    harness = with_answers(harness, Retry(None, "timeout", may_have_arrived=True), Sent("ok"))
    harness.deliver(FIRED)
    harness.deliver(transition(FIRING, number=2, before=FIRING, reason="reminder"))
    assert harness.deliveries()[-1] == ("sent", "ok")


def test_an_entry_that_is_no_transition_is_named(harness: NotifierHarness) -> None:
    """No entry of its batch has taken effect, so the loop can dead-letter it and pass the others again."""
    harness.write(FIRED)
    harness.connection.command("XADD", harness.keys.alerts, "*", "what", "this")
    entries = harness.read()
    with pytest.raises(UnreadableEntryError) as caught:
        harness.handler.handle(entries, is_redelivered=False)
    assert caught.value.entry == entries[1]
    assert harness.pending() == 2


def test_enqueueing_wakes_the_sender(harness: NotifierHarness) -> None:
    harness.write(FIRED)
    harness.handle()
    assert harness.wake.is_set()


def test_what_is_forgotten_takes_no_room(harness: NotifierHarness) -> None:
    """After the resolution only a memory with an end is left; while people wait for one it lasts longer."""
    items = harness.keys.outbox_items(CHANNEL, "a1")
    harness.deliver(FIRED)
    assert as_int(harness.connection.command("PTTL", items)) > 86_400_000
    harness.write(CLEARED)
    harness.handle()
    assert as_int(harness.connection.command("PTTL", items)) == -1
    harness.send()
    assert 0 < as_int(harness.connection.command("PTTL", items)) <= 86_400_000


def test_an_unreadable_item_holds_nobody_up(harness: NotifierHarness) -> None:
    """It goes to the dead-letter stream, and the alert's other items are sent."""
    harness.write(FIRED)
    harness.handle()
    harness.connection.command("HSET", harness.keys.outbox_items(CHANNEL, "a1"), "1-1", "not an item")
    harness.connection.command("HSET", harness.keys.outbox_items(CHANNEL, "a1"), "nonsense", "{}")
    harness.send()
    assert sorted(harness.deliveries()) == [("dead", "unreadable"), ("dead", "unreadable"), ("sent", "ok")]
    assert {note["notification"] for note in harness.notes(harness.keys.dead)} == {b"not an item", b"{}"}


def test_a_member_without_items_is_dropped(harness: NotifierHarness) -> None:
    """Someone deleted the hash by hand: no endless loop."""
    harness.write(FIRED)
    harness.handle()
    harness.connection.command("DEL", harness.keys.outbox_items(CHANNEL, "a1"))
    assert harness.send() == 500
    assert harness.waiting() == []


def test_a_template_that_fails_delivers_the_plain_message_and_is_counted(
    connection: Connection, keys: ShardKeys, clock: FakeClock
) -> None:
    """It never costs the alert."""
    config = parse_config(
        '[[channel]]\nname = "hook"\ntype = "console"\ntitle = "{{ label.nothing }}"\nbody = "{{ service }}!"\n',
        Path("barograph.toml"),
    )
    spec = parse_channels(config, {}, [])["hook"]
    harness = NotifierHarness(connection, keys, clock, templates=spec.templates)
    harness.deliver(FIRED)
    ((given, _),) = harness.channel.sent
    assert (given.title, given.body) == ("", "ranker!")
    assert harness.deliveries() == [("sent", "ok")]
    assert harness.counters["template_errors"] == 1


def test_a_firing_that_began_soon_after_a_deploy_says_so(harness: NotifierHarness) -> None:
    """Its end does not, and a deploy of long before is not its cause."""
    began_ms = FIRED.at_ms - 30_000
    for key, title, age_ms in (("1", "api 2.14", 3_600_000), ("2", "api 2.15", 125_000), ("3", "later", -1_000)):
        marker = Marker(key=key, service=FIRED.service, at_ms=began_ms - age_ms, kind="deploy", title=title, actor="ci")
        add_marker(harness.connection, harness.keys, marker)
    harness.deliver(transition(FIRING, episode_ms=began_ms))
    harness.deliver(transition(RESOLVED, episode_ms=began_ms, number=2))
    assert harness.pending() == 0
    (firing, _), (resolved, _) = harness.channel.sent
    assert firing.after == "deploy api 2.15, 2 min 5 s before, by ci"
    assert resolved.after == ""
    assert firing.to_alert()["after"] == firing.after
    assert "After:    deploy api 2.15, 2 min 5 s before, by ci" in text_of(firing)
    assert "after" not in resolved.to_alert()
