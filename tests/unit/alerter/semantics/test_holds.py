"""``for``, ``keep_firing_for``, missing data and restarts: what becomes of an alert, verdict by verdict.

Of verdicts: ``B`` breach, ``.`` clear, ``_`` data is missing, ``?`` clear as far as is seen, an instance is missing.
Of states: ``-`` inactive, ``P`` pending, ``F`` firing. Holds are in steps of an evaluation; each row is judged at three
intervals, because Prometheus' semantics are about time and not about the number of evaluations.
"""

from dataclasses import replace
from typing import Final

import pytest

from barograph_alerter.judge.fact import Fact
from barograph_alerter.judge.state_machine import advance
from barograph_alerter.rules.rule import Rule
from barograph_core.alerts.record import AlertRecord, AlertState
from tests.unit.alerter.build import rule_of
from tests.unit.alerter.judge.test_state_machine import IDENTITY, WALL

BASE: Final = rule_of("error_rate > 0.5")
STEPS_S: Final = (1, 15, 60)
LETTERS: Final = {AlertState.PENDING: "P", AlertState.FIRING: "F", AlertState.RESOLVED: "-"}
# Steps of for and of keep_firing_for, verdicts, states.
HOLDS: Final = [
    (0, 0, "B", "F"),
    (0, 0, ".", "-"),
    (0, 0, "B.", "F-"),
    (0, 0, "BB.", "FF-"),
    (0, 0, "B.B", "F-F"),
    (0, 0, ".B.B.", "-F-F-"),
    (0, 0, "BBBB", "FFFF"),
    # for is inclusive: it fires at the first verdict at which the breach has lasted for so long.
    (1, 0, "B", "P"),
    (1, 0, "BB", "PF"),
    (1, 0, "BBB", "PFF"),
    (2, 0, "BB", "PP"),
    (2, 0, "BBB", "PPF"),
    (3, 0, "BBBB", "PPPF"),
    (5, 0, "BBBBBB", "PPPPPF"),
    (1, 0, ".BB", "-PF"),
    (2, 0, "..BBB", "--PPF"),
    # One clear verdict deletes a pending alert, and the hold starts over.
    (1, 0, "B.", "P-"),
    (1, 0, "B.B", "P-P"),
    (1, 0, "B.BB", "P-PF"),
    (2, 0, "BB.", "PP-"),
    (2, 0, "BB.B", "PP-P"),
    (2, 0, "BB.BBB", "PP-PPF"),
    (2, 0, "B.BB.BBB", "P-PP-PPF"),
    (3, 0, "BBB.BBBB", "PPP-PPPF"),
    (3, 0, "B.B.B.B.", "P-P-P-P-"),
    # Once it fires, for matters no more: one clear verdict ends it.
    (1, 0, "BB.", "PF-"),
    (2, 0, "BBB.", "PPF-"),
    (2, 0, "BBBB.", "PPFF-"),
    (2, 0, "BBB.B", "PPF-P"),
    (2, 0, "BBB.BBB", "PPF-PPF"),
    (2, 0, "BBB..BBB.", "PPF--PPF-"),
    # keep_firing_for counts from the first clear verdict.
    (0, 1, "B.", "FF"),
    (0, 1, "B..", "FF-"),
    (0, 2, "B..", "FFF"),
    (0, 2, "B...", "FFF-"),
    (0, 3, "B....", "FFFF-"),
    (0, 5, "B......", "FFFFFF-"),
    (0, 2, "BBB...", "FFFFF-"),
    # A breach starts it over.
    (0, 1, "B.B.", "FFFF"),
    (0, 1, "B.B..", "FFFF-"),
    (0, 2, "B..B...", "FFFFFF-"),
    (0, 2, "B.B.B.B...", "FFFFFFFFF-"),
    (0, 3, "B..B..B....", "FFFFFFFFFF-"),
    # Both.
    (1, 1, "BB..", "PFF-"),
    (2, 2, "BBB...", "PPFFF-"),
    (2, 2, "BB...", "PP---"),
    (2, 2, "BBB..B...", "PPFFFFFF-"),
    (1, 2, "BB...BB", "PFFF-PF"),
    (3, 1, "BBBB.BB..", "PPPFFFFF-"),
    # keep_firing_for is for what fired, not for what was pending.
    (2, 5, "BB....", "PP----"),
    (1, 5, "B.B.B.", "P-P-P-"),
]
# Missing data is neither breach nor clear. For longer than five steps it has consequences, below.
MISSING: Final = [
    (0, 0, "_", "-"),
    (0, 0, "___", "---"),
    (0, 0, "B_", "FF"),
    (0, 0, "B___", "FFFF"),
    (0, 0, "B_.", "FF-"),
    (0, 0, "B_B.", "FFF-"),
    (0, 0, "_B", "-F"),
    (0, 0, "._B", "--F"),
    (2, 0, "B_", "PP"),
    (2, 0, "B_.", "PP-"),
    # The hold stands still: it has lasted for as long as was seen.
    (2, 0, "B_B", "PPP"),
    (2, 0, "B_BB", "PPPF"),
    (2, 0, "B__BB", "PPPPF"),
    (2, 0, "BB_B", "PPPF"),
    (2, 0, "B_B_B", "PPPPF"),
    (3, 0, "B_BB_B", "PPPPPF"),
    (2, 0, "_BBB", "-PPF"),
    (2, 0, "BBB_", "PPFF"),
    (2, 0, "BBB_.", "PPFF-"),
    (0, 2, "B_...", "FFFF-"),
    (0, 2, "B._..", "FFFF-"),
    (0, 2, "B.__..", "FFFFF-"),
    (0, 2, "B._._.", "FFFFF-"),
    (0, 2, "B.._.", "FFFF-"),
    (0, 1, "B._.", "FFF-"),
    (0, 3, "B.___...", "FFFFFFF-"),
]
# An instance is missing: what is seen is clear, and may be all that is left of an incident.
PARTLY: Final = [
    (0, 0, "?", "-"),
    (0, 0, "B?", "FF"),
    (0, 0, "B??", "FFF"),
    (0, 0, "B?.", "FF-"),
    (0, 0, "B?B.", "FFF-"),
    (2, 0, "B?", "PP"),
    (2, 0, "B?.", "PP-"),
    (2, 0, "B?B", "PPP"),
    (2, 0, "B?BB", "PPPF"),
    (2, 0, "BB?B", "PPPF"),
    (2, 0, "BBB?", "PPFF"),
    (0, 2, "B?...", "FFFF-"),
    (0, 2, "B.?..", "FFFF-"),
    (0, 2, "B?.?..", "FFFFF-"),
]


def facts_of(verdicts: str, step_s: int) -> list[Fact]:
    truths = {"B": True, ".": False, "?": False, "_": None}
    return [
        Fact(
            at_ms=(100 + number) * step_s * 1_000,
            window_end_ms=(100 + number) * step_s * 1_000,
            step_ms=step_s * 1_000,
            is_closed=True,
            missing=int(letter == "?"),
            breach=truths[letter],
            clear=None if truths[letter] is None else not truths[letter],
            value=None if truths[letter] is None else 0.9,
            threshold=0.5,
        )
        for number, letter in enumerate(verdicts)
    ]


def rule(step_s: int, for_steps: int, keep_steps: int, **keys: object) -> Rule:
    step_ms = step_s * 1_000
    facts = {"for_ms": for_steps * step_ms, "keep_firing_for_ms": keep_steps * step_ms, "no_data_for_ms": 5 * step_ms}
    return replace(BASE, **{**facts, **keys})  # type: ignore[arg-type]  # the keys of a rule


def states(rule: Rule, verdicts: str, step_s: int, restarts: frozenset[int] = frozenset()) -> str:
    """Return the state after each verdict; after those of ``restarts`` all that is known is what was written."""
    record: AlertRecord | None = None
    found = ""
    for number, fact in enumerate(facts_of(verdicts, step_s)):
        record = advance(rule, IDENTITY, record, fact, WALL).record
        found += "-" if record is None else LETTERS[record.state]
        if record is not None and number in restarts:
            record = AlertRecord.from_json(record.to_json())
    return found


@pytest.mark.parametrize("step_s", STEPS_S)
@pytest.mark.parametrize(
    ("for_steps", "keep_steps", "verdicts", "expected"),
    HOLDS + MISSING + PARTLY,
    ids=[f"for {row[0]} keep {row[1]} {row[2]}" for row in HOLDS + MISSING + PARTLY],
)
def test_holds_are_about_time(step_s: int, for_steps: int, keep_steps: int, verdicts: str, expected: str) -> None:
    assert states(rule(step_s, for_steps, keep_steps), verdicts, step_s) == expected


@pytest.mark.parametrize(
    ("for_steps", "keep_steps", "verdicts", "expected"),
    HOLDS + MISSING + PARTLY,
    ids=[f"for {row[0]} keep {row[1]} {row[2]}" for row in HOLDS + MISSING + PARTLY],
)
def test_a_restart_at_any_point_changes_nothing(for_steps: int, keep_steps: int, verdicts: str, expected: str) -> None:
    """In Prometheus a hold survives one within an hour, and what would fire waits for a grace period."""
    for number in range(len(verdicts)):
        assert states(rule(15, for_steps, keep_steps), verdicts, 15, frozenset({number})) == expected
    assert states(rule(15, for_steps, keep_steps), verdicts, 15, frozenset(range(len(verdicts)))) == expected


@pytest.mark.parametrize("step_s", STEPS_S)
@pytest.mark.parametrize(
    ("no_data", "for_steps", "verdicts", "expected"),
    [
        # keep: a firing alert stays, a pending one ends, because for must not count time without data.
        ("keep", 0, "B________.", "FFFFFFFFF-"),
        ("keep", 2, "BB______", "PPPPPPP-"),
        ("keep", 2, "BB____BBB", "PPPPPPFFF"),
        # resolve: as a series that vanishes does in Prometheus, though not at once.
        ("resolve", 0, "B_____", "FFFFFF"),
        ("resolve", 0, "B______", "FFFFFF-"),
        ("resolve", 0, "B___B______", "FFFFFFFFFF-"),
        ("resolve", 0, "B___.B", "FFFF-F"),
        ("resolve", 2, "BB______", "PPPPPPP-"),
        # alert: as absent(), with a hold.
        ("alert", 0, "_", "P"),
        ("alert", 0, "_____", "PPPPP"),
        ("alert", 0, "______", "PPPPPF"),
        ("alert", 0, "___.", "PPP-"),
        ("alert", 0, "___.______", "PPP-PPPPPF"),
        ("alert", 0, "______.", "PPPPPF-"),
        ("alert", 0, "______B", "PPPPPFF"),
        ("alert", 0, "___B", "PPPF"),
        ("alert", 2, "___BBB", "PPPPPF"),
        ("alert", 0, "B________", "FFFFFFFFF"),
    ],
)
def test_what_missing_data_leads_to(step_s: int, no_data: str, for_steps: int, verdicts: str, expected: str) -> None:
    """After ``no_data_for``, here five steps."""
    assert states(rule(step_s, for_steps, 0, no_data=no_data), verdicts, step_s) == expected


@pytest.mark.parametrize("step_s", STEPS_S)
@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        # Clear in all that is seen for no_data_for: recovered_partly, or a crashing replica would keep it for ever.
        ("B?????", "FFFFFF"),
        ("B??????", "FFFFFF-"),
        ("B???B??????", "FFFFFFFFFF-"),
        ("B???.", "FFFF-"),
    ],
)
def test_what_a_missing_instance_leads_to(step_s: int, verdicts: str, expected: str) -> None:
    assert states(rule(step_s, 0, 0), verdicts, step_s) == expected
