from dataclasses import replace

from barograph_console.alerts.episodes import episode_row, episodes_of
from barograph_core.alerts.record import AlertState
from barograph_core.alerts.transition import Transition, transition_of
from tests.unit.console.fakes import ALERT_ID, NOW_MS, record

START = NOW_MS - 60_000


def moved(before: AlertState, after: AlertState, at_ms: int, **changes: object) -> Transition:
    return transition_of(record(state=after, episode_ms=START, **changes), before=before, at_ms=at_ms, notify=True)


PENDING = moved(AlertState.INACTIVE, AlertState.PENDING, START + 500)
FIRING = moved(AlertState.PENDING, AlertState.FIRING, START + 1_000)
REMINDER = moved(AlertState.FIRING, AlertState.FIRING, START + 9_000)
RESOLVED = moved(AlertState.FIRING, AlertState.RESOLVED, START + 20_000)


def test_an_episode_reaches_from_the_breach_to_its_end() -> None:
    """A reminder moves nothing."""
    (episode,) = episodes_of([PENDING, FIRING, REMINDER, RESOLVED])
    assert episode_row(episode) == [
        "high-error-rate",
        "error",
        START + 500,
        START + 1_000,
        START + 20_000,
        None,
        ALERT_ID,
    ]


def test_a_breach_that_never_fired_is_an_episode_too() -> None:
    (episode,) = episodes_of([PENDING, moved(AlertState.PENDING, AlertState.INACTIVE, START + 700)])
    assert (episode.pending_ms, episode.firing_ms, episode.end_ms) == (START + 500, None, START + 700)


def test_an_episode_whose_start_is_no_longer_on_record_begins_with_its_breach() -> None:
    (episode,) = episodes_of([RESOLVED])
    assert (episode.pending_ms, episode.firing_ms, episode.end_ms) == (None, START, START + 20_000)


def test_two_breaches_of_one_alert_are_two_episodes() -> None:
    later = replace(FIRING, episode_ms=START + 30_000, at_ms=START + 31_000)
    assert [one.firing_ms for one in episodes_of([FIRING, RESOLVED, later])] == [START + 1_000, START + 31_000]


def test_an_active_alert_from_before_the_span_is_shown() -> None:
    """Its entries may be hours old; its record is there."""
    (episode,) = episodes_of([], [record(episode_ms=START, fired_at_ms=START + 1_000)])
    assert (episode.firing_ms, episode.end_ms) == (START + 1_000, None)
    (pending,) = episodes_of([], [record(episode_ms=START, state=AlertState.PENDING)])
    assert (pending.pending_ms, pending.firing_ms) == (START, None)


def test_an_alert_that_was_resolved_by_hand_is_not_active() -> None:
    assert episodes_of([], [record(state=AlertState.RESOLVED, is_muted=True)]) == []
