"""A test of rules: series of values, and the alerts that they are expected to make."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final, NamedTuple

from barograph_alerter.rules.rule import Rule
from barograph_alerter.trial.event_fold import EventFold
from barograph_alerter.trial.recording import Recorded, Recording, Region
from barograph_alerter.trial.replay import Course, replay
from barograph_core.alerts.record import AlertRecord, AlertState, Severity
from barograph_core.events.encode import LabelSet
from barograph_core.events.kinds import FAILED, KINDS, MAX_WEIGHT, Kind

# Where a test begins, in event time: a Monday, 00:00 UTC, so that hours and days are whole.
BEGIN_MS: Final = 1_704_067_200_000
Values = Sequence[float | None]


@dataclass(frozen=True, slots=True)
class CaseSeries:
    """What happens in each step of a test, of one series.

    Attributes:
        labels: Of the events, in the order of the kind, without status; then free ones in pairs.
        count: Number of events; those of ``errors`` and ``status`` are among them.
        errors: How many of them failed: with status 500, or the flag of the kind.
        status: Code -> number of events with it.
        measures: Name -> the value that every event of the step has.
    """

    kind: Kind
    labels: tuple[str, ...]
    count: Values
    errors: Values
    status: Mapping[int, Values]
    measures: Mapping[str, Values]

    @property
    def steps(self) -> int:
        return max(map(len, (self.count, self.errors, *self.status.values(), *self.measures.values())))


@dataclass(frozen=True, slots=True)
class Expectation:
    """The state of the alerts of a rule at one time of a test.

    Attributes:
        place: Where it stands in the file.
        at_ms: Since the beginning: all that ends by then has been judged.
        labels: Those that the alert must have; it may have more.
        state: ``inactive`` means that there is no such alert.
        severity: ``None``: any.
        value: ``None``: any.
        summary: ``None``: any.
    """

    place: str
    at_ms: int
    rule: str
    state: AlertState
    labels: Mapping[str, str]
    severity: Severity | None = None
    value: float | None = None
    summary: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One test of a file."""

    name: str
    service: str
    step_ms: int
    series: tuple[CaseSeries, ...]
    expectations: tuple[Expectation, ...]


def run_case(case: Case, rules: Sequence[Rule]) -> list[str]:
    """Return what differs from the expectations, each in one line.

    The events of a step come in its last second, and rules are judged at the end of each step. A rule whose window is
    shorter than the step sees them all at that moment.
    """
    last_ms = max([one.at_ms for one in case.expectations], default=0)
    region = Region(case.step_ms, BEGIN_MS, BEGIN_MS + -(-last_ms // case.step_ms) * case.step_ms, is_sampled=True)
    recording = Recording(case.service, _panes(case), [region])
    wanted = {one.rule for one in case.expectations}
    found = {rule.name: _course(rule, recording) for rule in rules if rule.name in wanted}
    return [
        difference
        for one in sorted(case.expectations, key=lambda one: one.at_ms)
        if (difference := _difference(case, one, found[one.rule]))
    ]


def _panes(case: Case) -> list[Recorded]:
    """Return the pane of each step with events. Steps in which the same happens have one pane, made once."""
    steps: dict[int, list[_Event]] = {}
    for series in case.series:
        for index, event in _events(series):
            steps.setdefault(index, []).append(event)
    contents: dict[tuple[_Event, ...], int] = {}
    fold = EventFold()
    for events in steps.values():
        if tuple(events) in contents:
            continue
        at_ms = BEGIN_MS + len(contents) * EventFold.STEP_MS
        contents[tuple(events)] = len(contents)
        for one in events:
            fold.add(case.service, KINDS[one.kind], one.labels, at_ms, one.values, one.weight)
    made = [one.pane for one in fold.panes().get(case.service, ())]
    return [
        Recorded(
            BEGIN_MS + (index + 1) * case.step_ms - EventFold.STEP_MS, EventFold.STEP_MS, made[contents[tuple(events)]]
        )
        for index, events in sorted(steps.items())
    ]


def _course(rule: Rule, recording: Recording) -> Course:
    (course,) = replay([rule], recording, keeps_states=True)
    return course


class _Event(NamedTuple):
    kind: str
    labels: LabelSet
    values: tuple[float | None, ...]
    weight: int


def _events(series: CaseSeries) -> Iterator[tuple[int, _Event]]:
    """Yield step and events."""
    names = series.kind.measure_names
    fixed = len(series.kind.labels)
    columns = [series.count, series.errors, *series.status.values(), *(series.measures.get(name, ()) for name in names)]
    for index, row in enumerate(zip_longest(*columns)):
        count, errors, *rest = row
        coded = dict(zip(series.status, (int(one or 0) for one in rest[: len(series.status)]), strict=True))
        values = list(rest[len(series.status) :])
        failed = int(errors or 0)
        total = _total(count, failed + sum(coded.values()), values)
        amounts = [(200, total - failed - sum(coded.values()), 0.0), (500, failed, 1.0)]
        for status, amount, flag in [*amounts, *((code, number, 0.0) for code, number in coded.items())]:
            own = tuple(values)
            if FAILED in names and errors is not None:
                own = tuple(flag if name == FAILED else value for name, value in zip(names, values, strict=True))
            coded_labels = (status,) if series.kind.has_status else ()
            labels: LabelSet = (*series.labels[:fixed], *coded_labels, *series.labels[fixed:])
            for weight in _weights(amount):
                yield index, _Event(series.kind.name, labels, own, weight)


def _total(count: float | None, known: int, values: Sequence[float | None]) -> int:
    if count is not None:
        return max(int(count), known)
    return known or int(any(value is not None for value in values))


def _weights(amount: int) -> Iterator[int]:
    while amount > 0:
        yield min(amount, MAX_WEIGHT)
        amount -= MAX_WEIGHT


def _difference(case: Case, expected: Expectation, course: Course) -> str:
    """Return what is not as expected, empty when all is."""
    at_ms = BEGIN_MS + expected.at_ms // case.step_ms * case.step_ms
    records = [one for one in course.records_at(at_ms) if expected.labels.items() <= one.labels.items()]
    if expected.state is AlertState.INACTIVE:
        found = ", ".join(map(_shown, records))
        return f"{expected.place}: {expected.rule}: expected none, found {found}" if records else ""
    if any(_fits(one, expected) for one in records):
        return ""
    found = ", ".join(map(_shown, records)) or "none"
    return f"{expected.place}: {expected.rule}: expected {_wanted(expected)}, found {found}"


def _fits(record: AlertRecord, expected: Expectation) -> bool:
    return (
        record.state is expected.state
        and expected.severity in (None, record.severity)
        and (expected.value is None or (record.value is not None and _near(record.value, expected.value)))
        and expected.summary in (None, record.summary)
    )


def _near(found: float, expected: float) -> bool:
    # Percentiles are within 0.79 %.
    return abs(found - expected) <= 0.008 * abs(expected) + 1e-12


def _wanted(expected: Expectation) -> str:
    facts = [expected.state.value, *([expected.severity.value] if expected.severity else [])]
    facts += [f"value {expected.value:g}"] if expected.value is not None else []
    facts += [_labels(expected.labels)] if expected.labels else []
    return " ".join(facts + ([f"{expected.summary!r}"] if expected.summary is not None else []))


def _shown(record: AlertRecord) -> str:
    value = "" if record.value is None else f" value {record.value:.6g}"
    labels = f" {_labels(record.labels)}" if record.labels else ""
    return f"{record.state.value} {record.severity.value}{value}{labels} {record.summary!r}"


def _labels(labels: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{name}={value}" for name, value in labels.items()) + "}"
