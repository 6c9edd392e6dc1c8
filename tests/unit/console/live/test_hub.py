"""The hub: who may join, which topics there are, and what their source is asked for."""

from dataclasses import dataclass, field

from barograph_console.access.identity import ANONYMOUS
from barograph_console.live.hub import MOST_CLIENTS, MOST_OF_AN_ADDRESS, Client, Hub
from tests.support import FakeClock


@dataclass
class Source:
    """Notes what it is asked for."""

    asked: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    def follow(self, topic: str) -> None:
        self.asked.append(("follow", topic))

    def leave(self, topic: str) -> None:
        self.asked.append(("leave", topic))

    def make_snapshot(self, topic: str) -> None:
        self.asked.append(("snapshot", topic))


def client(address: str = "192.0.2.1") -> Client:
    return Client(address, ANONYMOUS, wake=lambda: None)


def joined(hub: Hub, topic: str) -> Client:
    one = client()
    assert hub.join(one)
    hub.subscribe(one, topic, "", None)
    return one


def test_there_is_room_for_twenty_of_an_address_and_five_hundred_in_all() -> None:
    hub = Hub(Source(), FakeClock())
    assert [hub.join(client()) for _ in range(MOST_OF_AN_ADDRESS + 1)] == [True] * MOST_OF_AN_ADDRESS + [False]
    others = [client(f"10.0.0.{number // 20}") for number in range(MOST_CLIENTS)]
    assert sum(hub.join(one) for one in others) == MOST_CLIENTS - MOST_OF_AN_ADDRESS
    hub.part(others[0])
    assert hub.join(client("10.0.1.1"))


def test_a_hundred_clients_that_come_at_once_ask_for_one_snapshot() -> None:
    source = Source()
    hub = Hub(source, FakeClock())
    clients = [client(f"10.0.0.{number}") for number in range(100)]
    for one in clients:
        assert hub.join(one)
        hub.subscribe(one, "web", "", None)
    assert source.asked == [("follow", "web"), ("snapshot", "web")]
    hub.offer_snapshot("web", '{"a":1}')
    texts = {hub.next_message(one) for one in clients}
    assert texts == {'{"type":"snapshot","service":"web","seq":0,"state":{"a":1}}'}
    assert source.asked == [("follow", "web"), ("snapshot", "web")]


def test_a_topic_outlives_its_last_client_by_a_minute() -> None:
    """A page that is loaded again resumes; one that nobody comes back to costs nothing."""
    clock, source = FakeClock(), Source()
    hub = Hub(source, clock)
    one = joined(hub, "web")
    hub.publish("web", "tick", '"a":1')
    hub.part(one)
    clock.advance(59_000)
    hub.publish("web", "tick", '"a":2')
    back = client()
    assert hub.join(back)
    hub.subscribe(back, "web", hub.epoch, 1)
    assert hub.next_message(back) == '{"type":"tick","service":"web","seq":2,"a":2}'
    hub.part(back)
    clock.advance(60_000)
    hub.publish("web", "tick", '"a":3')
    assert source.asked[-1] == ("leave", "web")


def test_numbers_of_an_epoch_are_never_given_twice() -> None:
    """Whoever resumes at a number of a topic that ended meanwhile is told so, and gets no other message for it."""
    clock, source = FakeClock(), Source()
    hub = Hub(source, clock)
    one = joined(hub, "web")
    for _ in range(5):
        hub.publish("web", "tick", '"a":1')
    hub.part(one)
    clock.advance(60_000)
    hub.publish("web", "tick", '"a":1')
    assert hub.seq_of("web") == 7
    back = client()
    assert hub.join(back)
    hub.subscribe(back, "web", hub.epoch, 5)
    hub.offer_snapshot("web", "{}")
    assert hub.next_message(back) == '{"type":"reset","service":"web","seq":7,"reason":"lagged"}'


def test_whoever_reads_the_state_and_follows_at_once_misses_nothing() -> None:
    """The position of a topic that nobody follows yet is the one it begins with."""
    hub = Hub(Source(), FakeClock())
    seq = hub.seq_of("web")
    one = client()
    assert hub.join(one)
    hub.subscribe(one, "web", hub.epoch, seq)
    hub.publish("web", "tick", '"a":1')
    assert hub.next_message(one) == f'{{"type":"tick","service":"web","seq":{seq + 1},"a":1}}'


def test_a_client_may_change_what_it_follows() -> None:
    hub = Hub(Source(), FakeClock())
    one = joined(hub, "web")
    hub.subscribe(one, "api", "", None)
    hub.offer_snapshot("api", "{}")
    assert hub.next_message(one) == '{"type":"snapshot","service":"api","seq":0,"state":{}}'
    hub.publish("web", "tick", '"a":1')
    assert hub.next_message(one) is None
