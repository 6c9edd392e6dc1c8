"""Whatever clients do, one that follows ends with the state of the topic."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from barograph_console.access.identity import ANONYMOUS
from barograph_console.live.hub import Client, Hub
from tests.support import FakeClock
from tests.unit.console.live.follower import Follower

KEYS = ("a", "b", "c")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("tick"), st.sampled_from(KEYS), st.integers(1, 3)),
        st.tuples(st.just("burst"), st.sampled_from(KEYS), st.integers(1, 150)),
        st.tuples(st.just("read"), st.integers(0, 1), st.integers(1, 30)),
        st.tuples(st.just("lose"), st.integers(0, 1), st.just(0)),
        st.tuples(st.just("come back"), st.integers(0, 1), st.just(0)),
        st.tuples(st.just("wait"), st.just(0), st.integers(1, 90)),
        st.tuples(st.just("make"), st.just(0), st.just(0)),
    ),
    max_size=60,
)


class Source:
    """The state of one topic, and its snapshots when they are made: later than they are asked for."""

    def __init__(self) -> None:
        self.state: dict[str, int] = {}
        self.is_followed = False
        self.is_asked = False

    def follow(self, topic: str) -> None:
        assert topic == "web"
        self.is_followed = True

    def leave(self, topic: str) -> None:
        assert topic == "web"
        self.is_followed = False
        # What changes while nobody follows is published by nobody.
        self.is_asked = False

    def make_snapshot(self, topic: str) -> None:
        assert topic == "web"
        self.is_asked = True


class Stage:
    """A hub with two clients that come and go, each with what it knows."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.source = Source()
        self.hub = Hub(self.source, self.clock)
        self.clients: list[Client | None] = [None, None]
        self.followers = [Follower(), Follower()]
        self.value = 0

    def tick(self, key: str, times: int) -> None:
        for _ in range(times):
            self.value += 1
            self.source.state[key] = self.value
            if self.source.is_followed:
                self.hub.publish("web", "tick", f'"key":"{key}","value":{self.value}')

    def come_back(self, number: int) -> None:
        if self.clients[number] is None:
            client = self.clients[number] = Client("192.0.2.1", ANONYMOUS, wake=lambda: None)
            assert self.hub.join(client)
            follower = self.followers[number]
            self.hub.subscribe(client, "web", follower.epoch, follower.seq)
            follower.epoch = self.hub.epoch

    def lose(self, number: int) -> None:
        client = self.clients[number]
        if client is not None:
            self.hub.part(client)
            self.clients[number] = None

    def read(self, number: int, most: int) -> None:
        client = self.clients[number]
        for _ in range(most):
            text = None if client is None else self.hub.next_message(client)
            if text is None:
                return
            self.followers[number].take(text)

    def make(self) -> None:
        if self.source.is_asked:
            self.source.is_asked = False
            self.hub.offer_snapshot("web", json.dumps(self.source.state))

    def wait(self, seconds: int) -> None:
        for _ in range(seconds):
            self.clock.advance(1_000)
            self.tick("a", 1)


@given(STEPS)
@settings(max_examples=300, deadline=None)
def test_any_interleaving_folds_to_the_state_of_the_topic(steps: list[tuple[str, str | int, int]]) -> None:
    """Ticks, bursts, slow readers, lost connections, resumption and topics that end: nothing is missed or invented."""
    stage = Stage()
    for name, what, amount in steps:
        if name in ("tick", "burst"):
            stage.tick(str(what), amount)
        elif name == "read":
            stage.read(int(what), amount)
        elif name == "lose":
            stage.lose(int(what))
        elif name == "come back":
            stage.come_back(int(what))
        elif name == "wait":
            stage.wait(amount)
        else:
            stage.make()
    for number in (0, 1):
        stage.come_back(number)
        for _ in range(3):
            stage.read(number, 1_000)
            stage.make()
        stage.read(number, 1_000)
        follower = stage.followers[number]
        assert follower.points == stage.source.state
        assert follower.gaps == 0
