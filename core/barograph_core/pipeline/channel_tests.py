"""Tests of channels that a person asks for at the console: a notifier sends a sample and tells what came back."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

from barograph_core.errors import MalformedEventError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_bytes, as_int
from barograph_core.text.foreign_json import load_foreign_json

# After this time no one waits for the answer any more: the sample is not sent then.
STALE_MS: Final = 30_000
_KEPT_MS: Final = 120_000
# Limit of the tests that wait for one channel.
MOST_WAITING: Final = 10


@dataclass(frozen=True, slots=True)
class ChannelTest:
    """A test that somebody asks for.

    Attributes:
        test_id: 32 hex digits; the same for each attempt of one request.
        channel: Name of the channel.
        actor: Who asks.
        at_ms: When, by the wall clock of the console.
    """

    test_id: str
    channel: str
    actor: str
    at_ms: int

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read a test as it was written.

        Raises:
            MalformedEventError: It is none.
        """
        try:
            given: dict[str, Any] = load_foreign_json(text)
            return cls(str(given["test_id"]), str(given["channel"]), str(given["actor"]), int(given["at_ms"]))
        except (ValueError, KeyError, TypeError) as error:
            raise MalformedEventError(f"not a test of a channel: {error}") from error


@dataclass(frozen=True, slots=True)
class TriedMessage:
    """One message of a test.

    Attributes:
        status: Of the sample: firing or resolved.
        result: sent, refused or failed.
        answer: What the channel's target said, in words without secrets.
        took_ms: Time until the outcome was known.
    """

    status: str
    result: str
    answer: str
    took_ms: int


class ChannelTests:
    """The tests of the channels of one shard."""

    def __init__(self, connection: Connection, keys: ShardKeys) -> None:
        self._connection = connection
        self._keys = keys

    def ask(self, test: ChannelTest) -> bool:
        """Ask for a test, once for its id; return whether there is room for it.

        Raises:
            StreamUnavailableError: The server is gone or refuses.
        """
        marker = self._keys.once(test.test_id)
        if self._connection.command("SET", marker, "channel test", "NX", "PX", _KEPT_MS) is None:
            return True
        waiting, *_ = self._connection.pipeline(
            [
                ("RPUSH", self._keys.tests(test.channel), json.dumps(asdict(test))),
                ("PEXPIRE", self._keys.tests(test.channel), _KEPT_MS),
                ("LTRIM", self._keys.tests(test.channel), 0, MOST_WAITING - 1),
            ]
        )
        return as_int(waiting) <= MOST_WAITING

    def answer_to(self, test_id: str) -> list[TriedMessage] | None:
        """Return what came back, ``None`` while no notifier has told.

        Raises:
            StreamUnavailableError: The server is gone.
            MalformedEventError: The answer cannot be read.
        """
        text = self._connection.command("GET", self._keys.tested(test_id))
        if text is None:
            return None
        try:
            rows: list[dict[str, Any]] = load_foreign_json(as_bytes(text))
            return [
                TriedMessage(str(row["status"]), str(row["result"]), str(row["answer"]), int(row["took_ms"]))
                for row in rows
            ]
        except (ValueError, KeyError, TypeError) as error:
            raise MalformedEventError(f"not an answer of a channel: {error}") from error

    def take(self, channel: str) -> ChannelTest | None:
        """Return the next test of a channel, which no other notifier gets; ``None`` when no one asks for one.

        Raises:
            StreamUnavailableError: The server is gone.
            MalformedEventError: What was asked cannot be read; it is gone.
        """
        text = self._connection.command("LPOP", self._keys.tests(channel))
        return None if text is None else ChannelTest.from_json(as_bytes(text))

    def tell(self, test: ChannelTest, tried: Sequence[TriedMessage], now_ms: int) -> None:
        """Tell what came back, and write it to the deliveries stream with who asked.

        Raises:
            StreamUnavailableError: The server is gone.
        """
        answer = json.dumps([asdict(one) for one in tried])
        entries = [
            (
                *("XADD", self._keys.deliveries, "*", "transition", test.test_id, "channel", test.channel),
                *("key", test.test_id, "attempt", number, "result", _RESULTS[one.result]),
                *("reason", f"test by {test.actor}: {one.status} {one.answer}".rstrip(), "at_ms", now_ms),
            )
            for number, one in enumerate(tried, 1)
        ]
        self._connection.pipeline([("SET", self._keys.tested(test.test_id), answer, "PX", _KEPT_MS), *entries])


# As other deliveries are recorded.
_RESULTS: Final = {"sent": "sent", "refused": "dead", "failed": "retry"}
