"""One alert in full: what happened to it, what was sent, and how it ended before. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from barograph_console.alerts.episodes import Episode, episodes_of
from barograph_console.alerts.models import Alert
from barograph_console.alerts.view import delivery_row
from barograph_console.detail.models import AlertDetail, DeedRow, LogRow, RuleSeries, SimilarEpisode, What, Why
from barograph_console.markers.rows import MarkerRow
from barograph_console.serving.numbers import significant
from barograph_console.store.ports import AlertEntry
from barograph_core.alerts.condition_text import condition_text, leading_value, recovery_text
from barograph_core.alerts.published_rules import PublishedRule
from barograph_core.alerts.transition import Transition
from barograph_core.markers.marker import SOON_MS
from barograph_core.pipeline.deliveries import Delivery

_SIMILAR: Final = 3
_MARKERS: Final = 5


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of one alert.

    Attributes:
        row: As a list shows it.
        rule: Its rule; ``None`` where none is published.
        values: Values of the condition, as far as they are known.
        series: What its rule looks at.
        quiet_until_ms: When the cooldown ends that holds a notification back; ``None``: it holds none back.
        annotations: Of a pushed alert: what the other program says of it.
        source_url: Of a pushed alert: where the other program shows it.
        markers: Of its service.
    """

    row: Alert
    rule: PublishedRule | None = None
    values: Mapping[str, float] = field(default_factory=dict[str, float])
    series: RuleSeries | None = None
    quiet_until_ms: int | None = None
    annotations: Mapping[str, str] = field(default_factory=dict[str, str])
    source_url: str = ""
    markers: Sequence[MarkerRow] = ()


def alert_detail(found: Found, entries: Sequence[AlertEntry], deliveries: Sequence[Delivery]) -> AlertDetail:
    """Return everything about one alert.

    Args:
        found: What is known of it.
        entries: Its entries of the alerts stream, the oldest first.
        deliveries: What was sent of them, in any order.
    """
    row = found.row
    last = next((entry.transition for entry in reversed(entries) if not entry.transition.is_only_flag), None)
    return AlertDetail(
        **row.model_dump(exclude={"why"}),
        why=_why(found),
        series=found.series,
        next_notification_ms=found.quiet_until_ms,
        notify_reason="" if last is None or last.notify else last.reason,
        log=alert_log(entries, deliveries, row.started_at_ms),
        deliveries=[delivery_row(one) for one in sorted(deliveries, key=lambda one: one.id, reverse=True)],
        annotations=dict(found.annotations),
        source_url=found.source_url,
        markers=markers_before(found.markers, row.fired_at_ms or row.started_at_ms),
        similar=similar_episodes(entries, row),
    )


def alert_log(entries: Iterable[AlertEntry], deliveries: Iterable[Delivery], episode_ms: int) -> list[LogRow]:
    """Return what happened in the episode that began at ``episode_ms``, the oldest first."""
    own = [entry for entry in entries if entry.transition.episode_ms == episode_ms]
    moved_ms = {entry.transition.transition: entry.transition.at_ms for entry in own}
    rows = [
        LogRow(
            at_ms=entry.transition.at_ms,
            entry_id=str(entry.id),
            what=_what(entry.transition),
            actor=entry.transition.actor,
            note=entry.transition.note or entry.transition.reason,
        )
        for entry in own
    ]
    rows += [
        LogRow(
            at_ms=one.at_ms,
            entry_id=str(one.id),
            what="delivery",
            channel=one.channel,
            result=one.result,
            delay_ms=max(0, one.at_ms - moved_ms[one.transition]),
            note=one.reason,
        )
        for one in deliveries
        if one.transition in moved_ms
    ]
    return sorted(rows, key=lambda row: (row.at_ms, row.what == "delivery", row.entry_id))


def markers_before(markers: Iterable[MarkerRow], began_ms: int) -> list[MarkerRow]:
    """Return what was done in the half hour before an alert began, the newest first."""
    near = [one for one in markers if 0 <= began_ms - one.at_ms <= SOON_MS]
    return sorted(near, key=lambda one: one.at_ms, reverse=True)[:_MARKERS]


def similar_episodes(entries: Iterable[AlertEntry], row: Alert) -> list[SimilarEpisode]:
    """Return the last three episodes of the same alert that have ended, the newest first."""
    transitions = [entry.transition for entry in entries]
    ended = [
        one
        for one in episodes_of(transitions)
        if one.end_ms is not None and one.firing_ms is not None and one.episode_ms != row.started_at_ms
    ]
    return [_similar(one, transitions) for one in ended[::-1][:_SIMILAR]]


def _why(found: Found) -> Why | None:
    rule, row = found.rule, found.row
    if rule is None or not row.why:
        return None
    # What decides has the value that lists show.
    leading = {name: significant(value) or 0.0 for name, value in leading_value(rule, row.value).items()}
    values = {**found.values, **leading}
    return Why(text=condition_text(rule, values), resolves=recovery_text(rule), window_ms=rule.window_ms, values=values)


def _what(transition: Transition) -> What:
    """Return the flag that changed; the state where none did, or one that only a newer version knows."""
    match transition.flag:
        case "acknowledged" | "unacknowledged" | "flapping" | "flapping_ended":
            return transition.flag
        case _:
            return transition.after.value


def _similar(episode: Episode, transitions: Iterable[Transition]) -> SimilarEpisode:
    deeds = [
        DeedRow(at_ms=one.at_ms, what=_what(one), actor=one.actor, note=one.note)
        for one in transitions
        if one.episode_ms == episode.episode_ms and one.actor
    ]
    return SimilarEpisode(
        started_at_ms=episode.episode_ms,
        ended_at_ms=episode.end_ms or episode.episode_ms,
        actor=episode.actor,
        acked_by=next((one.actor for one in deeds if one.what == "acknowledged"), ""),
        note=next((one.note for one in reversed(deeds) if one.note), ""),
        deeds=deeds,
    )
