"""Judges a rule on recorded panes with the alerter's own engine. Event time is the only clock, and nothing is written.

A rule is judged when a pane enters or leaves one of its windows, and when a hold ends: in between its verdict is the
same. The last moment before each change is judged too while it has an alert, so that holds count as if all had been.
"""

import itertools
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from barograph_alerter.judge.evaluation import EvaluationErrors, change_of, evaluate
from barograph_alerter.judge.flapping.ending import end_flaps, next_calm_ms
from barograph_alerter.judge.plan import RulePlan
from barograph_alerter.judge.state_machine import remind
from barograph_alerter.judge.verdict import EvaluationTime, WindowOf
from barograph_alerter.rules.rule import Rule
from barograph_alerter.trial.channel import Channel
from barograph_alerter.trial.recording import Recording, Region
from barograph_core.alerts.change import Change
from barograph_core.alerts.record import AlertRecord
from barograph_core.alerts.state import ServiceState
from barograph_core.alerts.transition import Transition
from barograph_core.store.cover import ceil_to, floor_to

# Windows that are grouped together.
_MOMENTS_AT_ONCE: Final = 1_024


@dataclass(frozen=True, slots=True)
class Happened:
    """A transition that would have been written.

    Attributes:
        at_ms: The moment, in event time.
        is_sent: Whether a channel that delivers at once would have sent it.
    """

    at_ms: int
    entry: Transition
    is_sent: bool


@dataclass(slots=True)
class Course:
    """A rule on one service, from the first moment to the last.

    Attributes:
        happened: Its transitions in order.
        not_judged: Regions whose panes are too coarse for its windows.
        errors: Counts of verdicts that failed.
        keeps_states: Whether its alerts are kept as they were at each moment.
        state: Its alerts as they are now.
    """

    rule: Rule
    service: str
    channel: Channel
    happened: list[Happened] = field(default_factory=list[Happened])
    not_judged: list[Region] = field(default_factory=list[Region])
    errors: EvaluationErrors = field(default_factory=EvaluationErrors)
    state: ServiceState = field(default_factory=ServiceState)
    keeps_states: bool = False
    _states: list[tuple[int, tuple[AlertRecord, ...]]] = field(
        default_factory=list[tuple[int, tuple[AlertRecord, ...]]]
    )
    _plan: RulePlan = field(init=False)
    _judged_ms: int | None = None
    _windows: WindowOf = field(init=False)

    def __post_init__(self) -> None:
        self._plan = RulePlan([self.rule])

    def go_to(
        self, end_ms: int, windows: WindowOf, recording: Recording, step_ms: int, *, may_breach: bool = True
    ) -> None:
        """Judge what is due before ``end_ms``, and then ``end_ms``, whose windows are new.

        Args:
            end_ms: The moment.
            windows: Gives its windows.
            recording: What is recorded of the service.
            step_ms: Length of its panes there.
            may_breach: Whether any series can be in breach. If not, and without any state, there is nothing to judge.
        """
        self.wait_until(end_ms - step_ms, recording, step_ms)
        self._windows = windows
        if may_breach or not self.state.is_empty:
            self._judge(end_ms, recording, step_ms)
        else:
            self._pass(end_ms)

    def wait_until(self, end_ms: int, recording: Recording, step_ms: int) -> None:
        """Judge the moments at which a hold ends, and ``end_ms``, while nothing changes in the windows."""
        while self._judged_ms is not None and self._judged_ms < end_ms and not self.state.is_empty:
            self._judge(min(self._due_ms(step_ms), end_ms), recording, step_ms)

    def _judge(self, end_ms: int, recording: Recording, step_ms: int) -> None:
        # All the time since the last moment had the verdict of that one: it is one long pane.
        length_ms = step_ms if self._judged_ms is None else end_ms - self._judged_ms
        moment = EvaluationTime(end_ms, end_ms, is_closed=True, missing=recording.missing_at(end_ms), step_ms=length_ms)
        changes = evaluate(
            self.service,
            self._plan,
            self.state,
            self._windows,
            moment,
            now_ms=end_ms,
            errors=self.errors,
        )
        changes += end_flaps([self.rule], self.state, end_ms, end_ms, knows_all=True)
        for change in changes:
            self._note(change, end_ms)
        for record in self.state.unannounced:
            if self.channel.free_ms(record) <= end_ms:
                reminder = change_of(remind(record, end_ms), end_ms)
                self.state.apply(reminder)
                self._note(reminder, end_ms)
        self._pass(end_ms)

    def _pass(self, end_ms: int) -> None:
        """Note that ``end_ms`` is judged."""
        self._judged_ms = end_ms
        if self.keeps_states:
            self._states.append((end_ms, tuple(self.state.records.values())))

    def records_at(self, at_ms: int) -> tuple[AlertRecord, ...]:
        """Return the alerts as they were at ``at_ms``, where states were kept."""
        index = bisect_right(self._states, at_ms, key=lambda state: state[0])
        return self._states[index - 1][1] if index else ()

    def _note(self, change: Change, end_ms: int) -> None:
        if change.transition is None:
            return
        is_sent = self.channel.sends(change, end_ms)
        self.happened.append(Happened(end_ms, change.transition, is_sent))
        if is_sent and change.record is not None:
            self.state.apply(replace(change, record=replace(change.record, is_announced=True)))

    def _due_ms(self, step_ms: int) -> int:
        """Return the next moment at which a hold may end."""
        now_ms = self._judged_ms or 0
        calm = (next_calm_ms(self.rule, one) for one in self.state.flaps.values())
        due = itertools.chain(calm, itertools.chain.from_iterable(map(self._ends_of, self.state.records.values())))
        return ceil_to(min((end for end in due if end > now_ms), default=2**62), step_ms)

    def _ends_of(self, record: AlertRecord) -> Iterator[int]:
        rule = self.rule
        if not record.is_announced:
            yield self.channel.free_ms(record)
        if record.no_data_since_ms is not None:
            # The other holds stand still.
            yield record.no_data_since_ms + rule.no_data_for_ms
            yield record.no_data_since_ms + rule.stale_after_ms
            return
        for level in rule.levels:
            if level.severity in record.level_since_ms:
                yield record.level_since_ms[level.severity] + level.for_ms
        if record.begun_ms is not None:
            yield record.begun_ms + record.unjudged_ms + rule.for_ms
        if record.clear_since_ms is not None:
            yield record.clear_since_ms + rule.keep_firing_for_ms + record.late_ms
        if record.seen_clear_since_ms is not None:
            yield record.seen_clear_since_ms + rule.no_data_for_ms


def replay(
    variants: Sequence[Rule], recording: Recording, *, flap_wait_ms: int = 30_000, keeps_states: bool = False
) -> list[Course]:
    """Return what each of ``variants`` would have done.

    Args:
        variants: Forms of one rule that look at the same windows, such as those of a sweep of its threshold: what they
            see is computed once.
        recording: The service.
        flap_wait_ms: As the alerter's setting.
        keeps_states: Whether ``Course.records_at`` can be asked.
    """
    courses = [Course(rule, recording.service, Channel(flap_wait_ms), keeps_states=keeps_states) for rule in variants]
    rule = variants[0]
    for region in recording.regions:
        if not region.holds(rule):
            for course in courses:
                course.not_judged.append(region)
            continue
        step_ms = max(region.step_ms, rule.every_ms)
        moments = _due_moments(recording.moments(rule.looks, region), region, step_ms)
        for first in range(0, len(moments), _MOMENTS_AT_ONCE):
            some = moments[first : first + _MOMENTS_AT_ONCE]
            seen = recording.seen(rule, some)
            may_breach = [seen.may_breach(course.rule).tolist() for course in courses]
            for number, end_ms in enumerate(some):
                for course, own in zip(courses, may_breach, strict=True):
                    course.go_to(end_ms, seen.windows(number), recording, step_ms, may_breach=own[number])
        for course in courses:
            course.wait_until(floor_to(region.to_ms, step_ms), recording, step_ms)
    return courses


def _due_moments(moments: Sequence[int], region: Region, step_ms: int) -> Sequence[int]:
    """Return when a rule that is judged every ``step_ms`` sees what changes at ``moments``."""
    if step_ms == region.step_ms:
        return moments
    due = dict.fromkeys(ceil_to(moment, step_ms) for moment in moments)
    return [moment for moment in due if moment <= region.to_ms]
