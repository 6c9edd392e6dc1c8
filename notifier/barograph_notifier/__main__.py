"""Wires a notifier: ``barograph notifier`` or ``python -m barograph_notifier``."""

import logging
import sys
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Literal

from barograph_core.backoff import Backoff
from barograph_core.clock import SystemClock
from barograph_core.errors import BarographError, Problem, SettingsError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.keyspace.layout import read_layout
from barograph_core.server.connection import Connection
from barograph_core.workers.consumer import Consumer, ConsumerSettings
from barograph_core.workers.process import Start, begin, guarded, stop_on_signals
from barograph_core.workers.shard_loops import Loop, serve_shards
from barograph_notifier.channel import shows_flag
from barograph_notifier.channels.reading import ChannelSpec, parse_channels
from barograph_notifier.escalation.escalation import Escalation
from barograph_notifier.escalation.reading import parse_escalations
from barograph_notifier.escalation.scheduling import Escalating
from barograph_notifier.heartbeats.beating import Beating
from barograph_notifier.heartbeats.heartbeat import Heartbeat, parse_heartbeats
from barograph_notifier.heartbeats.round_trip import RoundTrip
from barograph_notifier.muting.inhibition import Inhibition
from barograph_notifier.muting.reading import parse_inhibitions
from barograph_notifier.outbox.grouping import Grouping
from barograph_notifier.outbox.hand_over import HandOver
from barograph_notifier.outbox.item_cache import ItemCache
from barograph_notifier.outbox.joining import join_alerts
from barograph_notifier.outbox.outbox import Outbox
from barograph_notifier.posting.token_bucket import TokenBucket
from barograph_notifier.routing.reading import parse_routes
from barograph_notifier.routing.routing import Routing
from barograph_notifier.sending.attempts import SenderSettings
from barograph_notifier.sending.senders import SenderPlace, sender_loops
from barograph_notifier.sending.tester import ChannelTester
from barograph_notifier.sending.trying import TriedChannel
from barograph_notifier.sending.wake_up import WakeUp
from barograph_notifier.settings import NotifierSettings
from barograph_notifier.worker import NotifierHandler, SharedCounters, group_of

STAGE = "notifier"
# Another notifier takes over within 2 s; the fence makes an early claim safe.
_CONSUMER = ConsumerSettings(tick_ms=1_000, claim_idle_ms=1_000, claim_every_ms=250)
# A pane closes and is judged within a second or two; what takes longer is no healthy pipeline.
_PROBE_WAIT_MS = 30_000
_REJOIN = Backoff(first_ms=100, longest_ms=2_000)

log = logging.getLogger(__name__)


def make_loops(
    start: Start[NotifierSettings],
    keys: ShardKeys,
    spec: ChannelSpec,
    routing: Routing,
    *,
    start_at: Literal["0", "$"],
    inhibitions: Sequence[Inhibition] = (),
    escalations: Sequence[Escalation] = (),
    groupings: Mapping[str, Grouping] = MappingProxyType({}),
    bucket: TokenBucket | None = None,
    fallback: ChannelSpec | None = None,
) -> list[Loop]:
    """Build the reading and the sending loops of one channel of one shard, each with a connection of its own.

    Args:
        start: Settings of the process.
        keys: Of the shard.
        spec: The channel.
        routing: Of the configuration.
        start_at: Where the group of a new channel begins.
        inhibitions: Of the configuration.
        escalations: Of the configuration.
        groupings: Of every channel by name.
        bucket: Of the channel's rate, for all shards.
        fallback: The channel that gets what this one does not take: that of its settings, else, for critical alerts
            that are given up, another one; ``None`` if there is none.
    """
    settings, clock, counters, wake = start.stage, SystemClock(), SharedCounters(), WakeUp()
    # Each channel reports its own figures.
    consumer_name = f"{start.name}:{spec.name}"

    def connect() -> Connection:
        return Connection.open(start.server.url, client_name=f"barograph-notifier-{spec.name}", keeps_link=True)

    def outbox_of(channel: str, connection: Connection, grouping: Grouping) -> Outbox:
        return Outbox(connection, keys, channel, keep_ms=settings.keep_ms, grouping=grouping)

    connection = connect()
    cache = ItemCache()
    outbox = Outbox(connection, keys, spec.name, keep_ms=settings.keep_ms, grouping=spec.grouping, cache=cache)
    tried = TriedChannel(
        name=spec.name,
        channel=spec.channel,
        sends_resolved=spec.sends_resolved,
        timeout_s=(spec.timeout_ms or settings.timeout_ms) / 1_000,
        console_url=settings.console_url,
    )
    handler = NotifierHandler(
        outbox,
        routing,
        channel=spec.name,
        consumer=consumer_name,
        clock=clock,
        counters=counters,
        wake=wake,
        sends_resolved=spec.sends_resolved,
        shows_flag=partial(shows_flag, spec.channel),
        look_for_tests=ChannelTester(connection, keys, tried, clock, connect).look,
    )
    consumer = Consumer(
        connection,
        stage=STAGE,
        stream=keys.alerts,
        group=group_of(spec.name),
        name=consumer_name,
        keys=keys,
        handler=handler,
        clock=clock,
        counters=counters,
        settings=_CONSUMER,
        start_at=start_at,
    )

    def hand_over_of(sending: Connection) -> HandOver | None:
        if fallback is None:
            return None
        return HandOver(
            sending,
            keys,
            outbox_of(fallback.name, sending, fallback.grouping),
            name=fallback.name,
            after_ms=spec.fallback_after_ms,
            is_for_all=bool(spec.fallback),
        )

    def escalating_of(sending: Connection) -> Escalating | None:
        if not escalations:
            return None
        return Escalating(
            sending,
            keys,
            escalations,
            lambda name: outbox_of(name, sending, groupings[name]),
            keep_ms=settings.keep_ms,
        )

    place = SenderPlace(
        keys=keys,
        name=spec.name,
        channel=spec.channel,
        grouping=spec.grouping,
        settings=SenderSettings(
            timeout_ms=spec.timeout_ms or settings.timeout_ms,
            retry_for_ms=settings.retry_for_ms,
            poll_ms=settings.poll_ms,
            backoff=Backoff(first_ms=settings.retry_first_ms, longest_ms=settings.retry_cap_ms),
            console=settings.console_url,
            templates=spec.templates,
        ),
        keep_ms=settings.keep_ms,
        remember_ms=settings.remember_ms,
        clock=clock,
        counters=counters,
        wake=wake,
        cache=cache,
        bucket=bucket,
        inhibitions=inhibitions,
        hand_over_of=hand_over_of,
        escalating_of=escalating_of,
    )

    def read_until_stopped(stop: threading.Event) -> None:
        # On a new shard the group begins with the first entry, so that nothing can be missing.
        if start_at == "$":
            join_until_stopped(
                lambda: join_alerts(connection, keys, spec.name, outbox, routing), stop, channel=spec.name
            )
        wake.set()
        consumer.run(stop)

    return [read_until_stopped, *sender_loops(place, spec.senders, connect)]


def make_beating(
    start: Start[NotifierSettings], keys: ShardKeys, heartbeats: Sequence[Heartbeat], channels: Sequence[str]
) -> Beating:
    """Build what sends the heartbeats, with a connection of its own; only that of the first shard has work."""
    clock = SystemClock()
    connection = Connection.open(start.server.url, client_name="barograph-notifier-heartbeat")
    longest_ms = min(_PROBE_WAIT_MS, *(one.every_ms for one in heartbeats))
    round_trip = RoundTrip(
        connection, f"{start.name}:heartbeat:{uuid.uuid4().hex[:16]}", channels, clock=clock, wait_ms=longest_ms
    )
    return Beating(
        connection,
        keys,
        heartbeats,
        layout_of=lambda: read_layout(connection, start.server.prefix),
        round_trip=round_trip,
        clock=clock,
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


def main(argv: Sequence[str] | None = None) -> int:
    """Run a notifier until SIGTERM or SIGINT.

    Returns:
        0 after an orderly stop, 1 after a failure, 2 for wrong settings.
    """
    return guarded(lambda: _run(argv))


def _run(argv: Sequence[str] | None) -> int:
    start = begin(STAGE, argv, NotifierSettings)
    problems: list[Problem] = []
    channels = parse_channels(start.config, start.environ, problems)
    routing = parse_routes(start.config, problems)
    inhibitions = parse_inhibitions(start.config, problems)
    escalations = parse_escalations(start.config, problems)
    heartbeats = parse_heartbeats(start.config, start.environ, problems)
    if problems:
        raise SettingsError(problems)

    clock, groupings = SystemClock(), {spec.name: spec.grouping for spec in channels.values()}
    buckets = {spec.name: TokenBucket(spec.rate, clock) for spec in channels.values() if spec.rate is not None}
    # A critical alert that is given up is told elsewhere, also where no fallback is set.
    others = {name: next((other for other in channels if other != name), "") for name in channels}

    def loops_of_shard(keys: ShardKeys, /, *, is_new: bool) -> list[Loop]:
        # A new channel skips the alerts from before its first start. On a new shard there are none: it reads all.
        start_at: Literal["0", "$"] = "0" if is_new else "$"
        beating = [make_beating(start, keys, heartbeats, list(channels)).run] if heartbeats else []
        return beating + [
            loop
            for spec in channels.values()
            for loop in make_loops(
                start,
                keys,
                spec,
                routing,
                start_at=start_at,
                inhibitions=inhibitions,
                escalations=escalations,
                groupings=groupings,
                bucket=buckets.get(spec.name),
                fallback=channels.get(spec.fallback or others[spec.name]),
            )
        ]

    return serve_shards(STAGE, start.server, loops_of_shard, stop_on_signals())


if __name__ == "__main__":
    sys.exit(main())
