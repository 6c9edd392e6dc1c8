"""The result of a demo run: the lines printed at its end, and its exit code. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from barograph_cli.demo.show.scene import Scene
from barograph_cli.demo.show.story import AlertStory
from barograph_cli.failure import DONE, FAILED


@dataclass(frozen=True, slots=True)
class RequestCount:
    """Requests as the callers counted their answers, and as the pipeline counted its events.

    Attributes:
        answered: By the load generator's ledger; ``None`` when it left none.
        counted: By the query store; ``None`` when it was not asked.
    """

    answered: int | None = None
    counted: int | None = None

    @property
    def is_exact(self) -> bool:
        return self.answered is not None and self.answered == self.counted


@dataclass(frozen=True, slots=True)
class Summary:
    """The outcome of a run. Latencies are in seconds from the start of the incident."""

    duration_s: float
    requests: RequestCount
    incidents: int
    ended_incidents: int
    fired: int
    delivered: int
    resolved: int
    received: int
    first_alert_s: float | None
    delivery_s: tuple[float, ...]
    still_firing: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """Return 1 when an incident ran to its end and no alert fired, else 0."""
        return FAILED if self.ended_incidents and not self.fired else DONE


def summarise(scene: Scene, requests: RequestCount, received: int) -> Summary:
    """Return the summary of a run; ``received`` counts the notifications that arrived at the webhook."""
    stories = scene.stories.all
    first = [seconds for story in stories if (seconds := scene.since_incident_s(story, story.fired_at_ms)) is not None]
    return Summary(
        duration_s=scene.elapsed_ms / 1_000,
        requests=requests,
        incidents=len(scene.incidents),
        ended_incidents=sum(incident.ended_ms is not None for incident in scene.incidents),
        fired=len(stories),
        delivered=sum(story.delivered_at_ms is not None for story in stories),
        resolved=sum(story.resolved_at_ms is not None for story in stories),
        received=received,
        first_alert_s=min(first, default=None),
        delivery_s=tuple(sorted(_delivery_latencies(scene, stories))),
        still_firing=tuple(story.name for story in scene.stories.firing),
    )


def _delivery_latencies(scene: Scene, stories: Sequence[AlertStory]) -> list[float]:
    delivered = [(story, story.delivered_at_ms) for story in stories if story.delivered_at_ms is not None]
    latencies = [scene.since_incident_s(story, at_ms) for story, at_ms in delivered]
    return [seconds for seconds in latencies if seconds is not None]


def summary_lines(summary: Summary) -> list[str]:
    """Return the summary as lines of text."""
    lines = [f"Ran {summary.duration_s:.0f} s with {summary.incidents} incident(s)."]
    requests = summary.requests
    if requests.answered is not None and requests.counted is not None:
        verdict = "equal" if requests.is_exact else f"{requests.counted - requests.answered:+,} apart"
        lines.append(
            f"Requests        {requests.answered:,} answered by the API, {requests.counted:,} counted by the "
            f"pipeline: {verdict}"
        )
    elif requests.answered is not None:
        lines.append(f"Requests        {requests.answered:,} answered by the API")
    lines.append(f"Alerts          {summary.fired} fired, {summary.delivered} delivered, {summary.resolved} resolved")
    if summary.first_alert_s is not None:
        lines.append(f"First alert     {summary.first_alert_s:.2f} s after its incident began")
    if summary.delivery_s:
        shown = ", ".join(f"{seconds:.2f}" for seconds in summary.delivery_s[:8])
        lines.append(f"At the webhook  {shown} s after the incident began; {summary.received} notifications arrived")
    if summary.still_firing:
        lines.append(f"Still firing    {', '.join(summary.still_firing)}")
    if summary.exit_code:
        lines.append("An incident ran to its end and no alert fired: something is wrong.")
    return lines
