"""Wires one channel of one shard: the loop that reads the alerts stream for it, and the loops that send."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

from barograph_core.backoff import Backoff
from barograph_core.clock import SystemClock
from barograph_core.errors import BarographError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.workers.consumer import Consumer, ConsumerSettings
from barograph_core.workers.process import Start
from barograph_core.workers.shard_loops import Loop
from barograph_notifier.channel import shows_flag
from barograph_notifier.channels.reading import ChannelSpec
from barograph_notifier.escalation.escalation import Escalation
from barograph_notifier.escalation.scheduling import Escalating
from barograph_notifier.muting.inhibition import Inhibition
from barograph_notifier.outbox.hand_over import HandOver
from barograph_notifier.outbox.item_cache import ItemCache
from barograph_notifier.outbox.joining import join_alerts
from barograph_notifier.outbox.outbox import Outbox
from barograph_notifier.posting.token_bucket import TokenBucket
from barograph_notifier.routing.routing import Routing
from barograph_notifier.sending.attempts import SenderSettings
from barograph_notifier.sending.pacing.wake_up import WakeUp
from barograph_notifier.sending.senders import SenderPlace, sender_loops
from barograph_notifier.sending.tester import ChannelTester
from barograph_notifier.sending.trying import TriedChannel
from barograph_notifier.settings import NotifierSettings
from barograph_notifier.worker import NotifierHandler, SharedCounters, group_of

STAGE: Final = "notifier"
# Another notifier takes over within 2 s; the fence makes an early claim safe.
_CONSUMER: Final = ConsumerSettings(tick_ms=1_000, claim_idle_ms=1_000, claim_every_ms=250)
_REJOIN: Final = Backoff(first_ms=100, longest_ms=2_000)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Configured:
    """What the configuration says, for every channel and shard.

    Attributes:
        start: Settings of the process.
        channels: Every channel by name.
        buckets: Of the channels with a rate, for all shards.
    """

    start: Start[NotifierSettings]
    channels: Mapping[str, ChannelSpec]
    routing: Routing
    inhibitions: Sequence[Inhibition]
    escalations: Sequence[Escalation]
    buckets: Mapping[str, TokenBucket]

    def fallback_of(self, spec: ChannelSpec) -> ChannelSpec | None:
        """Return the channel that gets what ``spec`` does not take.

        That of its settings; else, for critical alerts that are given up, another one; ``None`` if there is none.
        """
        other = next((name for name in self.channels if name != spec.name), "")
        return self.channels.get(spec.fallback or other)


class ChannelLoops:
    """The loops of one channel of one shard, each with a connection of its own.

    Args:
        configured: What the configuration says.
        keys: Of the shard.
        spec: The channel.
        start_at: Where the group of a new channel begins. On a new shard that is the first entry, so that nothing can
            be missing; elsewhere the channel skips what was before its first start, and is told of what fires.
    """

    def __init__(
        self, configured: Configured, keys: ShardKeys, spec: ChannelSpec, *, start_at: Literal["0", "$"]
    ) -> None:
        self._configured = configured
        self._keys = keys
        self._spec = spec
        self._start_at: Literal["0", "$"] = start_at
        self._settings = configured.start.stage
        self._clock = SystemClock()
        self._counters = SharedCounters()
        self._wake = WakeUp()
        self._cache = ItemCache()

    def make(self) -> list[Loop]:
        """Return the reading loop and the sending loops."""
        connection, spec = self._connect(), self._spec
        outbox = self._outbox_of(spec, connection, self._cache)
        consumer = self._consumer(connection, outbox)

        def read_until_stopped(stop: threading.Event) -> None:
            if self._start_at == "$":
                routing = self._configured.routing
                join_until_stopped(
                    lambda: join_alerts(connection, self._keys, spec.name, outbox, routing), stop, channel=spec.name
                )
            self._wake.set()
            consumer.run(stop)

        return [read_until_stopped, *sender_loops(self._place(), spec.senders, self._connect)]

    def _connect(self) -> Connection:
        name = f"barograph-notifier-{self._spec.name}"
        return Connection.open(self._configured.start.server.url, client_name=name, keeps_link=True)

    def _outbox_of(self, spec: ChannelSpec, connection: Connection, cache: ItemCache | None = None) -> Outbox:
        keep_ms = self._settings.keep_ms
        return Outbox(connection, self._keys, spec.name, keep_ms=keep_ms, grouping=spec.grouping, cache=cache)

    def _consumer(self, connection: Connection, outbox: Outbox) -> Consumer:
        spec = self._spec
        # Each channel reports its own figures.
        name = f"{self._configured.start.name}:{spec.name}"
        handler = NotifierHandler(
            outbox,
            self._configured.routing,
            channel=spec.name,
            consumer=name,
            clock=self._clock,
            counters=self._counters,
            wake=self._wake,
            sends_resolved=spec.sends_resolved,
            shows_flag=partial(shows_flag, spec.channel),
            look_for_tests=ChannelTester(connection, self._keys, self._tried(), self._clock, self._connect).look,
        )
        return Consumer(
            connection,
            stage=STAGE,
            stream=self._keys.alerts,
            group=group_of(spec.name),
            name=name,
            keys=self._keys,
            handler=handler,
            clock=self._clock,
            counters=self._counters,
            settings=_CONSUMER,
            start_at=self._start_at,
        )

    def _tried(self) -> TriedChannel:
        spec, settings = self._spec, self._settings
        return TriedChannel(
            name=spec.name,
            channel=spec.channel,
            sends_resolved=spec.sends_resolved,
            timeout_s=(spec.timeout_ms or settings.timeout_ms) / 1_000,
            console_url=settings.console_url,
        )

    def _place(self) -> SenderPlace:
        spec, settings = self._spec, self._settings
        return SenderPlace(
            keys=self._keys,
            name=spec.name,
            channel=spec.channel,
            grouping=spec.grouping,
            settings=self._sender_settings(),
            keep_ms=settings.keep_ms,
            remember_ms=settings.remember_ms,
            clock=self._clock,
            counters=self._counters,
            wake=self._wake,
            cache=self._cache,
            bucket=self._configured.buckets.get(spec.name),
            inhibitions=self._configured.inhibitions,
            hand_over_of=self._hand_over_of,
            escalating_of=self._escalating_of,
        )

    def _sender_settings(self) -> SenderSettings:
        spec, settings = self._spec, self._settings
        return SenderSettings(
            timeout_ms=spec.timeout_ms or settings.timeout_ms,
            retry_for_ms=settings.retry_for_ms,
            poll_ms=settings.poll_ms,
            backoff=Backoff(first_ms=settings.retry_first_ms, longest_ms=settings.retry_cap_ms),
            console=settings.console_url,
            templates=spec.templates,
        )

    def _hand_over_of(self, sending: Connection) -> HandOver | None:
        fallback = self._configured.fallback_of(self._spec)
        if fallback is None:
            return None
        return HandOver(
            sending,
            self._keys,
            self._outbox_of(fallback, sending),
            name=fallback.name,
            after_ms=self._spec.fallback_after_ms,
            is_for_all=bool(self._spec.fallback),
        )

    def _escalating_of(self, sending: Connection) -> Escalating | None:
        escalations, channels = self._configured.escalations, self._configured.channels
        if not escalations:
            return None
        return Escalating(
            sending,
            self._keys,
            escalations,
            lambda name: self._outbox_of(channels[name], sending),
            keep_ms=self._settings.keep_ms,
        )


def join_until_stopped(join: Callable[[], object], stop: threading.Event, *, channel: str) -> None:
    """Call ``join`` until it succeeds; the server may be away at the start, as at any time."""
    failures = 0
    while not stop.is_set():
        try:
            join()
        except BarographError as error:
            failures += 1
            log.warning("channel.cannot_join", extra={"channel": channel, "error": str(error)})
            stop.wait(_REJOIN.wait_ms(failures) / 1_000)
        else:
            return
