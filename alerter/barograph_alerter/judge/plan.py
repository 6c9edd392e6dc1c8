"""The rules in force for a service, arranged so that a moment looks only at those that may change an alert."""

import functools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

import numpy as np

from barograph_alerter.conditions.row import Look
from barograph_alerter.conditions.screen import Screen
from barograph_alerter.judge.verdict import WindowOf
from barograph_alerter.rules.rule import Rule
from barograph_alerter.windows.rows import Values
from barograph_core.alerts.record import AlertRecord, alert_id
from barograph_core.errors import StreamUnavailableError
from barograph_core.matching.matcher import Matcher

# Of fewer rules that look at the same series, to look at each takes no longer than to compare columns.
_WORTH_SCREENING: Final = 4
# Alerts of a rule whose labels are remembered.
_REMEMBERED: Final = 65_536


@dataclass(frozen=True, slots=True)
class _Selection:
    """The rules that look at the same series in the same window.

    Attributes:
        numbers: Theirs among all rules.
        on_nothing: Those of them that are in breach where the whole service has no event.
    """

    look: Look
    kind: str
    by: tuple[str, ...]
    where: Mapping[str, str | Matcher]
    numbers: tuple[int, ...]
    screen: Screen
    on_nothing: tuple[int, ...]

    def due(self, window_of: WindowOf) -> Sequence[int]:
        """Return the numbers of the rules that may be in breach somewhere."""
        rows = window_of(self.look).rows(self.kind, self.by, self.where)
        if not rows:
            return () if self.by else self.on_nothing
        return [self.numbers[index] for index in np.flatnonzero(self.screen.may_hold(rows)).tolist()]


class RulePlan:
    """Some rules, and in which order of cost a moment asks for them.

    Attributes:
        rules: All of them.
        is_provisional: Whether panes that are still open can make any fire.
        fires_on_silence: Whether a service without events can be in breach of any.
        asks_who_lives: Whether any has something to say about producers that are gone.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)
        self.is_provisional = any(rule.is_provisional for rule in rules)
        self.fires_on_silence = any(rule.fires_on_silence for rule in rules)
        self.asks_who_lives = any(rule.no_data == "alert" for rule in rules)
        self.by_name = {rule.name: rule for rule in rules}
        self._number = {rule.name: number for number, rule in enumerate(rules)}
        self._selections, always = self._arranged()
        self._always = frozenset(always)
        self._values: dict[str, dict[str, Values | None]] = {}

    @functools.cached_property
    def without_silence(self) -> "RulePlan":
        """Return the plan without the rules that alert where there is no data."""
        return RulePlan([rule for rule in self.rules if rule.no_data != "alert"])

    def _arranged(self) -> tuple[list[_Selection], list[int]]:
        """Return the selections that are screened, and the numbers of the rules that every moment looks at."""
        together: dict[tuple[object, ...], list[int]] = {}
        always: list[int] = []
        for number, rule in enumerate(self.rules):
            if is_judged_without_breach(rule):
                always.append(number)
            else:
                key = (rule.windows[0], rule.on.name, rule.by, tuple(rule.where.items()))
                together.setdefault(key, []).append(number)
        selections: list[_Selection] = []
        for numbers in together.values():
            if len(numbers) < _WORTH_SCREENING:
                always += numbers
                continue
            rules = [self.rules[number] for number in numbers]
            first = rules[0]
            screen = Screen([rule.when.truth for rule in rules])
            on_nothing = tuple(
                number for number, rule in zip(numbers, rules, strict=True) if rule.breach_in(rule.empty_row()) is True
            )
            selections.append(
                _Selection(first.windows[0], first.on.name, first.by, first.where, tuple(numbers), screen, on_nothing)
            )
        return selections, always

    def due(self, window_of: WindowOf, having_alerts: Collection[str], *, is_closed: bool) -> Iterator[Rule]:
        """Yield the rules that may change an alert at a moment, in their order.

        Args:
            window_of: Gives the windows of the moment.
            having_alerts: Names of the rules that have alerts.
            is_closed: Whether the newest pane is closed. If not, rules that wait for that are left out.

        Raises:
            StreamUnavailableError: The server is gone.
        """
        found = {self._number[name] for name in having_alerts if name in self._number}
        found.update(self._always, chain.from_iterable(self._due_of(one, window_of) for one in self._selections))
        for number in sorted(found):
            rule = self.rules[number]
            if is_closed or rule.is_provisional:
                yield rule

    def _due_of(self, selection: _Selection, window_of: WindowOf) -> Sequence[int]:
        try:
            return selection.due(window_of)
        except StreamUnavailableError:
            raise
        except Exception:  # noqa: BLE001 - each of the rules is judged then, and says for itself what is wrong
            return selection.numbers

    def values_of(self, rule: Rule, record: AlertRecord) -> Values | None:
        """Return the label values of an alert of ``rule``; ``None`` if it has other labels than the rule has now."""
        known = self._values.setdefault(rule.name, {})
        if record.alert_id not in known:
            if len(known) >= _REMEMBERED:
                known.clear()
            own = {name: record.labels[name] for name in rule.by if name in record.labels}
            is_own = len(own) == len(rule.by) and alert_id(rule.name, record.service, own) == record.alert_id
            known[record.alert_id] = tuple(own.values()) if is_own else None
        return known[record.alert_id]


def is_judged_without_breach(rule: Rule) -> bool:
    """Say whether ``rule`` may change an alert at a moment at which no series with events is in breach of it."""
    return rule.looks_elsewhere or rule.no_data == "alert" or bool(rule.expect) or rule.max_alerts > 0
