"""The state of a demo run at one moment. The view shows it, and the summary is made of it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from barograph_cli.demo.show.numbers import DemoNumbers
from barograph_cli.demo.show.story import AlertStory, Happening, Stories
from barograph_cli.demo.show.timeline import Phase


@dataclass(slots=True)
class Incident:
    """A time during which the service was broken. Times are wall-clock ms."""

    started_ms: int
    ended_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Hint:
    """An address or a command to try during the demo, and its label."""

    label: str
    text: str


@dataclass(slots=True)
class Scene:
    """The run so far.

    Attributes:
        started_ms: Wall time at which the load began.
        incidents: Oldest first.
        changes: Lines shown so far, oldest first.
    """

    started_ms: int
    hints: Sequence[Hint]
    phase: Phase = "healthy"
    elapsed_ms: float = 0.0
    figures: DemoNumbers = field(default_factory=DemoNumbers)
    stories: Stories = field(default_factory=Stories)
    incidents: list[Incident] = field(default_factory=list[Incident])
    changes: list[str] = field(default_factory=list[str])

    def incident_of(self, story: AlertStory) -> Incident | None:
        """Return the incident during or after which an alert fired, ``None`` when there was none before it."""
        before = [incident for incident in self.incidents if incident.started_ms <= story.fired_at_ms]
        return before[-1] if before else None

    def since_incident_s(self, story: AlertStory, at_ms: int) -> float | None:
        """Return the seconds from the start of the story's incident to ``at_ms``."""
        incident = self.incident_of(story)
        return None if incident is None else (at_ms - incident.started_ms) / 1_000


def change_line(scene: Scene, happening: Happening) -> str:
    """Return one line on a change of an alert."""
    story = happening.story
    since_s = scene.since_incident_s(story, happening.at_ms)
    after = "" if since_s is None else f", {since_s:.2f} s after the incident began"
    if happening.step == "fired":
        return f"FIRING     {story.name} ({story.severity}){after}: {story.summary}"
    if happening.step == "delivered":
        return f"DELIVERED  {story.name} by webhook{after}"
    if happening.step == "resolved":
        return f"RESOLVED   {story.name} after {(happening.at_ms - story.fired_at_ms) / 1_000:.1f} s"
    if happening.step == "resolution delivered":
        return f"DELIVERED  {story.name}: the resolution, by webhook"
    return f"NOT SENT   {story.name}: {happening.reason}"
