"""What the demo makes of the alerts and deliveries streams."""

from dataclasses import replace

from barograph_cli.demo.show.scene import Incident, Scene, change_line
from barograph_cli.demo.show.story import Delivery, Stories
from barograph_cli.demo.show.summary import RequestCount, summarise, summary_lines
from barograph_core.alerts.record import AlertState, Severity
from barograph_core.alerts.transition import Transition

FIRING = Transition(
    transition="t1",
    alert_id="a1",
    rule="high-error-rate",
    severity=Severity.CRITICAL,
    service="api",
    labels={},
    before=AlertState.INACTIVE,
    after=AlertState.FIRING,
    at_ms=14_000,
    episode_ms=13_000,
    summary="12 % failed",
    notify=True,
)
RESOLVED = replace(FIRING, transition="t2", before=AlertState.FIRING, after=AlertState.RESOLVED, at_ms=40_000)
SENT = Delivery("t1", "sent", "", 14_080)


def _scene() -> Scene:
    return Scene(started_ms=0, hints=[], incidents=[Incident(12_000, 27_000)], elapsed_ms=60_000)


def _play(scene: Scene, *facts: Transition | Delivery) -> list[str]:
    happenings = [
        scene.stories.add_transition(fact) if isinstance(fact, Transition) else scene.stories.add_delivery(fact)
        for fact in facts
    ]
    return [change_line(scene, happening) for happening in happenings if happening is not None]


def test_an_alert_is_told_from_firing_to_the_delivery_of_its_resolution() -> None:
    told = _play(_scene(), FIRING, SENT, RESOLVED, Delivery("t2", "sent", "", 40_090))
    assert told == [
        "FIRING     high-error-rate (critical), 2.00 s after the incident began: 12 % failed",
        "DELIVERED  high-error-rate by webhook, 2.08 s after the incident began",
        "RESOLVED   high-error-rate after 26.0 s",
        "DELIVERED  high-error-rate: the resolution, by webhook",
    ]


def test_a_delivery_that_is_tried_again_is_told_with_its_reason() -> None:
    assert _play(_scene(), FIRING, Delivery("t1", "retry", "status 503", 14_050))[1:] == [
        "NOT SENT   high-error-rate: status 503"
    ]


def test_a_delivery_of_an_unknown_alert_is_passed_over() -> None:
    assert Stories().add_delivery(SENT) is None


def test_the_summary_counts_and_measures_from_the_start_of_the_incident() -> None:
    scene = _scene()
    _play(scene, FIRING, SENT, RESOLVED)
    summary = summarise(scene, RequestCount(5_000, 5_000), received=2)
    assert (summary.fired, summary.delivered, summary.resolved) == (1, 1, 1)
    assert (summary.first_alert_s, summary.delivery_s) == (2.0, (2.08,))
    assert summary.exit_code == 0


def test_an_incident_that_ended_without_an_alert_is_a_failure() -> None:
    assert summarise(_scene(), RequestCount(), received=0).exit_code == 1


def test_a_run_that_was_stopped_during_the_incident_is_no_failure() -> None:
    scene = Scene(started_ms=0, hints=[], incidents=[Incident(12_000)])
    assert summarise(scene, RequestCount(), received=0).exit_code == 0


def test_counts_that_differ_are_told_as_such() -> None:
    lines = summary_lines(summarise(_scene(), RequestCount(5_000, 4_990), received=0))
    assert any("-10 apart" in line for line in lines)


def test_what_still_fires_at_the_end_is_named() -> None:
    scene = _scene()
    _play(scene, FIRING)
    assert summarise(scene, RequestCount(), received=1).still_firing == ("high-error-rate",)
