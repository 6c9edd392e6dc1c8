"""What a trial and the recorded alerts stream say differently, and why that is."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from barograph_alerter.rules.rule import Rule
from barograph_alerter.trial.recording import Recording
from barograph_alerter.trial.replay import Happened
from barograph_core.alerts.record import AlertState
from barograph_core.alerts.transition import Transition

Side = Literal["recorded", "trial"]
# Firings of one alert so near to each other are one breach, seen at different moments.
_SAME_MS: Final = 60_000
_LATE: Final = "late:"


@dataclass(frozen=True, slots=True)
class Difference:
    """A firing that only one side has.

    Attributes:
        only: Which side has it.
        began_ms: Event time at which the breach began.
        reason: Why, in words.
    """

    only: Side
    rule: str
    service: str
    labels: Mapping[str, str]
    began_ms: int
    reason: str


def differences(
    rule: Rule, recording: Recording, tried: Sequence[Happened], recorded: Iterable[Transition]
) -> list[Difference]:
    """Return the firings of ``rule`` on one service that only one side has, in order.

    Args:
        rule: As it was tried.
        recording: What it was tried on.
        tried: What it did.
        recorded: Entries of the alerts stream of this rule and service, of the same time.
    """
    was = _firings(recorded)
    would = _firings(one.entry for one in tried)
    found = [
        _difference("recorded", rule, recording, entry)
        for entry in was
        if not _has_near(entry, would) and _is_judged(rule, recording, entry)
    ]
    found += [_difference("trial", rule, recording, entry) for entry in would if not _has_near(entry, was)]
    return sorted(found, key=lambda one: one.began_ms)


def _firings(entries: Iterable[Transition]) -> list[Transition]:
    return [entry for entry in entries if entry.after is AlertState.FIRING and entry.before is not AlertState.FIRING]


def _has_near(entry: Transition, others: Sequence[Transition]) -> bool:
    return any(
        other.alert_id == entry.alert_id and abs(other.episode_ms - entry.episode_ms) <= _SAME_MS for other in others
    )


def _is_judged(rule: Rule, recording: Recording, entry: Transition) -> bool:
    return any(region.from_ms < entry.episode_ms <= region.to_ms and region.holds(rule) for region in recording.regions)


def _difference(side: Side, rule: Rule, recording: Recording, entry: Transition) -> Difference:
    reason = _reason(side, rule, recording, entry)
    return Difference(side, entry.rule, entry.service, entry.labels, entry.episode_ms, reason)


def _reason(side: Side, rule: Rule, recording: Recording, entry: Transition) -> str:
    if entry.summary.startswith(_LATE):
        return "revision: it fired late, by events that came after their panes were judged"
    panes = recording.in_range(entry.episode_ms - max(look.reach_ms for look in rule.windows), entry.episode_ms)
    if any(one.revision for one in panes):
        return "revision: late events changed panes of its window after they were judged"
    if any(one.missing for one in panes):
        return "missing: an instance had not shipped its events when the panes of its window closed"
    if side == "recorded" and rule.is_provisional:
        return "open pane: it fired before the pane closed, which is no breach as a whole"
    return "rules: the rule was another one then, or no alerter judged"
