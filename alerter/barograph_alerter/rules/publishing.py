"""Publishes the rules in force on the server, where consoles read them."""

import logging
import threading
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Final

from barograph_alerter.conditions.condition import Condition
from barograph_alerter.conditions.functions import Quantity
from barograph_alerter.conditions.truth import Comparison
from barograph_alerter.rules.rule import Rule
from barograph_alerter.rules.slo.slo import Slo
from barograph_core.alerts.published_rules import (
    Bound,
    PublishedLevel,
    PublishedRule,
    PublishedRules,
    PublishedSlo,
    PublishedWindows,
    RulesReader,
    are_held,
    confirm_rules,
    publish_rules,
)
from barograph_core.alerts.scope import texts_of
from barograph_core.errors import BarographError
from barograph_core.log_limit import ONCE, LogLimit
from barograph_core.matching.matcher import Matcher
from barograph_core.server.connection import Connection

log = logging.getLogger(__name__)
# After a flush the rules are missing for at most this long.
_AGAIN_S: Final = 5.0
# Rules that no living alerter has confirmed for this long are given up.
_LIFE_MS: Final = 15_000
_MIRRORED: Final = {">": "<", ">=": "<=", "<": ">", "<=": ">="}
_UNITS: Final = {"_mb_per_s": "mb_per_s", "_ms": "ms", "_mb": "mb", "_percent": "percent"}
_PLAIN_UNITS: Final = {"rate": "per_s"}


class RulePublisher:
    """Writes the rules at the start, and again when they are on no one's mind any more.

    A flush may have removed them, or the alerter that started last, with other rules, may be gone: a rollout that was
    given up. The alerters that remain would judge only what both sets have alike, and the rest would never fire.
    """

    def __init__(self, connection: Connection, prefix: str, published: PublishedRules) -> None:
        self._connection = connection
        self._prefix = prefix
        self._published = published
        self._reader = RulesReader(connection, prefix)
        self._log_limit = LogLimit(ONCE)

    def run(self, stop: threading.Event) -> None:
        """Publish until ``stop``. At the start the rules of this alerter replace those of earlier ones."""
        has_begun = False
        while not stop.is_set():
            try:
                if has_begun:
                    self.keep()
                else:
                    self._publish()
                has_begun = True
                self._log_limit.forget("rules")
            except BarographError as error:
                if self._log_limit.allows("rules"):
                    log.warning("rules.not_published", extra={"error": str(error)})
            stop.wait(_AGAIN_S if has_begun else 1.0)
        self._connection.close()

    def keep(self) -> None:
        """Confirm the rules in force if they are these; put these in their place if no alerter holds those.

        Raises:
            StreamUnavailableError: The server is gone.
        """
        held = self._reader.read()
        if held is None:
            self._publish(only_if_absent=True)
        elif held.digest == self._published.digest:
            confirm_rules(self._connection, self._prefix, held.digest, _LIFE_MS)
        elif not are_held(self._connection, self._prefix, held.digest):
            log.warning("rules.taken_back", extra={"from": held.digest[:12], "own": self._published.digest[:12]})
            self._publish()

    def _publish(self, *, only_if_absent: bool = False) -> None:
        # First: other alerters must not find rules that no one holds.
        confirm_rules(self._connection, self._prefix, self._published.digest, _LIFE_MS)
        publish_rules(self._connection, self._prefix, self._published, only_if_absent=only_if_absent)


def published_rules(rules: Sequence[Rule], at_ms: int) -> PublishedRules:
    """Return ``rules`` as they are published by an alerter that starts at ``at_ms``."""
    return PublishedRules.of([_published(rule) for rule in rules], at_ms)


def _published(rule: Rule) -> PublishedRule:
    return PublishedRule(
        name=rule.name,
        on=rule.on.name,
        by=rule.by,
        where={name: value for name, value in rule.where.items() if isinstance(value, str)},
        where_patterns={name: value for name, value in rule.where.items() if isinstance(value, Matcher)},
        services=texts_of(rule.services),
        severity=rule.severity,
        window_ms=rule.window_ms,
        when=rule.when.text,
        resolve_when="" if rule.resolve_when is None else rule.resolve_when.text,
        for_ms=rule.for_ms,
        keep_firing_for_ms=rule.keep_firing_for_ms,
        cooldown_ms=rule.cooldown_ms,
        no_data=rule.no_data,
        no_data_for_ms=rule.no_data_for_ms,
        stale_after_ms=rule.stale_after_ms,
        expect=rule.expect,
        expect_for_ms=rule.expect_for_ms,
        listed=tuple(dict(zip(rule.by, values, strict=True)) for values in rule.listed),
        new_series_delay_ms=rule.new_series_delay_ms,
        fire_on=rule.fire_on,
        late=rule.late,
        max_alerts=rule.max_alerts,
        flapping_firings=0 if rule.flapping is None else rule.flapping.firings,
        flapping_within_ms=0 if rule.flapping is None else rule.flapping.within_ms,
        flapping_calm=0 if rule.flapping is None else rule.flapping.calm,
        labels=dict(rule.labels),
        summary=rule.summary.source,
        runbook=rule.runbook,
        # A bound on the short window of an objective is no threshold of a chart.
        fires=() if rule.slo else tuple(chain.from_iterable(map(_bounds, _conditions(rule)))),
        levels=tuple(PublishedLevel(level.severity, level.when.text, level.for_ms) for level in rule.levels),
        clears=() if rule.slo or rule.resolve_when is None else tuple(_bounds(rule.resolve_when)),
        slo=None if rule.slo is None else _published_slo(rule.slo),
    )


def _published_slo(slo: Slo) -> PublishedSlo:
    return PublishedSlo(
        good=str(slo.objective.good),
        objective=slo.objective.target,
        period_ms=slo.objective.period_ms,
        min_events=slo.min_events,
        windows=tuple(PublishedWindows(one.severity, one.burn_rate, one.long_ms, one.short_ms) for one in slo.windows),
    )


def _conditions(rule: Rule) -> list[Condition]:
    return [level.when for level in rule.levels] or [rule.when]


def _bounds(condition: Condition) -> Iterator[Bound]:
    """Yield the comparisons of one quantity with a constant that mean in ``condition`` what they mean alone."""
    for comparison in condition.truth.comparisons():
        if condition.truth.has_part(comparison):
            bound = _bound(comparison, is_leading=comparison is condition.leading)
            if bound is not None:
                yield bound


def _bound(comparison: Comparison, *, is_leading: bool) -> Bound | None:
    measured, constant, symbol = comparison.left, comparison.right, comparison.symbol
    if not comparison.measures_left:
        measured, constant, symbol = constant, measured, _MIRRORED.get(symbol, symbol)
    quantity, threshold = measured.sole_quantity, constant.fixed
    if quantity is None or threshold is None:
        return None
    return Bound(quantity.key, symbol, threshold, _unit(quantity), is_leading)


def _unit(quantity: Quantity) -> str:
    if quantity.statistic == "count":
        return ""
    if quantity.is_ratio:
        return "ratio"
    if not quantity.statistic:
        return _PLAIN_UNITS.get(quantity.name, "")
    return next((unit for ending, unit in _UNITS.items() if quantity.name.endswith(ending)), "")
