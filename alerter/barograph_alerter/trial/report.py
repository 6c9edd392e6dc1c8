"""What a trial of one rule found, over all services."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from barograph_alerter.rules.rule import Rule
from barograph_alerter.trial.differences import Difference, differences
from barograph_alerter.trial.episodes import Episode, LabelledWindow, Score, Tally, episodes_of, score, tally
from barograph_alerter.trial.recording import Recording, Region
from barograph_alerter.trial.replay import Course
from barograph_core.alerts.transition import Transition


@dataclass(frozen=True, slots=True)
class RuleReport:
    """One rule, or one form of it.

    Attributes:
        threshold: The one that was tried; ``None``: its own.
        from_ms: First moment that was judged.
        to_ms: Last one.
        not_judged: Service and time whose panes are too coarse for the rule's windows.
        failed: Number of verdicts that failed.
        score: Against labelled windows, if there are any.
        differences: From the recorded alerts, if they were read.
    """

    rule: str
    threshold: float | None
    from_ms: int
    to_ms: int
    tally: Tally
    episodes: tuple[Episode, ...]
    not_judged: tuple[tuple[str, Region], ...]
    failed: int
    score: Score | None = None
    differences: tuple[Difference, ...] | None = None

    def to_plain(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        plain = asdict(self)
        plain["not_judged"] = [{"service": service, **asdict(region)} for service, region in self.not_judged]
        return plain


def rule_report(
    rule: Rule,
    tried: Sequence[tuple[Recording, Course]],
    *,
    threshold: float | None,
    windows: Sequence[LabelledWindow] | None,
    recorded: Sequence[Transition] | None,
) -> RuleReport:
    """Sum up what ``rule`` did on the services of ``tried``."""
    courses = [course for _, course in tried]
    regions = [region for recording, _ in tried for region in recording.regions]
    from_ms = min((region.from_ms for region in regions), default=0)
    to_ms = max((region.to_ms for region in regions), default=0)
    found_episodes = [one for course in courses for one in episodes_of(course.happened)]
    episodes = sorted(found_episodes, key=lambda one: (one.fired_ms, one.alert_id))
    found: list[Difference] | None = None
    if recorded is not None:
        found = []
        for recording, course in tried:
            own = [one for one in recorded if one.rule == rule.name and one.service == recording.service]
            found += differences(rule, recording, course.happened, own)
    return RuleReport(
        rule.name,
        threshold,
        from_ms,
        to_ms,
        tally(courses, from_ms, to_ms),
        tuple(episodes),
        tuple((course.service, region) for course in courses for region in course.not_judged),
        sum(course.errors.evaluations for course in courses),
        None if windows is None else score(episodes, windows),
        None if found is None else tuple(sorted(found, key=lambda one: one.began_ms)),
    )
