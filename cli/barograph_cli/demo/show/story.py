"""The episodes of the alerts of a run, folded from the alerts and deliveries streams. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from barograph_core.alerts.record import AlertState
from barograph_core.alerts.transition import Transition

SceneStep = Literal["fired", "delivered", "resolved", "resolution delivered", "not delivered"]


@dataclass(slots=True)
class AlertStory:
    """One episode of one alert. Times are wall-clock ms, ``None`` until it happened."""

    alert_id: str
    rule: str
    severity: str
    labels: Mapping[str, str]
    summary: str
    fired_at_ms: int
    delivered_at_ms: int | None = None
    resolved_at_ms: int | None = None
    resolution_delivered_at_ms: int | None = None

    @property
    def name(self) -> str:
        """Return the rule with the labels by which its alerts differ."""
        labels = " ".join(value for _, value in sorted(self.labels.items()))
        return f"{self.rule} {labels}" if labels else self.rule


@dataclass(frozen=True, slots=True)
class Happening:
    """A step of an alert to show, and when it happened."""

    at_ms: int
    step: SceneStep
    story: AlertStory
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One entry of the deliveries stream."""

    transition: str
    result: str
    reason: str
    at_ms: int


@dataclass(slots=True)
class Stories:
    """Every episode of the run, oldest first."""

    all: list[AlertStory] = field(default_factory=list[AlertStory])
    _current: dict[str, AlertStory] = field(default_factory=dict[str, AlertStory])
    _by_transition: dict[str, tuple[AlertStory, AlertState]] = field(
        default_factory=dict[str, tuple[AlertStory, AlertState]]
    )

    def add_transition(self, transition: Transition) -> Happening | None:
        """Take in one entry of the alerts stream."""
        if transition.after is AlertState.FIRING and transition.before is not AlertState.FIRING:
            story = AlertStory(
                transition.alert_id,
                transition.rule,
                transition.severity.value,
                transition.labels,
                transition.summary,
                transition.at_ms,
            )
            self.all.append(story)
            self._current[transition.alert_id] = story
            self._by_transition[transition.transition] = (story, AlertState.FIRING)
            return Happening(transition.at_ms, "fired", story)
        current = self._current.get(transition.alert_id)
        if current is None:
            return None
        if transition.after is AlertState.FIRING:
            # A reminder: the first delivery may be the reminder's.
            self._by_transition[transition.transition] = (current, AlertState.FIRING)
        if transition.before is AlertState.FIRING and transition.after is AlertState.RESOLVED:
            current.resolved_at_ms = transition.at_ms
            self._by_transition[transition.transition] = (current, AlertState.RESOLVED)
            return Happening(transition.at_ms, "resolved", current)
        return None

    def add_delivery(self, delivery: Delivery) -> Happening | None:
        """Take in one entry of the deliveries stream."""
        known = self._by_transition.get(delivery.transition)
        if known is None:
            return None
        story, state = known
        if delivery.result != "sent":
            return Happening(delivery.at_ms, "not delivered", story, delivery.reason or delivery.result)
        if state is AlertState.FIRING:
            story.delivered_at_ms = story.delivered_at_ms or delivery.at_ms
            return Happening(delivery.at_ms, "delivered", story)
        story.resolution_delivered_at_ms = story.resolution_delivered_at_ms or delivery.at_ms
        return Happening(delivery.at_ms, "resolution delivered", story)

    @property
    def firing(self) -> Sequence[AlertStory]:
        """Return the episodes that have not resolved."""
        return [story for story in self.all if story.resolved_at_ms is None]
