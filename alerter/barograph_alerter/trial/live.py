"""What each rule finds among the series there are now: a rule that finds none never fires, and no one would know."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from barograph_alerter.conditions.row import Look
from barograph_alerter.rules.rule import Rule
from barograph_alerter.trial.channel import Channel
from barograph_alerter.trial.recording import Recording
from barograph_alerter.trial.replay import Course
from barograph_core.alerts.record import AlertState
from barograph_core.events.labels import label_values
from barograph_core.matching.matcher import Matcher
from barograph_core.panes.pane import Pane
from barograph_core.settings.config_file import suggestion

# Time in which a series must have had an event to count as being there.
LOOK_BACK: Look = Look(3_600_000)


@dataclass(frozen=True, slots=True)
class Found:
    """What one rule finds.

    Attributes:
        services: Number of services that it is about.
        label_sets: Number of label sets, each of which can be an alert, with events in the rule's window.
        breaches: For how many alerts the condition holds now.
        without_data: Number of label sets that lack what its condition measures.
        note: Why it finds nothing, empty when it finds something.
    """

    rule: str
    services: int
    label_sets: int
    breaches: int
    without_data: int
    note: str = ""


def find(rule: Rule, recordings: Iterable[Recording]) -> Found:
    """Return what ``rule`` finds in the newest closed panes of the services."""
    own = [one for one in recordings if rule.applies_to(one.service)]
    # It is judged now, not at its next moment.
    rule = replace(rule, every_ms=0)
    label_sets = breaches = without_data = 0
    hour: list[Pane] = []
    for recording in own:
        hour += [one.pane for one in recording.panes]
        if not recording.regions or not recording.regions[-1].holds(rule):
            continue
        region = recording.regions[-1]
        windows = recording.seen(rule, [region.to_ms]).windows(0)
        rows = windows(rule.windows[0]).rows(rule.on.name, rule.by, rule.where)
        label_sets += len(rows)
        course = Course(rule, recording.service, Channel(0))
        course.go_to(region.to_ms, windows, recording, region.step_ms)
        breaches += sum(one.state is not AlertState.RESOLVED for one in course.state.records.values())
        quantity = rule.when.accounted_quantity
        without_data += sum(quantity is not None and row.number(quantity) is None for row in rows.values())
    note = "" if label_sets else _why_nothing(rule, own, Pane.merge(hour))
    return Found(rule.name, len(own), label_sets, breaches, without_data, note)


def _why_nothing(rule: Rule, own: Sequence[Recording], pane: Pane) -> str:
    if not own:
        return "no service there is one of its services"
    series = pane.labels(rule.on.name)
    if not series:
        return f"no {rule.on.name} event within the last hour"
    for name, wanted in rule.where.items():
        values = sorted({label_values(rule.on, labels, (name,))[0] for labels in series})
        if not any(value == wanted if isinstance(wanted, str) else wanted.matches(value) for value in values):
            return f"no series with {name} {_written(wanted)}{suggestion(_text(wanted), values)}"
    return "no event in its window"


def _written(wanted: str | Matcher) -> str:
    return f'"{wanted}"' if isinstance(wanted, str) else str(wanted)


def _text(wanted: str | Matcher) -> str:
    return wanted if isinstance(wanted, str) else wanted.alternatives[0].lstrip("~")


def needed_looks(rules: Sequence[Rule]) -> Sequence[Look]:
    """Return the windows that must be read to judge ``rules`` once."""
    return [LOOK_BACK, *(look for rule in rules for look in rule.looks)]
