"""An alerter without a process: panes are laid into the store by hand, time moves when told to."""

from collections.abc import Sequence
from pathlib import Path

from barograph_alerter.judge.judge import Judge
from barograph_alerter.rules.reading import parse_rules
from barograph_alerter.rules.rule import Rule
from barograph_alerter.rules.rule_set import RuleSet
from barograph_alerter.states.writer import TransitionWriter
from barograph_alerter.windows.pane_cache import PaneCache
from barograph_alerter.worker import GROUP, AlerterHandler
from barograph_core.alerts.record import AlertRecord
from barograph_core.alerts.transition import Transition
from barograph_core.errors import Problem
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.panes.pane import Pane
from barograph_core.server.connection import Connection
from barograph_core.server.link import Value
from barograph_core.server.replies import Entry, as_entries, as_hash, as_list, as_text
from barograph_core.settings.config_file import parse_config
from barograph_core.steps import Step, parse_keep
from barograph_core.store.pane_store import PaneStore
from barograph_core.store.parts import marked
from barograph_core.workers.counters import WorkerCounters
from tests.support import FakeClock

STEP = 1_000
START = 1_700_000_000_000
SERVICE = "ranker"
STEPS = parse_keep("1s:15m,1m:2d")
COUNTING = """
[[rule]]
name = "errors"
on = "request"
window = "3s"
when = "errors >= 5"
severity = "error"
summary = "{{ errors }} errors"
"""
RATIO = """
[[rule]]
name = "ratio"
on = "request"
window = "3s"
when = "error_rate > 0.5"
severity = "error"
"""


def rules_of(text: str) -> list[Rule]:
    problems: list[Problem] = []
    rules = parse_rules(parse_config(text, Path("barograph.toml")), problems)
    assert problems == []
    return rules


class StoreAt(PaneStore):
    """Panes whose retention ends by the desk's clock: they are as old as it says."""

    def __init__(self, connection: Connection, keys: ShardKeys, steps: Sequence[Step], clock: FakeClock) -> None:
        super().__init__(connection, keys, steps)
        self._clock = clock

    def server_ms(self) -> int:
        return self._clock.now_ms()


class Alerter:
    """One alerter of the group, driven by hand."""

    def __init__(
        self,
        connection: Connection,
        keys: ShardKeys,
        rules: list[Rule],
        clock: FakeClock,
        name: str = "a1",
        steps: Sequence[Step] = STEPS,
        writer_class: type[TransitionWriter] = TransitionWriter,
    ) -> None:
        self.connection = connection
        self.keys = keys
        self.clock = clock
        self.name = name
        self.counters = WorkerCounters()
        store = StoreAt(connection, keys, steps, clock)
        writer = writer_class(connection, keys, group=GROUP, consumer=name, keep_alerts_ms=86_400_000)
        self.cache = PaneCache(
            store, steps, {look for rule in rules for look in rule.looks}, max_panes=10_000, clock=clock
        )
        self.judge = Judge(
            connection,
            keys,
            RuleSet(rules, connection, keys.prefix, clock),
            cache=self.cache,
            writer=writer,
            base_step_ms=STEP,
            catch_up_ms=600_000,
            clock=clock,
            counters=self.counters,
        )
        self.handler = AlerterHandler(self.judge, writer, store, base_step_ms=STEP, clock=clock)

    def read(self) -> list[Entry]:
        """Return the hints that nobody has read yet; they are pending for this alerter from now on."""
        reply = self.connection.command(
            "XREADGROUP", "GROUP", GROUP, self.name, "COUNT", 1_000, "STREAMS", self.keys.metrics, ">"
        )
        return [] if reply is None else as_entries(as_list(as_list(reply)[0])[1])

    def work(self) -> None:
        """Handle all hints there are."""
        self.handler.handle(self.read(), is_redelivered=False)

    def tick(self) -> None:
        self.handler.tick(self.clock.now_ms())


class Desk:
    """The store and the streams as an aggregator leaves them, and what became of the alerts."""

    def __init__(self, connection: Connection, keys: ShardKeys, clock: FakeClock) -> None:
        self.connection = connection
        self.keys = keys
        self.clock = clock
        self.next_ms = clock.now_ms()
        connection.command("XGROUP", "CREATE", keys.metrics, GROUP, "0", "MKSTREAM")

    def alerter(
        self,
        rules: str,
        name: str = "a1",
        steps: Sequence[Step] = STEPS,
        writer_class: type[TransitionWriter] = TransitionWriter,
    ) -> Alerter:
        return Alerter(self.connection, self.keys, rules_of(rules), self.clock, name, steps, writer_class)

    def close(self, *panes: Pane, missing: int = 0, service: str = SERVICE) -> None:
        """Close one pane after the other, half a second after its end, with a hint each."""
        for pane in panes:
            start, self.next_ms = self.next_ms, self.next_ms + STEP
            self.clock.advance(max(0, self.next_ms + 500 - self.clock.now_ms()))
            self.store(start, pane, missing=missing, service=service)
            self.connection.command("HSET", self.keys.closed, service, self.next_ms)
            self.hear_of(service)
            self.connection.command("DEL", self.keys.parts(service, start))
            self.hint("closed", service)

    def store(self, start: int, pane: Pane, *, missing: int = 0, revision: int = 0, service: str = SERVICE) -> None:
        block = start - start % STEPS[0].span_ms
        facts: list[Value] = [str(start), pane.pack(), f"r{start}", revision, f"m{start}", missing]
        self.connection.command("HSET", self.keys.panes(service, STEP, block), *facts)

    def hear_of(self, service: str) -> None:
        """Note a producer's sign of life."""
        self.connection.command("ZADD", self.keys.producers(service), self.next_ms, "host:1:0000000000000001")

    def add_to_open(self, pane: Pane, *, ahead: int = 0, service: str = SERVICE) -> None:
        """Commit events to a pane that is still open, with a hint."""
        start = self.next_ms + ahead * STEP
        self.clock.advance(max(0, start + 100 - self.clock.now_ms()))
        self.connection.command("RPUSH", self.keys.parts(service, start), marked(pane.pack()))
        self.hint("advanced", service)

    def hint(self, kind: str, service: str, start_ms: str = "0") -> None:
        fields = ["type", kind, "service", service, "start_ms", start_ms]
        self.connection.command("XADD", self.keys.metrics, "*", *fields)

    def pass_quietly(self, seconds: int, *services: str) -> None:
        """Close panes without events: nothing is stored, one hint names all services."""
        for _ in range(seconds):
            self.next_ms += STEP
            self.clock.advance(max(0, self.next_ms + 500 - self.clock.now_ms()))
            for service in services:
                self.hear_of(service)
                self.connection.command("HSET", self.keys.closed, service, self.next_ms)
            self.hint("closed", ",".join(services), start_ms="")

    @property
    def entries(self) -> list[Transition]:
        reply = self.connection.command("XRANGE", self.keys.alerts, "-", "+")
        return [Transition.from_fields(entry.fields) for entry in as_entries(reply)]

    @property
    def told(self) -> list[tuple[str, str, bool | None, str]]:
        """Return (from, to, notify, reason) of each entry."""
        return [(e.before.value, e.after.value, e.notify, e.reason) for e in self.entries]

    def delivered(
        self, channel: str, *, word: str = "resolved", lasts_ms: int = 300_000, tag: str = "error 300000"
    ) -> None:
        """Note that ``channel`` has told of the alert's episode so far, as its delivery would."""
        entry = self.entries[-1]
        until_ms = server_ms_of(self.connection) + lasts_ms
        value = f"{until_ms} {tag} {entry.episode_ms} {word}"
        self.connection.command("HSET", self.keys.quiet(entry.alert_id), channel, value)

    def delivered_before(self, channel: str) -> None:
        """Let the cooldown of ``channel`` lapse, and leave the rest of its entry as it is."""
        key = self.keys.quiet(self.entries[-1].alert_id)
        _, _, rest = as_text(self.connection.command("HGET", key, channel)).partition(" ")
        self.connection.command("HSET", key, channel, f"{server_ms_of(self.connection) - 1} {rest}")

    @property
    def muted(self) -> list[tuple[str, ...]]:
        """Return which channels each entry mutes."""
        return [entry.muted for entry in self.entries]

    def state(self, service: str = SERVICE) -> dict[str, bytes]:
        return as_hash(self.connection.command("HGETALL", self.keys.state(service)))

    def records(self, service: str = SERVICE) -> list[AlertRecord]:
        return [AlertRecord.from_json(text) for name, text in self.state(service).items() if name.startswith("alert:")]

    @property
    def pending_hints(self) -> int:
        summary = as_list(self.connection.command("XPENDING", self.keys.metrics, GROUP))
        count = summary[0]
        assert isinstance(count, int)
        return count


def server_ms_of(connection: Connection) -> int:
    """Return the server's time."""
    seconds, micros = as_list(connection.command("TIME"))
    return int(as_text(seconds)) * 1_000 + int(as_text(micros)) // 1_000
