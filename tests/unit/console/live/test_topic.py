import json

from barograph_console.live.topic import MOST_BEHIND, RING, Cursor, Topic
from tests.unit.console.live.follower import Follower


def topic_with(messages: int) -> Topic:
    topic = Topic("web")
    for number in range(1, messages + 1):
        topic.publish("tick", f'"key":"k{number % 7}","value":{number}')
    return topic


def drain(topic: Topic, cursor: Cursor) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    while (text := topic.next_message(cursor)) is not None:
        found.append(json.loads(text))
    return found


def test_messages_are_numbered_by_one_and_each_client_gets_the_same_bytes() -> None:
    topic = Topic("web")
    one, two = topic.subscribe(0, is_same_epoch=True), topic.subscribe(0, is_same_epoch=True)
    topic.publish("tick", '"a":1')
    topic.publish("alert", '"b":2')
    texts = [topic.next_message(one), topic.next_message(one)]
    assert texts == ['{"type":"tick","service":"web","seq":1,"a":1}', '{"type":"alert","service":"web","seq":2,"b":2}']
    assert topic.next_message(two) is texts[0]


def test_a_new_client_gets_the_state_and_what_came_after_it() -> None:
    topic = topic_with(3)
    topic.offer_snapshot('{"x":1}')
    topic.publish("tick", '"a":1')
    cursor = topic.subscribe(None, is_same_epoch=False)
    assert [(one["type"], one["seq"]) for one in drain(topic, cursor)] == [("snapshot", 3), ("tick", 4)]


def test_a_client_waits_until_there_is_a_state() -> None:
    topic = topic_with(3)
    cursor = topic.subscribe(None, is_same_epoch=False)
    assert topic.next_message(cursor) is None
    assert topic.needs_snapshot(cursor)
    topic.offer_snapshot("{}")
    assert not topic.needs_snapshot(cursor)
    assert [one["type"] for one in drain(topic, cursor)] == ["snapshot"]


def test_what_was_missed_within_the_ring_is_sent_one_by_one() -> None:
    """Half a minute without a connection costs no snapshot, although it is more than a slow client may be behind."""
    topic = topic_with(200)
    cursor = topic.subscribe(200 - RING, is_same_epoch=True)
    found = drain(topic, cursor)
    assert [one["seq"] for one in found] == list(range(200 - RING + 1, 201))
    assert {one["type"] for one in found} == {"tick"}


def test_what_lies_beyond_the_ring_or_another_epoch_is_reset() -> None:
    topic = topic_with(200)
    topic.offer_snapshot("{}")
    for seq, is_same_epoch, reason in ((79, True, "lagged"), (201, True, "lagged"), (200, False, "restart")):
        cursor = topic.subscribe(seq, is_same_epoch=is_same_epoch)
        found = drain(topic, cursor)
        assert [(one["type"], one["seq"]) for one in found] == [("reset", 200), ("snapshot", 200)]
        assert found[0]["reason"] == reason


def test_a_client_that_falls_behind_gets_the_state_in_place_of_what_it_missed() -> None:
    topic = topic_with(5)
    cursor = topic.subscribe(5, is_same_epoch=True)
    for number in range(MOST_BEHIND + 1):
        topic.publish("tick", f'"key":"k","value":{number}')
    assert topic.next_message(cursor) is None
    topic.offer_snapshot('{"k":10}')
    topic.publish("tick", '"key":"k","value":11')
    found = drain(topic, cursor)
    assert [(one["type"], one["seq"]) for one in found] == [("reset", 16), ("snapshot", 16), ("tick", 17)]
    assert found[0]["reason"] == "lagged"


def test_an_old_state_is_not_sent() -> None:
    """More messages than a client may be behind would have to follow it, or are gone."""
    topic = topic_with(5)
    topic.offer_snapshot("{}")
    for _ in range(MOST_BEHIND + 1):
        topic.publish("tick", '"a":1')
    cursor = topic.subscribe(None, is_same_epoch=False)
    assert topic.next_message(cursor) is None
    assert topic.needs_snapshot(cursor)


def test_a_topic_holds_a_bounded_number_of_messages() -> None:
    topic = topic_with(20_000)
    assert (len(topic.ring), topic.seq) == (RING, 20_000)


def test_a_follower_of_everything_has_the_state_of_the_ring() -> None:
    topic = topic_with(100)
    follower, cursor = Follower(), topic.subscribe(0, is_same_epoch=True)
    follower.seq = 0
    for text in iter(lambda: topic.next_message(cursor), None):
        follower.take(text)
    assert (follower.gaps, follower.points["k2"]) == (0, 100)
