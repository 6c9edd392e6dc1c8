"""A day in virtual time with 200 kills and freezes at random points: its transitions are those of an undisturbed one.

What is compared is rule, labels, the states left and entered, severity, reason, and the closed pane with which it was
judged. The rules look at closed panes only: what fires on an open one depends on when it is looked at. They have no
cooldown: a kill after a firing and before the note that it was announced costs a reminder too many, and that is known.
"""

import os
import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import pytest

from barograph_alerter.worker import GROUP
from barograph_core.alerts.state import ServiceState
from barograph_core.alerts.transition import Transition
from barograph_core.keyspace.keys import AGGREGATOR_GROUP
from barograph_core.server.connection import Connection
from barograph_core.server.link import Value
from barograph_core.server.replies import as_entries, as_hash
from tests.chaos.mortal import Fate, Handler, MortalConnection, MortalWorker
from tests.virtual_pipeline import SERVICE, T0, VirtualAlerter, VirtualPipeline, request

HOURS: Final = int(os.environ.get("BAROGRAPH_KILLED_HOURS", "6"))
# What so many hours have at least: a day 200.
STRUCK: Final = 200 * HOURS // 24
# Everything happens at the end of a slot, so that both days have the same events in the same panes.
SLOT_S: Final = 60
ROUTES: Final[tuple[str, ...]] = ("/a", "/b")
TOML: Final = """
[[rule]]
name = "at-once"
on = "request"
by = ["route"]
window = "1m"
when = "errors >= 8"
fire_on = "closed"
cooldown = "0s"

[[rule]]
name = "held"
on = "request"
window = "2m"
when = "error_rate > 0.3 and count >= 5"
resolve_when = "error_rate < 0.2"
for = "2m"
keep_firing_for = "3m"
fire_on = "closed"
cooldown = "0s"

[[rule]]
name = "levels"
on = "request"
window = "10m"
levels = [
  { severity = "warning", when = "errors >= 20" },
  { severity = "critical", when = "errors >= 60", for = "1m" },
]
fire_on = "closed"
cooldown = "0s"
"""


class Move(NamedTuple):
    """A transition, and the end of the newest closed pane that was judged with it, in seconds."""

    rule: str
    labels: tuple[tuple[str, str], ...]
    before: str
    after: str
    severity: str
    reason: str
    flag: str
    pane_s: int


class Day:
    """Two aggregators, two alerters and two producers. Fate meets the workers, or spares them."""

    def __init__(self, pipeline: VirtualPipeline, *, is_undisturbed: bool) -> None:
        self.done: Counter[str] = Counter()
        self.moves: list[Move] = []
        self._rng = random.Random(2)
        # Of its own: fate must not change what happens.
        self._load = random.Random(1)
        self._pipeline = pipeline
        self._fate = Fate(self._rng, self.done, self._freeze, lambda: None)
        self._fate.is_over = self._is_undisturbed = is_undisturbed
        self._known = 0
        keys, now_ms = pipeline.keys, pipeline.clock.now_ms
        stages = [("aggregator", keys.events, AGGREGATOR_GROUP, self._aggregator)]
        stages.append(("alerter", keys.metrics, GROUP, self._alerter))
        self._workers = [
            MortalWorker(stage, stream, group, self._connect, start, now_ms, self.done)
            for stage, stream, group, start in stages
            for _ in range(2)
        ]
        self._producers = [pipeline.producer(), pipeline.producer()]
        self._incident: dict[str, int] = dict.fromkeys(ROUTES, 0)

    def run(self) -> None:
        until_ms = T0 + HOURS * 3_600_000
        while self._pipeline.clock.now_ms() < until_ms:
            # At the end everybody comes to rest, so that the last transitions of both days are written.
            self._fate.is_over = self._is_undisturbed or self._pipeline.clock.now_ms() > until_ms - 1_200_000
            self._slot()

    @property
    def judged(self) -> list[Move]:
        """Return the transitions of all panes that both days have judged: the last ones may still be open in one."""
        return [move for move in self.moves if move.pane_s <= HOURS * 3_600 - 600]

    def _slot(self) -> None:
        """Let a slot pass: its events come at its end, and everyone who can works."""
        clock = self._pipeline.clock
        clock.advance(SLOT_S * 1_000 - (clock.now_ms() - T0) % (SLOT_S * 1_000))
        at_ms = clock.now_ms() - 1_000
        for producer in self._producers:
            events = [request(at_ms, 500 if bad else 200, route=route) for route in ROUTES for bad in self._of(route)]
            producer.send("request", events)
        for worker in self._rng.sample(self._workers, len(self._workers)):
            worker.work(self._fate.meet, self._note, self._rng)

    def _of(self, route: str) -> list[bool]:
        """Return for each request of the slot whether it fails: in incidents of some minutes, worse ones and others."""
        if self._incident[route] == 0 and self._load.random() < 0.02:
            self._incident[route] = self._load.randrange(2, 40)
        is_bad = self._incident[route] > 0
        self._incident[route] = max(0, self._incident[route] - 1)
        failing = self._load.choice((2, 5, 8)) if is_bad else 0
        return [True] * failing + [False] * 4

    def _freeze(self) -> None:
        """Let time pass for all but the one that is frozen."""
        if sum(worker.is_acting for worker in self._workers) > 2:
            return
        for _ in range(self._rng.randrange(1, 4)):
            self._slot()

    def _note(self, call: Sequence[Value]) -> None:
        """Note the transitions of the call that was just made, and up to where panes were judged with it."""
        if call != ("FCALL", "baro_transition_2"):
            return
        connection, keys = self._pipeline.connection, self._pipeline.keys
        entries = as_entries(connection.command("XRANGE", keys.alerts, "-", "+"))
        if len(entries) == self._known:
            return
        state = ServiceState.from_hash(as_hash(connection.command("HGETALL", keys.state(SERVICE))))
        pane_s = ((state.closed_at_ms or T0) - T0) // 1_000
        self.moves += [_move(Transition.from_fields(entry.fields), pane_s) for entry in entries[self._known :]]
        self._known = len(entries)

    def _connect(self) -> MortalConnection:
        return MortalConnection(self._pipeline.client())

    def _alerter(self, name: str, connection: Connection) -> Handler:
        return VirtualAlerter(self._pipeline, TOML, name, self._pipeline.clock, connection).handler

    def _aggregator(self, name: str, connection: Connection) -> Handler:
        return self._pipeline.make_aggregator(name, connection)


def _move(entry: Transition, pane_s: int) -> Move:
    return Move(
        entry.rule,
        tuple(sorted(entry.labels.items())),
        entry.before.value,
        entry.after.value,
        entry.severity.value,
        entry.reason,
        entry.flag,
        pane_s,
    )


@pytest.mark.chaos
def test_kills_and_freezes_change_no_transition_and_double_none(virtual: Callable[..., VirtualPipeline]) -> None:
    """Each is there once, with the same closed pane, and no other; ``BAROGRAPH_KILLED_HOURS=24`` for the full size."""
    keep = "10s:2h,1m:2d,1h:30d"
    undisturbed = Day(virtual(keep=keep), is_undisturbed=True)
    undisturbed.run()
    day = Day(virtual(keep=keep), is_undisturbed=False)
    day.run()
    struck = day.done["aggregator killed"] + day.done["alerter killed"] + day.done["freezes"]
    print(dict(sorted(day.done.items())), f"{struck} kills and freezes, {len(day.moves)} transitions")
    assert Counter(day.judged) == Counter(undisturbed.judged)
    assert set(Counter(undisturbed.judged).values()) == {1}
    assert struck >= STRUCK
    assert {"firing", "resolved", "pending"} <= {move.after for move in day.moves}
