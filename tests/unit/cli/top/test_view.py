"""The screen at its smallest and at its usual size: what matters is on it, and nothing is wider than it."""

import io

import pytest
from rich.console import Console

from barograph_cli.top.feed import Look, Phase
from barograph_cli.top.state import ServiceState
from barograph_cli.top.view import Choice, keys_line, render
from tests.unit.cli.top.overview import COLUMNS, NOW_MS, alert, overview, state


def drawn(
    one: ServiceState | None,
    choice: Choice | None = None,
    *,
    width: int = 80,
    height: int = 24,
    phase: Phase = "live",
    problem: str = "",
) -> str:
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=False)
    seen = Look(phase, ["ranker", "search"], "ranker", one, problem, 0)
    with console.capture() as captured:
        console.print(render(seen, choice or Choice(), NOW_MS, width, height))
    return captured.get()


@pytest.mark.parametrize(("width", "height"), [(40, 24), (80, 24), (120, 50)])
def test_the_verdict_alerts_and_endpoints_fit_the_screen(width: int, height: int) -> None:
    rows = [["GET", f"/route/{number}", 10, 0, 0, 1.0, 2.0, 3.0, 0.1, None] for number in range(200)]
    many = [alert(id=f"{number:016x}") for number in range(200)]
    text = drawn(state(alerts=many, endpoints={"columns": COLUMNS, "rows": rows}), width=width, height=height)
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    assert len(lines) < height
    for word in ("fail", "requests", "200 alerts in all", "/route/0", "live"):
        assert word in text


def test_a_chosen_alert_is_explained_with_its_condition() -> None:
    choice = Choice()
    choice.press("down", ["a" * 16])
    choice.press("enter", ["a" * 16])
    assert "error_rate 0.131 > 0.05 over 10s" in drawn(state(alerts=[alert()]), choice)


def test_the_choice_stays_within_the_alerts() -> None:
    choice = Choice()
    for key in ("down", "down", "down", "up"):
        choice.press(key, ["x", "y"])
    assert choice.alert_id == "x"
    choice.press("up", [])
    choice.press("escape", ["x"])
    assert choice.alert_id == ""


def test_the_last_line_says_what_an_action_came_to() -> None:
    assert "a ack   s silence" in keys_line().plain
    assert keys_line("You look after errors.").plain == "You look after errors."


def test_help_is_shown_and_hidden() -> None:
    choice = Choice()
    choice.press("?", [])
    assert "the next service" in drawn(state(), choice)
    choice.press("?", [])
    assert "the next service" not in drawn(state(), choice)


def test_a_lost_connection_is_told_with_its_reason_and_what_was_known_stays() -> None:
    text = drawn(state(closed_through_ms=NOW_MS - 60_000), phase="reconnecting", problem="No console answers.")
    assert "reconnecting" in text
    assert "No console answers." in text
    assert "No news since" in text
    assert "/predict" in text


def test_before_the_first_answer_only_the_reason_is_shown() -> None:
    assert "No console answers." in drawn(None, phase="connecting", problem="No console answers.")


def test_events_that_were_dropped_or_lost_are_told() -> None:
    troubled = overview()["pipeline"] | {"dropped": 3, "dead": 1, "lost": 2, "is_accounted": False}
    text = drawn(state(pipeline=troubled), width=140)
    for words in ("3 events dropped", "1 dead, 2 lost", "the account is not known"):
        assert words in text
