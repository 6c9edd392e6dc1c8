"""Which of an alerter's rules it may judge, while alerters with different rules run side by side."""

import logging
from collections.abc import Sequence
from typing import Final

from barograph_alerter.rules.publishing import published_rules
from barograph_alerter.rules.rule import Rule
from barograph_core.alerts.published_rules import PublishedRules, RulesReader
from barograph_core.clock import Clock
from barograph_core.server.connection import Connection

log = logging.getLogger(__name__)
_LOOK_EVERY_MS: Final = 1_000
# Services of which it is remembered which rules are about them.
_REMEMBERED: Final = 10_000


class RuleSet:
    """The rules of this alerter, compared with those that the newest alerter published.

    The newest set holds. Only its holders end the alerts of rules that they do not know. An alerter with an older set,
    as in the middle of a rolling restart, judges the rules that both sets have alike and leaves the others alone: it
    would end or begin what the newer one does not.
    """

    def __init__(self, rules: Sequence[Rule], connection: Connection, prefix: str, clock: Clock) -> None:
        self._rules = tuple(rules)
        self._reader = RulesReader(connection, prefix)
        self._clock = clock
        published = published_rules(rules, 0)
        self._digest = published.digest
        self._own = {rule.name: rule for rule in published.rules}
        self._shared = self._rules
        self._watching: dict[str, tuple[Rule, ...]] = {}
        self._alike_sets: dict[tuple[str, ...], tuple[Rule, ...]] = {}
        self._newest = ""
        self._due_ms = 0.0
        self.is_newest = True

    def watching(self, service: str) -> tuple[Rule, ...]:
        """Return the rules to judge ``service`` by.

        Raises:
            StreamUnavailableError: The server is gone.
        """
        self._look()
        return self.about(service)

    def about(self, service: str) -> tuple[Rule, ...]:
        """Return the rules that ``watching`` knows of: one tuple for all services that have the same."""
        found = self._watching.get(service)
        if found is None:
            if len(self._watching) >= _REMEMBERED:
                self._watching.clear()
                self._alike_sets.clear()
            own = tuple(rule for rule in self._shared if rule.applies_to(service))
            names = tuple(rule.name for rule in own)
            found = self._watching[service] = self._alike_sets.setdefault(names, own)
        return found

    def _look(self) -> None:
        now_ms = self._clock.monotonic_ms()
        if now_ms < self._due_ms:
            return
        self._due_ms = now_ms + _LOOK_EVERY_MS
        published = self._reader.read()
        # Nothing published, as after a flush, or nothing that can be read: no other set is known.
        digest = self._digest if published is None else published.digest
        if digest == self._newest:
            return
        self._newest, self.is_newest = digest, digest == self._digest
        self._shared = self._rules if self.is_newest or published is None else self._alike(published)
        self._watching.clear()
        self._alike_sets.clear()
        if not self.is_newest:
            left = sorted({rule.name for rule in self._rules} - {rule.name for rule in self._shared})
            log.warning("rules.outdated", extra={"newest": digest[:12], "own": self._digest[:12], "not_judged": left})

    def _alike(self, published: PublishedRules) -> tuple[Rule, ...]:
        return tuple(rule for rule in self._rules if published.find(rule.name) == self._own[rule.name])
