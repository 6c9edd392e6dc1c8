"""A whole pipeline in one process and in virtual time: producers, an aggregator and alerters on one fakeredis.

The code is that of the real workers. Virtual are the clocks, the server's too, so that retention, the watermark and the
ids of entries follow; and the consumers' loops, of which a pass is made by hand.
"""

import heapq
import itertools
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import fakeredis
import fakeredis._helpers
import fakeredis._socket._base
import fakeredis.commands_mixins.connection_mixin
import fakeredis.commands_mixins.server_mixin
import fakeredis.model._client_info
import fakeredis.model._stream
import pytest

from barograph_aggregator.commit.commit import FencedCommitter
from barograph_aggregator.settings import AggregatorSettings
from barograph_aggregator.worker import AggregatorHandler
from barograph_alerter.judge.judge import Judge
from barograph_alerter.rules.publishing import published_rules
from barograph_alerter.rules.rule_set import RuleSet
from barograph_alerter.settings import rules_in_force
from barograph_alerter.states.writer import TransitionWriter
from barograph_alerter.windows.pane_cache import PaneCache
from barograph_alerter.windows.probes import probe_look
from barograph_alerter.worker import GROUP, AlerterHandler
from barograph_core.alerts.published_rules import publish_rules
from barograph_core.alerts.record import AlertRecord
from barograph_core.alerts.state import ServiceState
from barograph_core.alerts.transition import Transition
from barograph_core.clock import Clock
from barograph_core.errors import Problem
from barograph_core.events.encode import LabelSet, encode_batch, entry_fields
from barograph_core.events.kinds import KINDS
from barograph_core.functions.library import ensure_library
from barograph_core.keyspace.keys import AGGREGATOR_GROUP, ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.link import Reply, Value
from barograph_core.server.replies import Entry, as_entries, as_hash, as_list
from barograph_core.settings.config_file import parse_config
from barograph_core.steps import DEFAULT_KEEP, parse_keep
from barograph_core.store.pane_store import PaneStore
from barograph_core.workers.counters import WorkerCounters
from tests.support import FakeClock, append

# A multiple of an hour: blocks of panes begin here.
T0 = 1_700_006_400_000
SERVICE = "ranker"
Event = tuple[LabelSet, int, tuple[float | None, ...]]
_TIMED = (
    fakeredis._helpers,
    fakeredis._socket._base,
    fakeredis.commands_mixins.connection_mixin,
    fakeredis.commands_mixins.server_mixin,
    fakeredis.model._client_info,
    fakeredis.model._stream,
)


class AheadClock:
    """The clock of a host that is ahead of the others', or behind them."""

    def __init__(self, clock: FakeClock, ahead_ms: int) -> None:
        self._clock = clock
        self._ahead_ms = ahead_ms

    def now_ms(self) -> int:
        return self._clock.now_ms() + self._ahead_ms

    def monotonic_ms(self) -> float:
        return self._clock.monotonic_ms()


def request(at_ms: int, status: int = 200, duration_ms: float = 10.0, route: str = "/a") -> Event:
    return ((route, "GET", status), at_ms, (duration_ms,))


def custom(name: str, at_ms: int, value: float, **labels: str) -> Event:
    return ((name, *itertools.chain.from_iterable(sorted(labels.items()))), at_ms, (value,))


class VirtualProducer:
    """One producer process: what it sends and how far it says it has sent, by its own clock."""

    def __init__(self, connection: Connection, keys: ShardKeys, service: str, name: str, clock: Clock) -> None:
        self._connection = connection
        self._keys = keys
        self._service = service
        self.name = name
        self._clock = clock
        self._seq = 0
        self.is_alive = True
        self.beats_by_itself = True

    def send(self, kind: str, events: Sequence[Event]) -> None:
        sets = list(dict.fromkeys(labels for labels, *_ in events))
        columns = [
            [math.nan if value is None else value for value in column]
            for column in zip(*(e[2] for e in events), strict=True)
        ]
        batch = encode_batch(KINDS[kind], sets, [sets.index(e[0]) for e in events], [e[1] for e in events], columns)
        self._seq += 1
        facts = {"service": self._service, "instance": self.name, "seq": self._seq, "through_ms": self._clock.now_ms()}
        self._append("batch", entry_fields(batch, **facts))  # type: ignore[arg-type]  # one of them is a text

    def heartbeat(self) -> None:
        self._append("heartbeat", {})

    def say_goodbye(self) -> None:
        self._append("goodbye", {})
        self.is_alive = False

    def kill(self) -> None:
        self.is_alive = False

    def _append(self, mode: str, fields: object) -> None:
        now_ms = self._clock.now_ms()
        reply = append(
            self._connection,
            self._keys,
            fields,  # type: ignore[arg-type]  # the fields of an entry, or none
            service=self._service,
            instance=self.name,
            seq=self._seq,
            through_ms=f"{now_ms}:{now_ms}",
            mode=mode,
            batches=1 if mode == "batch" else 0,
        )
        assert reply[0] == "ok", reply


class VirtualAlerter:
    """One alerter process."""

    def __init__(
        self, world: "VirtualPipeline", rules: str, name: str, clock: Clock, connection: Connection | None = None
    ) -> None:
        problems: list[Problem] = []
        config = parse_config(rules, Path("barograph.toml"))
        self.rules = rules_in_force(config, world.steps, problems, with_defaults=False)
        assert problems == []
        self.name = name
        publish_rules(world.connection, world.keys.prefix, published_rules(self.rules, 1), only_if_absent=False)
        self.counters = WorkerCounters()
        self._keys = world.keys
        self._clock = clock
        self._connection = connection or world.connect()
        store = PaneStore(self._connection, world.keys, world.steps)
        writer = TransitionWriter(
            self._connection, world.keys, group=GROUP, consumer=name, keep_alerts_ms=90 * 86_400_000
        )
        looks = {probe_look(world.steps[0].step_ms), *(look for rule in self.rules for look in rule.looks)}
        self.judge = Judge(
            self._connection,
            world.keys,
            RuleSet(self.rules, self._connection, world.keys.prefix, clock),
            cache=PaneCache(store, world.steps, looks, max_panes=50_000, clock=clock),
            writer=writer,
            base_step_ms=world.steps[0].step_ms,
            catch_up_ms=600_000,
            clock=clock,
            counters=self.counters,
        )
        self.handler = AlerterHandler(self.judge, writer, store, base_step_ms=world.steps[0].step_ms, clock=clock)

    def read(self) -> list[Entry]:
        """Take the hints that nobody has read; they are pending for this alerter from now on."""
        return _read(self._connection, self._keys.metrics, GROUP, self.name)

    def work(self) -> None:
        """Make one pass of the worker's loop."""
        hints = self.read()
        if hints:
            self.handler.handle(hints, is_redelivered=False)
        self.handler.tick(self._clock.now_ms())


class InterruptedConnection(Connection):
    """The aggregator's connection. Others may do something before each of its calls, as processes of their own do."""

    before: Callable[[], object] | None = None

    def pipeline(self, commands: Sequence[Sequence[Value]]) -> list[Reply]:
        if self.before is not None:
            self.before()
        return super().pipeline(commands)


class VirtualPipeline:
    """One pipeline. ``at`` puts something on the agenda, ``run_until`` moves time on, a pass of everyone each tick."""

    def __init__(self, *, keep: str = DEFAULT_KEEP, tick_ms: int = 250, **settings: object) -> None:
        self.clock = FakeClock(T0)
        self.tick_ms = tick_ms
        self.keys = ShardKeys()
        self.steps = parse_keep(keep)
        self._server = fakeredis.FakeServer()
        self._agenda: list[tuple[int, int, Callable[[], object]]] = []
        self._order = itertools.count()
        self.connection = self.connect()
        ensure_library(self.connection)
        for stream, group in ((self.keys.events, AGGREGATOR_GROUP), (self.keys.metrics, GROUP)):
            self.connection.command("XGROUP", "CREATE", stream, group, "0", "MKSTREAM")
        self.producers: list[VirtualProducer] = []
        self.alerters: list[VirtualAlerter] = []
        self.is_aggregating = True
        # Each test names one or two.
        self._settings = AggregatorSettings(**({"self_panes": False} | settings))  # type: ignore[arg-type]
        self.aggregator_connection = InterruptedConnection(self.client())
        self.aggregator = self.make_aggregator("aggregator", self.aggregator_connection)

    def make_aggregator(self, name: str, connection: Connection) -> AggregatorHandler:
        committer = FencedCommitter(
            connection,
            self.keys,
            group=AGGREGATOR_GROUP,
            consumer=name,
            step_ms=self.steps[0].step_ms,
            keep_metrics_ms=3_600_000,
        )
        return AggregatorHandler(
            connection,
            self.keys,
            self._settings,
            steps=self.steps,
            consumer=name,
            committer=committer,
            clock=self.clock,
            counters=WorkerCounters(),
        )

    def connect(self) -> Connection:
        return Connection(self.client())

    def client(self) -> fakeredis.FakeRedis:
        return fakeredis.FakeRedis(server=self._server, protocol=2)

    def producer(self, service: str = SERVICE, *, ahead_ms: int = 0) -> VirtualProducer:
        name = f"host:1:{len(self.producers):016x}"
        made = VirtualProducer(self.connection, self.keys, service, name, AheadClock(self.clock, ahead_ms))
        self.producers.append(made)
        return made

    def alerter(self, rules: str, *, ahead_ms: int = 0) -> VirtualAlerter:
        made = VirtualAlerter(self, rules, f"alerter-{next(self._order)}", AheadClock(self.clock, ahead_ms))
        self.alerters.append(made)
        return made

    def at(self, second: float, action: Callable[[], object]) -> None:
        """Do ``action`` that many seconds after ``T0``."""
        heapq.heappush(self._agenda, (T0 + round(second * 1_000), next(self._order), action))

    def each_second(self, seconds: range, send: Callable[[int, int], object], *, phase_ms: int = 100) -> None:
        """Call ``send(second, at_ms)`` in each of ``seconds``."""
        for second in seconds:
            at_ms = T0 + second * 1_000 + phase_ms
            self.at(second + phase_ms / 1_000, lambda second=second, at_ms=at_ms: send(second, at_ms))  # type: ignore[misc]  # bound now

    def run_until(self, second: float) -> None:
        end_ms = T0 + round(second * 1_000)
        while (now_ms := self.clock.now_ms()) < end_ms:
            next_ms = min(end_ms, now_ms - now_ms % self.tick_ms + self.tick_ms)
            while self._agenda and self._agenda[0][0] <= next_ms:
                at_ms, _, action = heapq.heappop(self._agenda)
                self.clock.advance(max(0, at_ms - self.clock.now_ms()))
                action()
            self.clock.advance(max(0, next_ms - self.clock.now_ms()))
            self._pass()

    def aggregate(self) -> None:
        entries = read_entries(self, "aggregator")
        if entries:
            self.aggregator.handle(entries, is_redelivered=False)
        self.aggregator.tick(self.clock.now_ms())

    def _pass(self) -> None:
        for producer in self.producers:
            if producer.is_alive and producer.beats_by_itself:
                producer.heartbeat()
        if self.is_aggregating:
            self.aggregate()
        for alerter in self.alerters:
            alerter.work()

    @property
    def transitions(self) -> list[Transition]:
        reply = self.connection.command("XRANGE", self.keys.alerts, "-", "+")
        return [Transition.from_fields(entry.fields) for entry in as_entries(reply)]

    @property
    def told(self) -> list[tuple[float, str, str]]:
        """Return seconds since ``T0``, the state entered and the reason of each transition."""
        return [((one.at_ms - T0) / 1_000, one.after.value, one.reason) for one in self.transitions]

    @property
    def states(self) -> list[str]:
        return [state for _, state, _ in self.told]

    def records(self, service: str = SERVICE) -> list[AlertRecord]:
        fields = as_hash(self.connection.command("HGETALL", self.keys.state(service)))
        return list(ServiceState.from_hash(fields).records.values())


def read_entries(pipeline: VirtualPipeline, consumer: str) -> list[Entry]:
    """Read the events that nobody has read, as an aggregator of that name; they are pending for it from now on."""
    return _read(pipeline.connection, pipeline.keys.events, AGGREGATOR_GROUP, consumer)


def _read(connection: Connection, stream: str, group: str, consumer: str) -> list[Entry]:
    reply = connection.command("XREADGROUP", "GROUP", group, consumer, "COUNT", 1_000, "STREAMS", stream, ">")
    return [] if reply is None else as_entries(as_list(as_list(reply)[0])[1])


@pytest.fixture
def virtual(monkeypatch: pytest.MonkeyPatch) -> Callable[..., VirtualPipeline]:
    """Return the class, once the server of the pipeline made last goes by that pipeline's clock."""
    made: list[VirtualPipeline] = []

    def now_s() -> float:
        return made[-1].clock.now_ms() / 1_000 if made else time.time()

    class Timed(VirtualPipeline):
        def client(self) -> fakeredis.FakeRedis:
            if self not in made:
                made.append(self)
            return super().client()

    virtual_time = SimpleNamespace(**{name: getattr(time, name) for name in dir(time)} | {"time": now_s})
    for module in _TIMED:
        monkeypatch.setattr(module, "time", virtual_time)
    return Timed
