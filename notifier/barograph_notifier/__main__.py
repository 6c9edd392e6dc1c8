"""Wires a notifier: ``barograph notifier`` or ``python -m barograph_notifier``."""

import sys
import uuid
from collections.abc import Sequence
from itertools import chain

from barograph_core.clock import SystemClock
from barograph_core.errors import Problem, SettingsError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.keyspace.layout import read_layout
from barograph_core.server.connection import Connection
from barograph_core.workers.process import Start, begin, guarded, stop_on_signals
from barograph_core.workers.shard_loops import Loop, serve_shards
from barograph_notifier.channel_loops import STAGE, ChannelLoops, Configured
from barograph_notifier.channels.reading import parse_channels
from barograph_notifier.escalation.reading import parse_escalations
from barograph_notifier.heartbeats.beating import Beating
from barograph_notifier.heartbeats.heartbeat import Heartbeat, parse_heartbeats
from barograph_notifier.heartbeats.round_trip import RoundTrip
from barograph_notifier.muting.reading import parse_inhibitions
from barograph_notifier.posting.token_bucket import TokenBucket
from barograph_notifier.routing.reading import parse_routes
from barograph_notifier.settings import NotifierSettings

# A pane closes and is judged within a second or two; what takes longer is no healthy pipeline.
_PROBE_WAIT_MS = 30_000


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
    clock = SystemClock()
    configured = Configured(
        start=start,
        channels=channels,
        routing=parse_routes(start.config, problems),
        inhibitions=parse_inhibitions(start.config, problems),
        escalations=parse_escalations(start.config, problems),
        buckets={name: TokenBucket(spec.rate, clock) for name, spec in channels.items() if spec.rate is not None},
    )
    heartbeats = parse_heartbeats(start.config, start.environ, problems)
    if problems:
        raise SettingsError(problems)

    def loops_of_shard(keys: ShardKeys, /, *, is_new: bool) -> list[Loop]:
        beating = [make_beating(start, keys, heartbeats, list(channels)).run] if heartbeats else []
        each = (
            ChannelLoops(configured, keys, spec, start_at="0" if is_new else "$").make() for spec in channels.values()
        )
        return [*beating, *chain.from_iterable(each)]

    return serve_shards(STAGE, start.server, loops_of_shard, stop_on_signals())


if __name__ == "__main__":
    sys.exit(main())
