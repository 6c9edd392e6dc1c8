"""Wires an alerter: ``barograph alerter`` or ``python -m barograph_alerter``."""

import sys
from collections.abc import Sequence

from barograph_alerter.judge import Judge
from barograph_alerter.pane_cache import PaneCache
from barograph_alerter.rules import Rule
from barograph_alerter.settings import AlerterSettings, rules_in_force
from barograph_alerter.transition_writer import TransitionWriter
from barograph_alerter.worker import GROUP, AlerterHandler
from barograph_core.clock import SystemClock
from barograph_core.consumer import Consumer, ConsumerSettings
from barograph_core.errors import Problem, SettingsError
from barograph_core.keys import ShardKeys
from barograph_core.self_metrics import Counters
from barograph_core.shard_loops import Loop, serve_shards
from barograph_core.steps import Step
from barograph_core.store import PaneStore
from barograph_core.stream import Connection
from barograph_core.worker import Start, begin, guarded, stop_on_signals


def make_consumer(
    start: Start[AlerterSettings], keys: ShardKeys, rules: Sequence[Rule], steps: Sequence[Step]
) -> Consumer:
    """Build the consumer of one shard, with a connection of its own."""
    settings, clock, counters = start.stage, SystemClock(), Counters()
    connection = Connection.open(start.server.url, client_name="barograph-alerter")
    store = PaneStore(connection, keys, steps)
    writer = TransitionWriter(
        connection, keys, group=GROUP, consumer=start.name, keep_alerts_ms=settings.keep_alerts_ms
    )
    windows = [rule.window_ms for rule in rules]
    judge = Judge(
        connection,
        keys,
        rules,
        cache=PaneCache(store, steps, windows, max_panes=settings.cache_panes, clock=clock),
        writer=writer,
        base_step_ms=steps[0].step_ms,
        catch_up_ms=settings.catch_up_ms,
        clock=clock,
        counters=counters,
    )
    return Consumer(
        connection,
        stage="alerter",
        stream=keys.metrics,
        group=GROUP,
        name=start.name,
        keys=keys,
        handler=AlerterHandler(judge, writer, store, base_step_ms=steps[0].step_ms, clock=clock),
        clock=clock,
        counters=counters,
        settings=ConsumerSettings(tick_ms=settings.tick_ms, claim_idle_ms=settings.claim_idle_ms),
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run an alerter until SIGTERM or SIGINT.

    Returns:
        0 after an orderly stop, 1 after a failure, 2 for wrong settings.
    """
    return guarded(lambda: _run(argv))


def _run(argv: Sequence[str] | None) -> int:
    start = begin("alerter", argv, AlerterSettings)
    problems: list[Problem] = []
    steps = start.server.steps
    rules = rules_in_force(start.config, steps, problems, with_defaults=start.stage.default_rules)
    if problems:
        raise SettingsError(problems)

    def make_loops(keys: ShardKeys, /, *, is_new: bool) -> list[Loop]:
        del is_new
        return [make_consumer(start, keys, rules, steps).run]

    return serve_shards("alerter", start.server, make_loops, stop_on_signals())


if __name__ == "__main__":
    sys.exit(main())
