"""Builds and runs an aggregator: ``barograph aggregator`` or ``python -m barograph_aggregator``."""

import sys
from collections.abc import Sequence

from barograph_aggregator.commit.commit import Committer, FencedCommitter
from barograph_aggregator.process_memory import collect_garbage_rarely, keep_freed_memory
from barograph_aggregator.settings import AggregatorSettings, steps_to_close
from barograph_aggregator.worker import AggregatorHandler
from barograph_core.clock import SystemClock
from barograph_core.keyspace.keys import AGGREGATOR_GROUP, ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.workers.consumer import Consumer, ConsumerSettings
from barograph_core.workers.counters import WorkerCounters
from barograph_core.workers.process import Start, begin, guarded, stop_on_signals
from barograph_core.workers.shard_loops import Loop, serve_shards


def make_consumer(start: Start[AggregatorSettings], keys: ShardKeys, *, committer: Committer | None = None) -> Consumer:
    """Build the consumer of one shard, with a connection of its own and, unless given, the fenced committer."""
    settings, clock, counters = start.stage, SystemClock(), WorkerCounters()
    steps = steps_to_close(start.server, settings, start.config)
    connection = Connection.open(start.server.url, client_name="barograph-aggregator")
    committer = committer or FencedCommitter(
        connection,
        keys,
        group=AGGREGATOR_GROUP,
        consumer=start.name,
        step_ms=steps[0].step_ms,
        keep_metrics_ms=settings.keep_metrics_ms,
    )
    handler = AggregatorHandler(
        connection,
        keys,
        settings,
        steps=steps,
        consumer=start.name,
        committer=committer,
        clock=clock,
        counters=counters,
    )
    return Consumer(
        connection,
        stage="aggregator",
        stream=keys.events,
        group=AGGREGATOR_GROUP,
        name=start.name,
        keys=keys,
        handler=handler,
        clock=clock,
        counters=counters,
        settings=ConsumerSettings(
            count=settings.commit_entries, tick_ms=settings.tick_ms, claim_idle_ms=settings.claim_idle_ms
        ),
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run an aggregator until SIGTERM or SIGINT.

    Returns:
        0 after an orderly stop, 1 after a failure, 2 for wrong settings.
    """
    return guarded(lambda: _run(argv))


def _run(argv: Sequence[str] | None) -> int:
    start = begin("aggregator", argv, AggregatorSettings)
    steps_to_close(start.server, start.stage, start.config)
    collect_garbage_rarely()
    keep_freed_memory()

    def make_loops(keys: ShardKeys, /, *, is_new: bool) -> list[Loop]:
        del is_new
        return [make_consumer(start, keys).run]

    return serve_shards("aggregator", start.server, make_loops, stop_on_signals())


if __name__ == "__main__":
    sys.exit(main())
