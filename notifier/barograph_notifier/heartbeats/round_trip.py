"""Sends a probe into every shard, and waits until each channel has read the answer."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from barograph_core.clock import Clock
from barograph_core.keyspace.keys import NOTIFIER_GROUP, ShardKeys
from barograph_core.keyspace.layout import Layout, self_service
from barograph_core.pipeline.probing.probe import ProbeSender, find_answer, forget_answer, have_read
from barograph_core.server.connection import Connection
from barograph_core.server.foreign_replies import as_count
from barograph_core.server.replies import EntryId

_LOOK_EVERY_S: Final = 0.1


@dataclass(slots=True)
class _Asked:
    """A probe of one shard."""

    keys: ShardKeys
    mark: int
    answer: EntryId | None = None


class RoundTrip:
    """Sends probes over one connection. For one thread.

    Args:
        connection: To the server.
        instance: Name of this notifier as a producer.
        channels: Names of the channels, each of which must have read the answer.
        clock: Measures the wait.
        wait_ms: Longest time for all of it.
    """

    def __init__(
        self, connection: Connection, instance: str, channels: Sequence[str], *, clock: Clock, wait_ms: int
    ) -> None:
        self._connection = connection
        self._instance = instance
        self._groups = [f"{NOTIFIER_GROUP}{channel}" for channel in channels]
        self._clock = clock
        self._wait_ms = wait_ms
        self._senders: dict[str, ProbeSender] = {}

    def make(self, layout: Layout, stop: threading.Event, *, meanwhile: Callable[[], object]) -> str:
        """Send a probe into each shard and wait for its way; return where it has ended, empty when all arrived.

        Args:
            layout: The shards.
            stop: Ends the wait.
            meanwhile: Is called at each look.

        Raises:
            BarographError: The server is gone or refuses.
        """
        asked = [_Asked(keys, self._sender(layout, keys).send(layout.epoch)) for keys in layout.shards]
        end_ms = self._clock.monotonic_ms() + self._wait_ms
        while True:
            left = [one for one in asked if not self._has_arrived(one)]
            if not left:
                return ""
            if self._clock.monotonic_ms() >= end_ms or stop.wait(_LOOK_EVERY_S):
                return self._where(left[0], is_one=len(asked) == 1)
            meanwhile()

    def _sender(self, layout: Layout, keys: ShardKeys) -> ProbeSender:
        sender = self._senders.get(keys.tag)
        if sender is None:
            service = self_service(layout, keys.tag)
            sender = self._senders[keys.tag] = ProbeSender(self._connection, keys, service, self._instance)
        return sender

    def _has_arrived(self, asked: _Asked) -> bool:
        if asked.answer is None:
            asked.answer = find_answer(self._connection, asked.keys, asked.mark)
        if asked.answer is None or not have_read(self._connection, asked.keys, self._groups, asked.answer):
            return False
        forget_answer(self._connection, asked.keys, asked.answer)
        return True

    def _where(self, asked: _Asked, *, is_one: bool) -> str:
        """Return in words how far the probe has come, and take its answer back."""
        shard = "" if is_one else f" on shard {asked.keys.tag}"
        if asked.answer is not None:
            forget_answer(self._connection, asked.keys, asked.answer)
            return f"a channel has not read the alerts{shard}: does its notifier run?"
        watermark = self._connection.command("HGET", asked.keys.progress, "watermark_ms")
        if watermark is not None and as_count(watermark) > asked.mark:
            return f"no alerter has judged the probe{shard}: does one run, without a backlog?"
        return f"no aggregator has counted the probe{shard}: does one run, without a backlog?"
