"""Incidents while alerters and aggregators are killed, frozen and cut off, compared with a ledger of what was sent.

In virtual time, so that a window of an hour takes seconds. What kills of real servers and processes do is in
``test_server_kills.py``, ``test_failover.py`` and ``test_two_releases.py``.
"""

import os
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from barograph_alerter.windows.pane_cache import PaneCache, ServicePanes
from barograph_alerter.worker import GROUP
from barograph_core.alerts.record import AlertState
from barograph_core.alerts.state import ServiceState
from barograph_core.alerts.transition import Transition
from barograph_core.keyspace.keys import AGGREGATOR_GROUP
from barograph_core.server.connection import Connection
from barograph_core.server.link import Value
from barograph_core.server.replies import as_entries, as_hash
from tests.chaos.mortal import Fate, Handler, MortalConnection, MortalWorker
from tests.virtual_pipeline import SERVICE, T0, VirtualAlerter, VirtualPipeline, request

INCIDENTS = int(os.environ.get("BAROGRAPH_INCIDENTS", "10"))
STEP_S = 10
# Rule -> window in seconds and errors at which it fires.
RULES = {"10s": (10, 8), "1m": (60, 20), "10m": (600, 40), "1h": (3_600, 60)}
RULE = '[[rule]]\nname = "{name}"\non = "request"\nwindow = "{name}"\nwhen = "errors >= {least}"\ncooldown = "0s"\n'
TOML = "".join(RULE.format(name=name, least=least) for name, (_, least) in RULES.items())
INCIDENTS_FOR_S = 1_200
CALM_FOR_S = 3_600 + 300


@dataclass
class Ledger:
    """What was sent, and what the alerts said of it.

    Attributes:
        errors: Second since ``T0`` -> errors of it.
        moves: Each transition, with the end of the newest closed pane that was judged with it, in seconds.
    """

    errors: Counter[int] = field(default_factory=Counter[int])
    moves: list[tuple[Transition, int]] = field(default_factory=list[tuple[Transition, int]])

    def is_breached(self, rule: str, end_s: int) -> bool:
        """Say whether a rule is in breach at ``end_s`` for certain: a window may begin earlier, by a part of a pane."""
        window_s, least = RULES[rule]
        return sum(self.errors[second] for second in range(end_s - window_s, end_s)) >= least

    def breaches(self, rule: str, until_s: int) -> list[tuple[int, int]]:
        """Return first and last end of each stretch in which the rule is in breach."""
        found: list[tuple[int, int]] = []
        for end_s in range(STEP_S, until_s, STEP_S):
            if self.is_breached(rule, end_s):
                is_next = bool(found) and found[-1][1] == end_s - STEP_S
                found[-1:] = [(found[-1][0], end_s)] if is_next else [*found[-1:], (end_s, end_s)]
        return found

    def false_all_clears(self) -> list[str]:
        return [
            f"{move.rule} resolved at {end_s} s"
            for move, end_s in self.moves
            if move.after is AlertState.RESOLVED and self.is_breached(move.rule, end_s)
        ]

    def unheard(self, until_s: int) -> list[str]:
        """Return the breaches during which no alert fired."""
        missed: list[str] = []
        for rule in RULES:
            lives = self._lives(rule)
            for first_s, last_s in self.breaches(rule, until_s):
                if not any(fired_s <= last_s and ended_s >= first_s for fired_s, ended_s in lives):
                    missed.append(f"{rule} from {first_s} to {last_s} s")
        return missed

    def _lives(self, rule: str) -> list[tuple[int, int]]:
        lives: list[tuple[int, int]] = []
        for move, end_s in self.moves:
            if move.rule == rule and move.after is AlertState.FIRING:
                # It may have fired on a pane that was still open: the one that names the episode.
                lives.append(((move.episode_ms - T0) // 1_000, 1 << 30))
            elif move.rule == rule and move.after is AlertState.RESOLVED:
                lives[-1] = (lives[-1][0], end_s)
        return lives


class IncidentPipeline:
    """Two aggregators and two alerters whom fate meets, two producers with incidents, and the ledger."""

    def __init__(self, pipeline: VirtualPipeline, seed: int) -> None:
        self.rng = random.Random(seed)
        self.done: Counter[str] = Counter()
        self.ledger = Ledger()
        self._pipeline = pipeline
        self._fate = Fate(self.rng, self.done, self._freeze, self._let_alerters_act)
        self._known = 0
        self._bad: set[int] = set()
        keys = pipeline.keys
        stages = [("aggregator", keys.events, AGGREGATOR_GROUP, self._aggregator)]
        stages.append(("alerter", keys.metrics, GROUP, self._alerter))
        self._workers = [
            MortalWorker(stage, stream, group, self._connect, start, pipeline.clock.now_ms, self.done)
            for stage, stream, group, start in stages
            for _ in range(2)
        ]
        self._producers = [pipeline.producer(), pipeline.producer()]

    def run(self) -> int:
        """Let incidents come for a while and then none, until the longest window is past; return how long it took."""
        begin_s = 60
        while begin_s < INCIDENTS_FOR_S:
            length_s = self.rng.randrange(10, 120)
            self._bad.update(range(begin_s, begin_s + length_s))
            begin_s += length_s + self.rng.randrange(60, 300)
        until_s = INCIDENTS_FOR_S + CALM_FOR_S
        now_s = 0
        while now_s < until_s:
            # Fate spares nobody while it matters, and then the pipeline comes to rest.
            self._fate.is_over = now_s > until_s - 200
            self._tick(5 if now_s < INCIDENTS_FOR_S + 200 else 60)
            now_s = (self._pipeline.clock.now_ms() - T0) // 1_000
        return until_s

    def _tick(self, seconds: int) -> None:
        clock = self._pipeline.clock
        clock.advance(seconds * 1_000)
        now_s = (clock.now_ms() - T0) // 1_000
        for producer in self._producers:
            is_bad = now_s - 1 in self._bad
            at_ms = clock.now_ms() - 1_000
            producer.send("request", [request(at_ms)] * 3 + [request(at_ms, 500)] * (5 if is_bad else 0))
            self.ledger.errors[now_s - 1] += 5 if is_bad else 0
        for worker in self.rng.sample(self._workers, len(self._workers)):
            worker.work(self._fate.meet, self._note, self.rng)

    def _freeze(self) -> None:
        """Let time pass for all but those that are frozen."""
        if sum(worker.is_acting for worker in self._workers) > 2:
            return
        for _ in range(self.rng.randrange(1, 12)):
            self._tick(5)

    def _let_alerters_act(self) -> None:
        for worker in self._workers:
            if worker.stage == "alerter":
                worker.work(self._fate.meet, self._note, self.rng)

    def _note(self, call: Sequence[Value]) -> None:
        """Note the transitions of the call that was just made, and up to where panes were judged with it."""
        if call != ("FCALL", "baro_transition_2"):
            return
        connection, keys = self._pipeline.connection, self._pipeline.keys
        entries = as_entries(connection.command("XRANGE", keys.alerts, "-", "+"))
        if len(entries) == self._known:
            return
        state = ServiceState.from_hash(as_hash(connection.command("HGETALL", keys.state(SERVICE))))
        end_s = ((state.closed_at_ms or T0) - T0) // 1_000
        new = [Transition.from_fields(entry.fields) for entry in entries[self._known :]]
        self.ledger.moves += [(transition, end_s) for transition in new]
        self._known = len(entries)

    def _connect(self) -> MortalConnection:
        return MortalConnection(self._pipeline.client())

    def _alerter(self, name: str, connection: Connection) -> Handler:
        return VirtualAlerter(self._pipeline, TOML, name, self._pipeline.clock, connection).handler

    def _aggregator(self, name: str, connection: Connection) -> Handler:
        return self._pipeline.make_aggregator(name, connection)


def run_incidents(virtual: Callable[..., VirtualPipeline], incidents: int) -> tuple[list[str], list[str], Counter[str]]:
    """Return false all-clears, breaches that no alert told of, and what was done; of so many breaches at least."""
    done: Counter[str] = Counter()
    false_all_clears: list[str] = []
    unheard: list[str] = []
    seed = 0
    while done["incidents"] < incidents:
        seed += 1
        world = IncidentPipeline(virtual(keep="10s:2h,1m:2d,1h:30d"), seed)
        until_s = world.run()
        done += world.done
        done["incidents"] += sum(len(world.ledger.breaches(rule, until_s)) for rule in RULES)
        done["firings"] += sum(move.after is AlertState.FIRING for move, _ in world.ledger.moves)
        false_all_clears += [f"seed {seed}: {one}" for one in world.ledger.false_all_clears()]
        unheard += [f"seed {seed}: {one}" for one in world.ledger.unheard(until_s)]
    print(dict(sorted(done.items())))
    return false_all_clears, unheard, done


@pytest.mark.chaos
def test_no_all_clear_during_a_breach_and_no_breach_untold(virtual: Callable[..., VirtualPipeline]) -> None:
    """Windows of 10 s to 1 h; ``BAROGRAPH_INCIDENTS=200`` for the full size."""
    false_all_clears, unheard, done = run_incidents(virtual, INCIDENTS)
    assert false_all_clears == []
    assert unheard == []
    wanted = ("aggregator killed", "alerter killed", "freezes", "calls cut off", "aggregator claims", "alerter claims")
    assert all(done[name] for name in wanted), done


@pytest.mark.chaos
def test_a_judge_that_goes_by_the_wall_clock_is_found_out(
    virtual: Callable[..., VirtualPipeline], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: what has not been closed a pane after its end counts as empty."""
    made: list[VirtualPipeline] = []
    refresh = PaneCache.refresh

    def remembered(keep: str) -> VirtualPipeline:
        made.append(virtual(keep=keep))
        return made[-1]

    def refresh_by_the_clock(
        cache: PaneCache, service: str, since_ms: int | None, catch_up_ms: int, revised_ms: int | None = None
    ) -> ServicePanes | None:
        panes = refresh(cache, service, since_ms, catch_up_ms, revised_ms)
        if panes is not None:
            now_ms = made[-1].clock.now_ms()
            panes.closed_through_ms = max(panes.closed_through_ms, now_ms - now_ms % 10_000 - 10_000)
        return panes

    monkeypatch.setattr(PaneCache, "refresh", refresh_by_the_clock)
    false_all_clears, _, _ = run_incidents(remembered, 1)
    assert false_all_clears
