"""The hub: topics, and the clients that follow them. Lives in the event loop; pure except for waking clients up."""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, Protocol

from barograph_console.access.identity import Identity
from barograph_console.live.topic import Cursor, Topic
from barograph_core.clock import Clock

# What each service writes about and the cards of all services.
ALL: Final = "*"
MOST_CLIENTS: Final = 500
MOST_OF_AN_ADDRESS: Final = 20
# A topic goes on this long without clients, so that a page that is loaded again resumes.
_LINGER_MS: Final = 60_000

BAD_MESSAGE: Final = 4400
SESSION_OVER: Final = 4401
NO_SUCH_SERVICE: Final = 4404
TOO_SLOW: Final = 4408
TOO_MANY: Final = 4429
RESTARTING: Final = 1001


class TopicSource(Protocol):
    """What works out the messages. Called in the event loop; answers by ``Hub.publish`` and ``Hub.offer_snapshot``."""

    def follow(self, topic: str) -> None:
        """Begin to publish about a topic."""
        ...

    def leave(self, topic: str) -> None:
        """Publish no more about a topic."""
        ...

    def make_snapshot(self, topic: str) -> None:
        """Offer the state of a topic as of what was published so far."""
        ...


@dataclass(eq=False, slots=True)
class Client:
    """One connection.

    Attributes:
        address: Where it comes from.
        identity: Who follows.
        wake: Called when there may be something to send.
        topic: What it follows; ``None`` before it said so.
        close_code: Set when it is to be closed.
    """

    address: str
    identity: Identity
    wake: Callable[[], None]
    topic: Topic | None = None
    cursor: Cursor = field(default_factory=lambda: Cursor(0))
    close_code: int = 0

    def close(self, code: int) -> None:
        """Let the connection be closed with ``code``."""
        self.close_code = self.close_code or code
        self.wake()

    def next_message(self) -> str | None:
        """Return what to send next; ``None`` when there is nothing now."""
        return None if self.topic is None else self.topic.next_message(self.cursor)


class Hub:
    """Keeps the topics, and tells their source which of them somebody follows."""

    def __init__(self, source: TopicSource, clock: Clock) -> None:
        self.epoch = secrets.token_hex(4)
        self._source = source
        self._clock = clock
        self._topics: dict[str, Topic] = {}
        self._left_ms: dict[str, float] = {}
        self._clients: set[Client] = set()
        self._asked: set[str] = set()
        # First number of a topic that is followed again: the numbers of an epoch are never given twice.
        self._first: dict[str, int] = {}

    @property
    def clients(self) -> frozenset[Client]:
        return frozenset(self._clients)

    def seq_of(self, topic: str) -> int:
        """Return the number of the newest message of a topic, from any thread.

        Where no one follows it, that is the number with which it will begin: somebody who reads the state now and
        follows soon afterwards resumes there, and gets what was closed in between.
        """
        found = self._topics.get(topic)
        return self._first.get(topic, 0) if found is None else found.seq

    def join(self, client: Client) -> bool:
        """Take in a client; return whether there is room for it."""
        of_address = sum(other.address == client.address for other in self._clients)
        if len(self._clients) >= MOST_CLIENTS or of_address >= MOST_OF_AN_ADDRESS:
            return False
        self._clients.add(client)
        return True

    def part(self, client: Client) -> None:
        """Let a client go."""
        self._clients.discard(client)
        self._unfollow(client)

    def subscribe(self, client: Client, name: str, epoch: str, seq: int | None) -> None:
        """Let a client follow a topic, from message ``seq`` of ``epoch`` on where there is one."""
        self._unfollow(client)
        topic = self._topics.get(name)
        if topic is None:
            topic = self._topics[name] = Topic(name, self._first.get(name, 0))
            self._source.follow(name)
        self._left_ms.pop(name, None)
        client.topic = topic
        client.cursor = topic.subscribe(seq, is_same_epoch=epoch == self.epoch)
        self._ask_for_snapshot(topic, client)
        client.wake()

    def publish(self, name: str, kind: str, body: str) -> None:
        """Send a message to all that follow a topic. Its members beyond type, service and seq stand in ``body``."""
        topic = self._topics.get(name)
        if topic is None:
            return
        topic.publish(kind, body)
        for client in self._followers(topic):
            client.wake()
        self._close_idle()

    def revise(self, name: str) -> None:
        """Say that earlier points changed: whoever draws them asks for them again."""
        self.publish(name, "reset", '"reason":"revised"')

    def offer_snapshot(self, name: str, state: str) -> None:
        """Take the state of a topic as of the message published last."""
        self._asked.discard(name)
        topic = self._topics.get(name)
        if topic is not None:
            topic.offer_snapshot(state)
            for client in self._followers(topic):
                client.wake()

    def next_message(self, client: Client) -> str | None:
        """Return what to send a client next; asks for a snapshot where it needs one."""
        message = client.next_message()
        if message is None and client.topic is not None:
            self._ask_for_snapshot(client.topic, client)
        return message

    def _followers(self, topic: Topic) -> Iterator[Client]:
        return (client for client in self._clients if client.topic is topic)

    def _ask_for_snapshot(self, topic: Topic, client: Client) -> None:
        """Ask the source once, however many clients wait."""
        if topic.name not in self._asked and topic.needs_snapshot(client.cursor):
            self._asked.add(topic.name)
            self._source.make_snapshot(topic.name)

    def _unfollow(self, client: Client) -> None:
        topic, client.topic = client.topic, None
        if topic is not None and not any(self._followers(topic)):
            self._left_ms[topic.name] = self._clock.monotonic_ms()

    def _close_idle(self) -> None:
        """End the topics that no one has followed for a while."""
        now_ms = self._clock.monotonic_ms()
        for name in [name for name, left_ms in self._left_ms.items() if now_ms - left_ms >= _LINGER_MS]:
            self._first[name] = self._topics[name].seq + 1
            del self._left_ms[name], self._topics[name]
            self._asked.discard(name)
            self._source.leave(name)
