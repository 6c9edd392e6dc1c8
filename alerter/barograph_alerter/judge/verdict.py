"""The verdict of one rule on one series at one moment, of an open pane only as far as it is certain. Pure.

Nearly all series are left out before, and changes that can wait after: they change no alert, and there are very many.
"""

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Self

from barograph_alerter.conditions.bounds import Rest
from barograph_alerter.conditions.condition import Condition
from barograph_alerter.conditions.row import Look, RowOfWindows, SeriesRow, Sibling
from barograph_alerter.judge.fact import Fact, Transitioned
from barograph_alerter.judge.state_machine import goes_on
from barograph_alerter.rules.rule import Rule
from barograph_alerter.windows.rows import Rows, Values
from barograph_alerter.windows.window import Window
from barograph_core.alerts import reason
from barograph_core.alerts.record import AlertRecord

# How much faster than lately events may come.
_SPARE_RATE: Final = 1.25
# Alerts of one rule whose values are written at every moment. Of more they are written in turns, because each write
# costs more than the verdict.
MOST_VALUES_AT_ONCE: Final = 200
_VALUE_TURNS: Final = 10
# Of so many rows each is looked at.
_FEW: Final = 16
WindowOf = Callable[[Look], Window]


@dataclass(frozen=True, slots=True)
class EvaluationTime:
    """The time that is judged.

    Attributes:
        end_ms: End of the newest pane.
        at_ms: Event time of the verdict: the end of a closed pane, at most now for an open one.
        is_closed: Whether the newest pane is closed.
        missing: Number of instances whose events it may lack.
        step_ms: Length of the pane.
        is_deserted: Whether no producer of the service lives, so that no events are no data.
        open_ms: Of an open pane: how long before its end nothing is closed.
        arrived_ms: Of an open pane: the time by which all events have arrived; minus infinity if that is not known.
        recent: Of an open pane: windows that show at which rate events come, none while that is not known. The newest
            closed panes, the last of them, and what has come since.
    """

    end_ms: int
    at_ms: int
    is_closed: bool
    missing: int = 0
    step_ms: int = 1_000
    is_deserted: bool = False
    open_ms: int = 0
    arrived_ms: float = -math.inf
    recent: Sequence[Window] = ()

    @property
    def number(self) -> int:
        """Return its place among all moments: one more for each pane."""
        return self.end_ms // self.step_ms

    def is_due(self, rule: Rule) -> bool:
        """Say whether ``rule``, which may look at this pane, is judged at this time."""
        return not self.is_closed or not rule.every_ms or self.end_ms % rule.every_ms == 0

    def of(self, rule: Rule) -> Self:
        """Return it as ``rule`` sees it, for which all the time since its last verdict is one pane."""
        return replace(self, step_ms=rule.every_ms) if rule.every_ms > self.step_ms else self


def verdict_on(rule: Rule, condition: Condition, values: Values, row: SeriesRow, moment: EvaluationTime) -> bool | None:
    """Say whether a condition of ``rule`` holds: of an open pane only if it does for certain, whatever still comes."""
    if moment.is_closed or rule.fire_on == "provisional":
        return rule.breach_in(row) if condition is rule.when else condition.holds(row)
    if condition.holds(row) is not True:
        # That nothing more comes is one of the things that can happen. Most rows end here: bounds cost far more.
        return None
    rest = Rest(_rest_events(rule, values, moment), rule.unsigned, moment.open_ms)
    return condition.certainty(row, rest) or None


def row_of_windows(rule: Rule, values: Values, own: SeriesRow, window_of: WindowOf) -> SeriesRow:
    """Return the row of one series with all that the rule's conditions ask for elsewhere."""
    rows: dict[Look, SeriesRow] = {}
    for look in rule.windows[1:]:
        found = window_of(look).rows(rule.on.name, rule.by, rule.where)
        rows[look] = found.get(values) or SeriesRow.empty(look.span_ms)
    siblings: dict[Sibling, SeriesRow] = {}
    for sibling in rule.siblings:
        differing = dict(sibling)
        where = {name: differing.get(name, value) for name, value in rule.where.items() if name not in rule.by}
        found = window_of(rule.windows[0]).rows(rule.on.name, rule.by, where)
        labels = tuple(differing.get(name, value) for name, value in zip(rule.by, values, strict=True))
        siblings[sibling] = found.get(labels) or SeriesRow.empty(rule.window_ms)
    return RowOfWindows(own, rows, siblings)


def fact_of(rule: Rule, row: SeriesRow, moment: EvaluationTime, breach: bool | None) -> Fact:
    """Return the verdict of ``rule`` on one series, whose condition holds or not."""
    clear = None if breach is None else not breach
    if rule.resolve_when is not None:
        clear = rule.resolve_when.holds(row)
    value, threshold = rule.when.value_and_threshold(row)
    return Fact(
        at_ms=moment.at_ms,
        window_end_ms=moment.end_ms,
        step_ms=moment.step_ms,
        is_closed=moment.is_closed,
        missing=moment.missing,
        lack=_lack(moment),
        breach=breach,
        clear=clear,
        value=value,
        threshold=threshold,
    )


def _rest_events(rule: Rule, values: Values, moment: EvaluationTime) -> float:
    """Return how many events of a series may still come into an open pane, by the greatest rate of lately."""
    missing_ms = max(0.0, moment.end_ms - moment.arrived_ms)
    if not moment.recent or math.isinf(missing_ms):
        return math.inf
    rows = [window.rows(rule.on.name, rule.by, rule.where).get(values) for window in moment.recent]
    counts = [row.series.count if row else 0 for row in rows]
    lately, last, _ = counts
    if lately == last and (rule.by or lately):
        # It may have begun anywhere within the last pane, or is a label set of which nothing is known: it has no rate
        # yet. A service that was quiet has that of what comes now.
        return math.inf
    rate = max(count / window.window_ms for count, window in zip(counts, moment.recent, strict=True))
    return _SPARE_RATE * rate * missing_ms


def _lack(moment: EvaluationTime) -> str:
    """Return why there is no data, where there is none."""
    if moment.is_deserted:
        return reason.PRODUCERS_DEAD
    return reason.LAGGING if moment.missing else reason.NO_TRAFFIC


def striking(rule: Rule, rows: Rows, records: Mapping[Values, AlertRecord], *, is_closed: bool) -> Iterable[Values]:
    """Return the rows that may change an alert: those that breach, and those that have one.

    Args:
        rule: The rule.
        rows: Those of the rule in its own window.
        records: Its alerts, by the values of ``by``.
        is_closed: Whether the newest pane is closed. If not, alerts that simply go on are left out too.
    """
    steady: Collection[Values] = ()
    if records and not is_closed and not rule.levels:
        steady = {values for values, record in records.items() if goes_on(record)}
    if rule.looks_elsewhere or rule.no_data == "alert":
        return [values for values in rows if values not in steady]
    chosen = _may_breach(rule, rows)
    if records and len(chosen) < len(rows):
        chosen = [values for values in rows if values in records or values in chosen]
    holds = rule.when.truth.value
    return [values for values in chosen if values not in steady and (values in records or holds(rows[values]) is True)]


def _may_breach(rule: Rule, rows: Rows) -> Collection[Values]:
    """Return the rows that can be in breach, ascending. Of few, all: to look at each takes no longer."""
    if len(rows) <= _FEW:
        return rows
    places = rule.screen.rows(0, rows)
    return rows if places is None else dict.fromkeys(rows.labels_at(places.tolist()))


def goes_on_alike(rule: Rule, record: AlertRecord, breach: bool | None, moment: EvaluationTime) -> bool:
    """Say without a look at its value that only that can have changed of an alert, and that it can wait."""
    return (
        breach is True
        and not rule.levels
        and not _is_turn(record, moment.number)
        and goes_on(record)
        and rule.cooldown_ms == record.cooldown_ms
        and rule.severity.rank <= record.severity.rank
    )


def can_wait(record: AlertRecord | None, outcome: Transitioned, moment: int) -> bool:
    """Say whether only the value of an alert has changed, and it is not this alert's turn to have it written.

    Args:
        record: The alert before.
        outcome: What became of it.
        moment: Number of the moment; each alert has one of ten.
    """
    if record is None or outcome.record is None or _is_turn(record, moment):
        return False
    return replace(outcome.record, value=record.value, threshold=record.threshold) == record


def _is_turn(record: AlertRecord, moment: int) -> bool:
    return (moment + int(record.alert_id[:4], 16)) % _VALUE_TURNS == 0
