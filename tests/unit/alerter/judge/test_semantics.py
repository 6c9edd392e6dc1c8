"""The semantics that alerter/README.md promises: each row names a test, and holds are exact for every length."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from barograph_alerter.rules.rule import Rule
from barograph_core.alerts.record import AlertState
from tests.unit.alerter.build import rule_of
from tests.unit.alerter.judge.test_state_machine import fact, moves, run

ROOT: Final = Path(__file__).resolve().parents[4]
BEGIN: Final = 100


def rows() -> list[list[str]]:
    """Return the cells of each row of the table."""
    text = (ROOT / "alerter" / "README.md").read_text(encoding="utf-8")
    part = text.partition("### Semantics, and where they differ")[2].partition("\n### ")[0]
    lines = [line for line in part.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines[1:]]


@pytest.mark.parametrize("row", rows(), ids=[row[0] for row in rows()])
def test_every_row_is_kept_by_a_test_that_is_there(row: list[str]) -> None:
    """A promise whose test was renamed or deleted is none."""
    assert len(row) == 4
    file, _, name = row[3].strip("`").partition("::")
    found = [path for path in (ROOT / "tests").rglob(file) if f"def {name}(" in path.read_text(encoding="utf-8")]
    assert found, row[3]


def test_the_table_is_read() -> None:
    assert len(rows()) >= 20
    assert all(re.fullmatch(r"`test_\w+\.py::test_\w+`", row[3]) for row in rows())


def held(for_s: int = 0, keep_s: int = 0) -> Rule:
    return replace(rule_of("error_rate > 0.5"), for_ms=for_s * 1_000, keep_firing_for_ms=keep_s * 1_000)


@pytest.mark.parametrize("for_s", range(13))
def test_a_breach_fires_once_it_has_lasted_for(for_s: int) -> None:
    """Not a verdict earlier, not one later."""
    outcomes = run(held(for_s), *(fact(BEGIN + second, breach=True) for second in range(for_s + 1)))
    states = [outcome.record.state for outcome in outcomes if outcome.record]
    assert states == [AlertState.PENDING] * for_s + [AlertState.FIRING]


@pytest.mark.parametrize("clear_s", range(1, 10))
def test_one_clear_verdict_starts_the_hold_over(clear_s: int) -> None:
    seconds = range(clear_s + 12)
    outcomes = run(held(10), *(fact(BEGIN + second, breach=second != clear_s) for second in seconds))
    assert moves(outcomes[clear_s]) == ["pending>inactive"]
    fired = [second for second, outcome in zip(seconds, outcomes, strict=True) if moves(outcome) == ["pending>firing"]]
    assert fired == [clear_s + 11]


@pytest.mark.parametrize("keep_s", range(13))
def test_a_firing_resolves_once_it_has_been_clear_for(keep_s: int) -> None:
    """The first clear verdict begins the recovery."""
    facts = [fact(BEGIN, breach=True), *(fact(BEGIN + 1 + second, breach=False) for second in range(keep_s + 1))]
    outcomes = run(held(keep_s=keep_s), *facts)
    assert moves(*outcomes) == ["inactive>firing", *["-"] * keep_s, "firing>resolved"]


@pytest.mark.parametrize("again_s", range(1, 10))
def test_a_breach_starts_the_recovery_over(again_s: int) -> None:
    facts = [fact(BEGIN, breach=True)]
    facts += [fact(BEGIN + second, breach=second == again_s) for second in range(1, again_s + 12)]
    outcomes = run(held(keep_s=10), *facts)
    assert moves(*outcomes) == ["inactive>firing", *["-"] * (again_s + 10), "firing>resolved"]


@pytest.mark.parametrize("lack_s", range(1, 13))
def test_missing_data_is_neither_breach_nor_clear(lack_s: int) -> None:
    """Of a firing alert nothing ends, and a recovery that has begun lasts longer by as much."""
    rule = held(keep_s=3)
    facts = [fact(BEGIN, breach=True), fact(BEGIN + 1, breach=False)]
    facts += [fact(BEGIN + 2 + second, breach=None) for second in range(lack_s)]
    facts += [fact(BEGIN + 2 + lack_s + second, breach=False) for second in range(3)]
    outcomes = run(rule, *facts)
    assert moves(*outcomes) == ["inactive>firing", *["-"] * (lack_s + 3), "firing>resolved"]
