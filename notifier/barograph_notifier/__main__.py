"""Wires a notifier: ``barograph notifier`` or ``python -m barograph_notifier``."""

import random
import sys
import threading
from collections.abc import Sequence
from typing import Literal

from barograph_core.clock import SystemClock
from barograph_core.consumer import Consumer, ConsumerSettings
from barograph_core.errors import Problem, SettingsError
from barograph_core.keys import ShardKeys
from barograph_core.shard_loops import Loop, serve_shards
from barograph_core.stream import Connection
from barograph_core.worker import Start, begin, guarded, stop_on_signals
from barograph_notifier.backoff import Backoff
from barograph_notifier.channels import ChannelSpec, parse_channels, parse_routes
from barograph_notifier.outbox import Outbox
from barograph_notifier.routing import Route
from barograph_notifier.sender import Sender, SenderSettings
from barograph_notifier.settings import NotifierSettings
from barograph_notifier.worker import NotifierHandler, SharedCounters, group_of

STAGE = "notifier"
_CONSUMER = ConsumerSettings(tick_ms=1_000)


def make_loops(
    start: Start[NotifierSettings],
    keys: ShardKeys,
    spec: ChannelSpec,
    routes: Sequence[Route],
    *,
    start_at: Literal["0", "$"],
) -> list[Loop]:
    """Build the reading and the sending loop of one channel of one shard, each with a connection of its own."""
    settings, clock, counters, wake = start.stage, SystemClock(), SharedCounters(), threading.Event()
    # Each channel reports its own figures.
    consumer_name = f"{start.name}:{spec.name}"

    def open_outbox() -> tuple[Connection, Outbox]:
        connection = Connection.open(start.server.url, client_name=f"barograph-notifier-{spec.name}")
        return connection, Outbox(
            connection, keys, spec.name, keep_ms=settings.keep_ms, remember_ms=settings.remember_ms
        )

    connection, outbox = open_outbox()
    handler = NotifierHandler(
        outbox, routes, channel=spec.name, consumer=consumer_name, clock=clock, counters=counters, wake=wake
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
    sending, sender_outbox = open_outbox()
    sender = Sender(
        sender_outbox,
        name=spec.name,
        channel=spec.channel,
        settings=SenderSettings(
            timeout_ms=spec.timeout_ms or settings.timeout_ms,
            retry_for_ms=settings.retry_for_ms,
            poll_ms=settings.poll_ms,
            backoff=Backoff(first_ms=settings.retry_first_ms, cap_ms=settings.retry_cap_ms),
        ),
        clock=clock,
        counters=counters,
        rng=random.Random(),  # noqa: S311  # jitter needs no secret
        wake=wake,
    )

    def send_until_stopped(stop: threading.Event) -> None:
        sender.run(stop)
        sending.close()

    return [consumer.run, send_until_stopped]


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
    routes = parse_routes(start.config, problems)
    if problems:
        raise SettingsError(problems)

    def loops_of_shard(keys: ShardKeys, /, *, is_new: bool) -> list[Loop]:
        # What was alerted before a channel's first start is old news; on a shard that has just begun nothing is.
        start_at: Literal["0", "$"] = "0" if is_new else "$"
        return [loop for spec in channels.values() for loop in make_loops(start, keys, spec, routes, start_at=start_at)]

    return serve_shards(STAGE, start.server, loops_of_shard, stop_on_signals())


if __name__ == "__main__":
    sys.exit(main())
