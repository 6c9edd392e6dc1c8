"""Keeps the counts behind objectives, so that a budget of weeks is read once and then as its panes close."""

import threading
from collections.abc import Collection, Sequence
from typing import Final

from barograph_console.reading.panes import begin_reading
from barograph_console.serving.memo import Memo
from barograph_console.store.ports import PaneSource, RuleSource
from barograph_core.alerts.published_rules import PublishedRule
from barograph_core.clock import Clock
from barograph_core.objectives.ledger import StoreNow
from barograph_core.objectives.status import ServiceObjectives, SloStatus

# Alerters judge objectives as often: their shortest usual window is five minutes.
_FRESH_MS: Final = 5_000
_SERVICES: Final = 2_000


class SloBook:
    """The objectives of all services. For any number of threads."""

    def __init__(self, panes: PaneSource, rules: RuleSource, clock: Clock) -> None:
        self._panes = panes
        self._rules = rules
        self._clock = clock
        self._lock = threading.Lock()
        self._counted: dict[str, ServiceObjectives] = {}
        # One thread at a time makes the value of a key, so that each service is counted by one at a time.
        self._statuses = Memo[list[SloStatus]](clock, bound=_SERVICES)

    def statuses(self, service: str = "") -> list[SloStatus]:
        """Return how the objectives of a service stand, or of all services, in the order of their names.

        Raises:
            StreamUnavailableError: The server is gone.
        """
        published = self._rules.read()
        rules = [rule for rule in published.rules if rule.slo is not None] if published else []
        if not rules:
            self._forget_all_but(())
            return []
        closed = self._panes.services()
        wanted = {name: at for name, at in closed.items() if service in ("", name)}
        self._forget_all_but(closed)
        found: list[SloStatus] = []
        for name, closed_ms in wanted.items():
            own = tuple(rule for rule in rules if rule.applies_to(name))
            if own:
                found += self._of_service(name, closed_ms, own)
        return found

    def _forget_all_but(self, services: Collection[str]) -> None:
        with self._lock:
            self._counted = {name: one for name, one in self._counted.items() if name in services}

    def _of_service(self, service: str, closed_ms: int, rules: Sequence[PublishedRule]) -> list[SloStatus]:
        names = tuple(rule.name for rule in rules)
        return self._statuses.get((service, names), lambda: self._read(service, closed_ms, rules), max_age_ms=_FRESH_MS)

    def _read(self, service: str, closed_ms: int, rules: Sequence[PublishedRule]) -> list[SloStatus]:
        with self._lock:
            counted = self._counted.get(service)
            if counted is None or counted.rules != tuple(rules):
                counted = self._counted[service] = ServiceObjectives(service, rules)
        reading = begin_reading(self._panes, service, closed_ms, self._clock)
        return counted.read(self._panes, StoreNow(reading.steps, reading.closed_ms, reading.now_ms, reading.pending))
