"""When the demo breaks and mends its service."""

from barograph_cli.demo.show.timeline import Timeline


def test_a_minute_has_twelve_healthy_seconds_and_fifteen_of_incident() -> None:
    timeline = Timeline.of_duration(60_000)
    changes = [timeline.phase_at(at_ms) for at_ms in (0, 11_999, 12_000, 26_999, 27_000, 59_999)]
    assert changes == ["healthy", "healthy", "incident", "incident", "recovery", "recovery"]


def test_a_shorter_run_has_shorter_phases() -> None:
    timeline = Timeline.of_duration(40_000)
    assert [timeline.phase_at(at_ms) for at_ms in (7_999, 8_000, 17_999, 18_000)] == [
        "healthy",
        "incident",
        "incident",
        "recovery",
    ]


def test_without_an_end_the_incident_comes_back_every_two_minutes() -> None:
    timeline = Timeline.of_duration(None)
    assert [timeline.phase_at(at_ms) for at_ms in (119_999, 120_000, 132_000, 147_000)] == [
        "recovery",
        "recovery",
        "incident",
        "recovery",
    ]
