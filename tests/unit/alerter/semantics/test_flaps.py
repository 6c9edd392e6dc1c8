"""When an alert flaps, second by second, what is told of it meanwhile, and when that is over.

Of verdicts: ``B`` breach, ``.`` clear. Of what becomes of them: ``f`` and ``r`` a firing and an end that are told,
``F`` the firing with which it begins to flap, ``u`` an update, ``q`` an end that is not told, ``E`` it is calm and
clear, ``S`` it is calm and fires, ``-`` nothing.
"""

from dataclasses import replace
from typing import Final

import pytest

from barograph_alerter.conditions.row import Look
from barograph_alerter.judge.evaluation import EvaluationErrors, evaluate
from barograph_alerter.judge.flapping.ending import end_flaps
from barograph_alerter.judge.plan import RulePlan
from barograph_alerter.judge.verdict import EvaluationTime
from barograph_alerter.rules.rule import Rule
from barograph_alerter.windows.window import Window
from barograph_core.alerts.flapping.flaps import Flapping, Flaps
from barograph_core.alerts.record import AlertRecord
from barograph_core.alerts.state import ServiceState
from barograph_core.alerts.transition import Transition
from tests.unit.alerter.build import NOW, requests, rule_of

RULE: Final = rule_of("errors > 3", cooldown='"5m"')
PANES: Final = {"B": requests(errors=9), ".": requests(ok=9)}
ROWS: Final = [
    # Three firings in ten seconds begin it; it is over when at most one is left in ten seconds.
    ((3, 10, 1), "B.", "fr"),
    ((3, 10, 1), "B.B.", "frfr"),
    ((3, 10, 1), "B.B.B", "frfrF"),
    ((3, 10, 1), "B.B.B.", "frfrFq"),
    ((3, 10, 1), "B.B.B.B.B.", "frfrFququq"),
    ((3, 10, 1), "B.B.B........", "frfrFq------E"),
    ((3, 10, 1), "B.B.BBBBBBBBBB.", "frfrF-------S-r"),
    ((3, 10, 1), "B.B.B.B.........", "frfrFquq------E-"),
    ((3, 10, 1), "B.B.B.......B...", "frfrFq------uqE-"),
    # One that stays within the count never flaps.
    ((3, 10, 1), "B....B....B....B....", "fr---fr---fr---fr---"),
    ((3, 10, 1), "B...B...B...", "fr--fr--Fq--"),
    ((3, 10, 1), "BBBBBBBBBB", "f---------"),
    ((3, 10, 1), "BB.BB.BB.", "f-rf-rF-q"),
    # Two begin it.
    ((2, 10, 1), "B.B.", "frFq"),
    ((2, 10, 1), "B.B.........", "frFq------E-"),
    ((2, 10, 1), "B.........B.", "fr--------fr"),
    # None may be left.
    ((3, 10, 0), "B.B.B..........", "frfrFq--------E"),
    ((2, 5, 0), "B.B......B.", "frFq---E-fr"),
    # Two may be left.
    ((4, 10, 2), "B.B.B.B.......", "frfrfrFq----E-"),
    # Another incident counts from what is left.
    ((3, 6, 1), "B.B.B....B.B.B.", "frfrFq--Efrfr" + "Fq"),
    ((2, 4, 1), "B.B...B.B...B.", "frFqE-frFqE-fr"),
    # Never.
    (None, "B.B.B.B.B.B.", "frfrfrfrfrfr"),
]


def rule_with(policy: tuple[int, int, int] | None) -> Rule:
    flapping = None if policy is None else Flapping(policy[0], policy[1] * 1_000, policy[2])
    return replace(RULE, flapping=flapping)


def letter(entry: Transition) -> str:
    match entry.flag, entry.after.value, entry.reason:
        case "flapping", "firing", _:
            return "F"
        case "flapping_ended", "resolved", _:
            return "E"
        case "flapping_ended", "firing", _:
            return "S"
        case _, "firing", reason:
            return "u" if reason == "flapping" else "f"
        case _, "resolved", "flapping":
            assert entry.notify is False
            return "q"
        case _:
            return "r"


def written(state: ServiceState) -> ServiceState:
    """Return what another alerter reads of it."""
    return ServiceState(
        records={name: AlertRecord.from_json(one.to_json()) for name, one in state.records.items()},
        flaps={name: Flaps.from_json(one.to_json()) for name, one in state.flaps.items()},
    )


def course(rule: Rule, verdicts: str, restart: int = -1) -> tuple[str, ServiceState]:
    """Return what becomes of each verdict, and the state at the end."""
    state, found = ServiceState(), ""
    for number, verdict in enumerate(verdicts, start=1):
        end_ms = NOW + number * 1_000
        moment = EvaluationTime(end_ms, end_ms, is_closed=True)
        pane = PANES[verdict]

        def windows(look: Look, pane: object = pane) -> Window:
            return Window(pane, look.span_ms)  # type: ignore[arg-type]  # bound now

        errors = EvaluationErrors()
        changes = evaluate("shop", RulePlan([rule]), state, windows, moment, now_ms=end_ms, errors=errors)
        changes += end_flaps([rule], state, end_ms, end_ms, knows_all=True)
        letters = [letter(change.transition) for change in changes if change.transition]
        assert len(letters) <= 1
        found += "".join(letters) or "-"
        if number == restart:
            state = written(state)
    return found, state


@pytest.mark.parametrize(("policy", "verdicts", "expected"), ROWS)
def test_what_becomes_of_a_flapping_alert(policy: tuple[int, int, int] | None, verdicts: str, expected: str) -> None:
    assert course(rule_with(policy), verdicts)[0] == expected


@pytest.mark.parametrize(("policy", "verdicts", "expected"), ROWS)
def test_a_restart_at_any_point_changes_nothing(
    policy: tuple[int, int, int] | None, verdicts: str, expected: str
) -> None:
    for restart in range(1, len(verdicts)):
        assert course(rule_with(policy), verdicts, restart)[0] == expected


def test_nothing_is_kept_of_an_alert_that_has_been_calm() -> None:
    """The memory of its firings ends with the last of them that counts."""
    found, state = course(rule_with((3, 10, 1)), "B.B.B." + "." * 20)
    assert found == "frfrFq------E" + "-" * 13
    assert state.is_empty


def test_every_transition_of_an_incident_has_an_id_of_its_own() -> None:
    """Also the end of one that had been clear: channels know messages by it."""
    rule, state, ids = rule_with((3, 10, 1)), ServiceState(), list[str]()
    for number, verdict in enumerate("B.B.B.B.B.........", start=1):
        end_ms = NOW + number * 1_000
        moment = EvaluationTime(end_ms, end_ms, is_closed=True)
        changes = evaluate(
            "shop",
            RulePlan([rule]),
            state,
            lambda look, pane=PANES[verdict]: Window(pane, look.span_ms),  # type: ignore[misc]  # bound now
            moment,
            now_ms=end_ms,
            errors=EvaluationErrors(),
        )
        changes += end_flaps([rule], state, end_ms, end_ms, knows_all=True)
        ids += [change.transition.transition for change in changes if change.transition]
    assert len(set(ids)) == len(ids) == 11
