"""Episodes of alerts: from the first breach to the end, out of the entries of the alerts stream. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import Field

from barograph_console.alerts.models import SeverityName
from barograph_core.alerts.record import AlertRecord, AlertState
from barograph_core.alerts.transition import Transition


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """One episode of one alert. A time is ``None`` when that has not happened, or is no longer on record."""

    alert_id: str
    rule: str
    severity: SeverityName
    labels: Mapping[str, str]
    episode_ms: Annotated[int, Field(description="event time at which the breach began; tells episodes apart")]
    pending_ms: int | None = None
    firing_ms: int | None = None
    end_ms: int | None = None
    ack_ms: Annotated[int | None, Field(description="when somebody acknowledged it first")] = None
    actor: Annotated[str, Field(description="who resolved it by hand")] = ""
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Episodes:
    """Episodes of a service, by their start."""

    service: str
    episodes: list[Episode]


def episodes_of(transitions: Iterable[Transition], records: Iterable[AlertRecord] = ()) -> list[Episode]:
    """Return the episodes that ``transitions`` tell of, and those of ``records``, by their start.

    Args:
        transitions: Of a span of time, the oldest first.
        records: Alerts that are active now: the entry of their start may lie before that span.
    """
    found: dict[tuple[str, int], Episode] = {}
    for transition in transitions:
        key = (transition.alert_id, transition.episode_ms)
        found[key] = _advanced(found.get(key) or _begun(transition), transition)
    for record in records:
        if record.is_active:
            key = (record.alert_id, record.episode_ms)
            found[key] = _current(found.get(key), record)
    return sorted(found.values(), key=lambda one: (one.episode_ms, one.alert_id))


def episode_row(episode: Episode) -> list[str | int | None]:
    """Return an episode as the ribbon draws it: rule, severity, three times, when it was acknowledged, and its id."""
    return [
        episode.rule,
        episode.severity,
        episode.pending_ms,
        episode.firing_ms,
        episode.end_ms,
        episode.ack_ms,
        episode.alert_id,
    ]


def _begun(transition: Transition) -> Episode:
    # Of an episode whose start was trimmed, only when the breach began is known.
    was_firing = transition.before is AlertState.FIRING
    return Episode(
        alert_id=transition.alert_id,
        rule=transition.rule,
        severity=transition.severity.value,
        labels=transition.labels,
        episode_ms=transition.episode_ms,
        pending_ms=transition.episode_ms if transition.before is AlertState.PENDING else None,
        firing_ms=transition.episode_ms if was_firing else None,
    )


def _advanced(episode: Episode, transition: Transition) -> Episode:
    after, at_ms = transition.after, transition.at_ms
    moved: dict[str, Any]
    if after is AlertState.PENDING:
        moved = {"pending_ms": at_ms if episode.pending_ms is None else episode.pending_ms}
    elif transition.flag == "acknowledged":
        moved = {"ack_ms": at_ms if episode.ack_ms is None else episode.ack_ms}
    elif after is AlertState.FIRING:
        moved = {"firing_ms": at_ms if episode.firing_ms is None else episode.firing_ms}
    else:
        moved = {"end_ms": at_ms, "actor": transition.actor}
    # In one step: a storm of alerts has thousands of entries.
    return replace(episode, severity=transition.severity.value, summary=transition.summary or episode.summary, **moved)


def _current(episode: Episode | None, record: AlertRecord) -> Episode:
    if episode is None:
        episode = Episode(
            alert_id=record.alert_id,
            rule=record.rule,
            severity=record.severity.value,
            labels=record.labels,
            episode_ms=record.episode_ms,
            pending_ms=record.episode_ms if record.fired_at_ms is None else None,
        )
    ack_ms = episode.ack_ms if episode.ack_ms is not None or record.ack is None else record.ack.at_ms
    return replace(episode, firing_ms=episode.firing_ms or record.fired_at_ms, ack_ms=ack_ms, summary=record.summary)
