"""What a trial counts: episodes, notifications, flaps, and how they meet the windows of known failures."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from barograph_alerter.trial.replay import Course, Happened
from barograph_core.alerts.record import AlertState, Severity

_DAY_MS: Final = 86_400_000
# An episode that begins so soon after the last one of its alert is a flap.
_FLAP_MS: Final = 15 * 60_000


@dataclass(frozen=True, slots=True)
class Episode:
    """One firing of one alert.

    Attributes:
        severity: The most severe that it was.
        fired_ms: When it fired, in event time.
        resolved_ms: When it resolved; ``None``: it fired to the end.
        sent: Number of notifications that a channel would have sent: of the firing, rises, reminders, the resolution.
        value: Of the comparison that decides, as it fired.
    """

    alert_id: str
    rule: str
    service: str
    labels: Mapping[str, str]
    severity: Severity
    fired_ms: int
    resolved_ms: int | None = None
    sent: int = 0
    value: float | None = None

    def overlaps(self, from_ms: int, to_ms: int) -> bool:
        return self.fired_ms < to_ms and (self.resolved_ms is None or self.resolved_ms > from_ms)


def episodes_of(happened: Iterable[Happened]) -> list[Episode]:
    """Return the episodes in transitions of one rule and service, in the order in which they fired."""
    running: dict[str, Episode] = {}
    done: list[Episode] = []
    for one in happened:
        entry = one.entry
        held = running.get(entry.alert_id)
        if held is None and entry.after is AlertState.FIRING:
            held = Episode(
                entry.alert_id, entry.rule, entry.service, entry.labels, entry.severity, one.at_ms, value=entry.value
            )
        if held is None:
            continue
        severity = max(held.severity, entry.severity, key=lambda severity: severity.rank)
        held = replace(held, severity=severity, sent=held.sent + one.is_sent)
        if entry.after is AlertState.RESOLVED:
            running.pop(entry.alert_id, None)
            done.append(replace(held, resolved_ms=one.at_ms))
        else:
            running[entry.alert_id] = held
    return sorted([*done, *running.values()], key=lambda episode: (episode.fired_ms, episode.alert_id))


@dataclass(frozen=True, slots=True)
class LabelledWindow:
    """A time in which something was known to fail.

    Attributes:
        services: Those that it is about; empty for any.
    """

    from_ms: int
    to_ms: int
    services: tuple[str, ...] = ()

    def is_hit_by(self, episode: Episode) -> bool:
        is_about = not self.services or episode.service in self.services
        return is_about and episode.overlaps(self.from_ms, self.to_ms)


@dataclass(frozen=True, slots=True)
class Score:
    """How episodes meet labelled windows.

    Attributes:
        hits: Windows in which something fired.
        misses: Windows in which nothing did.
        delays_ms: For each hit the time from the window's beginning until something fired; 0 if it did already.
        outside: Episodes that meet no window.
    """

    hits: int
    misses: int
    delays_ms: tuple[int, ...]
    outside: int


def score(episodes: Sequence[Episode], windows: Sequence[LabelledWindow]) -> Score:
    """Compare ``episodes`` with the times in which something was known to fail."""
    delays: list[int] = []
    for window in windows:
        fired = [max(0, episode.fired_ms - window.from_ms) for episode in episodes if window.is_hit_by(episode)]
        if fired:
            delays.append(min(fired))
    outside = sum(not any(window.is_hit_by(episode) for window in windows) for episode in episodes)
    return Score(len(delays), len(windows) - len(delays), tuple(delays), outside)


@dataclass(frozen=True, slots=True)
class Tally:
    """The counts of one rule over all services.

    Attributes:
        sent_per_day: Notifications of a channel that delivers at once.
        flaps: Episodes that began within 15 minutes of the last one's end.
        firing_ms: Time in which it fired, all alerts together.
    """

    episodes: int
    sent: int
    sent_per_day: float
    flaps: int
    firing_ms: int


def tally(courses: Sequence[Course], from_ms: int, to_ms: int) -> Tally:
    """Count what ``courses`` of one rule did in ``[from_ms, to_ms)``."""
    found = [episode for course in courses for episode in episodes_of(course.happened)]
    ended: dict[str, int] = {}
    flaps = 0
    for episode in found:
        last_ms = ended.get(episode.alert_id)
        flaps += last_ms is not None and episode.fired_ms - last_ms <= _FLAP_MS
        ended[episode.alert_id] = to_ms if episode.resolved_ms is None else episode.resolved_ms
    sent = sum(one.is_sent for course in courses for one in course.happened)
    return Tally(
        episodes=len(found),
        sent=sent,
        sent_per_day=sent * _DAY_MS / max(1, to_ms - from_ms),
        flaps=flaps,
        firing_ms=sum((to_ms if one.resolved_ms is None else one.resolved_ms) - one.fired_ms for one in found),
    )
