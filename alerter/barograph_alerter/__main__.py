"""Wires an alerter: ``barograph alerter`` or ``python -m barograph_alerter``."""

import signal
import sys
from collections.abc import Sequence

from barograph_alerter.judge.judge import Judge
from barograph_alerter.judge.silence_keeper import SilenceKeeper
from barograph_alerter.judge.standstill import Standstill
from barograph_alerter.rules.publishing import RulePublisher, published_rules
from barograph_alerter.rules.reload import RuleReloader
from barograph_alerter.rules.rule import Rule
from barograph_alerter.rules.rule_set import RuleSet
from barograph_alerter.settings import AlerterSettings, rules_in_force
from barograph_alerter.states.writer import TransitionWriter
from barograph_alerter.windows.pane_cache import PaneCache
from barograph_alerter.windows.probes import probe_look
from barograph_alerter.worker import GROUP, AlerterHandler
from barograph_core.clock import SystemClock
from barograph_core.errors import Problem, SettingsError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.settings.config_file import ConfigFile, load_config
from barograph_core.steps import Step
from barograph_core.store.pane_store import PaneStore
from barograph_core.workers.consumer import Consumer, ConsumerSettings
from barograph_core.workers.counters import WorkerCounters
from barograph_core.workers.process import Start, begin, guarded, stop_on_signals
from barograph_core.workers.shard_loops import Loop, serve_shards


def make_consumer(
    start: Start[AlerterSettings], keys: ShardKeys, reloader: RuleReloader, steps: Sequence[Step]
) -> Consumer:
    """Build the consumer of one shard, with a connection of its own and the rules that are in force now."""
    settings, clock = start.stage, SystemClock()
    counters, rules = WorkerCounters(lambda: reloader.problem), reloader.rules
    connection = Connection.open(start.server.url, client_name="barograph-alerter")
    store = PaneStore(connection, keys, steps)
    writer = TransitionWriter(
        connection, keys, group=GROUP, consumer=start.name, keep_alerts_ms=settings.keep_alerts_ms
    )
    looks = {probe_look(steps[0].step_ms), *(look for rule in rules for look in rule.looks)}
    judge = Judge(
        connection,
        keys,
        RuleSet(rules, connection, start.server.prefix, clock),
        cache=PaneCache(store, steps, looks, max_panes=settings.cache_panes, clock=clock),
        writer=writer,
        base_step_ms=steps[0].step_ms,
        catch_up_ms=settings.catch_up_ms,
        clock=clock,
        counters=counters,
        flap_wait_ms=settings.flap_wait_ms,
    )
    return Consumer(
        connection,
        stage="alerter",
        stream=keys.metrics,
        group=GROUP,
        name=start.name,
        keys=keys,
        handler=AlerterHandler(
            judge,
            writer,
            store,
            base_step_ms=steps[0].step_ms,
            clock=clock,
            standstill=Standstill(connection, keys, rules, judge=judge, clock=clock),
            silences=SilenceKeeper(connection, keys, clock),
        ),
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
    steps, path = start.server.steps, start.config.path

    def load(config: ConfigFile) -> Sequence[Rule]:
        problems: list[Problem] = []
        rules = rules_in_force(
            config,
            steps,
            problems,
            with_defaults=start.stage.default_rules,
            flapping=start.stage.flapping,
        )
        if problems:
            raise SettingsError(problems)
        return rules

    reloader = RuleReloader(path, load(start.config), lambda: load(load_config(str(path), start.environ)))

    def make_loops(keys: ShardKeys, /, *, is_new: bool) -> list[Loop]:
        del is_new
        published = published_rules(reloader.rules, SystemClock().now_ms())
        consumer = make_consumer(start, keys, reloader, steps)
        # One for each shard, though their text is the same: any shard may be removed.
        connection = Connection.open(start.server.url, client_name="barograph-alerter-rules")
        return [consumer.run, RulePublisher(connection, start.server.prefix, published).run]

    stop = stop_on_signals()
    if path is not None:
        signal.signal(signal.SIGHUP, lambda _number, _frame: reloader.ask())
    return serve_shards("alerter", start.server, make_loops, stop, reloader.look)


if __name__ == "__main__":
    sys.exit(main())
