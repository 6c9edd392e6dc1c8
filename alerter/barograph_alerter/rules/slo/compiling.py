"""The conditions of the rule that an objective becomes: ordinary ones, which anybody could write."""

from collections.abc import Sequence
from itertools import groupby

from barograph_alerter.conditions.calls import Scope
from barograph_alerter.conditions.condition import Condition, any_of, parse_condition
from barograph_alerter.conditions.truth import Every, Negation
from barograph_alerter.rules.rule import Level
from barograph_alerter.rules.slo.slo import BurnWindows, Slo
from barograph_core.events.kinds import FAILED, Kind
from barograph_core.objectives.event_test import EventTest
from barograph_core.text.durations import format_duration


def levels_of(slo: Slo, scope: Scope) -> tuple[Level, ...]:
    """Return the levels of the rule, ascending: one for each severity of its pairs of windows."""
    pairs = sorted(slo.windows, key=lambda pair: pair.severity.rank)
    return tuple(
        Level(severity, _any_of([parse_condition(_breach(slo, pair, scope), scope) for pair in own]))
        for severity, own in groupby(pairs, key=lambda pair: pair.severity)
    )


def breach_of(levels: Sequence[Level]) -> Condition:
    """Return the condition that any level holds."""
    return _any_of([level.when for level in levels])


def recovery_of(slo: Slo, scope: Scope) -> Condition:
    """Return the condition that no pair burns too fast any more.

    However few events there are: that too few come to alert is no recovery.
    """
    burns = [parse_condition(_burns(slo, pair, scope), scope) for pair in slo.windows]
    text = " and ".join(f"not ({one.text})" for one in burns)
    return Condition(text, Every(tuple(Negation(one.truth) for one in burns)), burns[0].leading)


def _any_of(conditions: Sequence[Condition]) -> Condition:
    return conditions[0] if len(conditions) == 1 else any_of(conditions)


def _breach(slo: Slo, pair: BurnWindows, scope: Scope) -> str:
    enough = f"{_over(pair.short_ms, scope)}{_total(slo.objective.good, scope.kind)} >= {slo.min_events}"
    return f"{_burns(slo, pair, scope)} and {enough}"


def _burns(slo: Slo, pair: BurnWindows, scope: Scope) -> str:
    bad, limit = _bad_share(slo.objective.good), slo.objective.bad_share(pair.burn_rate)
    return " and ".join(f"{_over(span, scope)}{bad} > {limit!r}" for span in (pair.long_ms, pair.short_ms))


def _over(span_ms: int, scope: Scope) -> str:
    return "" if span_ms == scope.window_ms else f'over("{format_duration(span_ms)}").'


def _bad_share(good: EventTest) -> str:
    return "error_rate" if good.is_failure_bad else f'share["{good.negated}"]'


def _total(good: EventTest, kind: Kind) -> str:
    """Return the quantity that counts the events which can be tested."""
    if good.is_of_measure:
        return f"{good.subject}.count"
    return "count" if kind.has_status else f"{FAILED}.count"
