"""The language of conditions."""

import pytest

from barograph_alerter.conditions import parse_condition
from barograph_alerter.expression_parser import ConditionError
from barograph_core.events import KINDS
from tests.unit.alerter.build import FixedRow


def holds(text: str, kind: str = "request", **numbers: float | None) -> bool | None:
    return parse_condition(text, KINDS[kind]).holds(FixedRow(**numbers))


def mistakes(text: str, kind: str = "request") -> tuple[str, ...]:
    with pytest.raises(ConditionError) as caught:
        parse_condition(text, KINDS[kind])
    return caught.value.mistakes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("count > 20", True),
        ("count > 21", False),
        ("count >= 21", True),
        ("count < 21", False),
        ("count <= 21", True),
        ("count == 21", True),
        ("count != 21", False),
        ("20 < count", True),
        ("20 < count < 30", True),
        ("20 < count < 21", False),
        ("errors / count > 0.2", True),
        ("errors * 2 + 1 - 3 == 8", True),
        ("-errors < -4", True),
        ("+errors == 5", True),
        ("errors > 3 and count > 20", True),
        ("errors > 9 or count > 20", True),
        ("not errors > 9", True),
        ("not (errors > 3 and count > 20)", False),
        ("errors > 3\n  and count > 20", True),
        ("status[429] >= 7", True),
        ("duration_ms.p99_9 > 100", True),
    ],
)
def test_a_condition_means_what_python_means(text: str, expected: bool) -> None:
    """Comparisons, chains, logic and arithmetic."""
    row = {"count": 21.0, "errors": 5.0, "status[429]": 7.0, "duration_ms.p99_9": 101.0}
    assert parse_condition(text, KINDS["request"]).holds(FixedRow(**row)) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("error_rate > 0.05", None),
        ("not error_rate > 0.05", None),
        ("error_rate > 0.05 and count > 1", None),
        ("error_rate > 0.05 and count > 9", False),
        ("count > 9 and error_rate > 0.05", False),
        ("error_rate > 0.05 or count > 1", True),
        ("error_rate > 0.05 or count > 9", None),
        ("error_rate + 1 > 0", None),
        ("1 / (count - 5) > 0", None),
        ("1e308 * count > 0", None),
        ("0 < error_rate < 1", None),
        ("9 < count < error_rate", False),
    ],
)
def test_what_is_missing_is_neither_true_nor_false(text: str, expected: bool | None) -> None:
    """Three-valued logic (Kleene); also a division by zero and an overflow are missing."""
    assert holds(text, count=5.0) is expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("error_rat > 0.05", "column 1: unknown name 'error_rat'; did you mean 'error_rate'?"),
        (
            "count > 1 and durration_ms.p95 > 2",
            "column 15: unknown measure 'durration_ms'; did you mean 'duration_ms'?",
        ),
        ("duration_ms.p950 > 1", "column 1: unknown statistic 'p950' of 'duration_ms'; did you mean 'p95'?"),
        ("duration_ms.p100_1 > 1", "column 1: unknown statistic 'p100_1' of 'duration_ms'"),
        ("duration_ms > 1", "column 1: 'duration_ms' needs a statistic"),
        ("status > 1", "column 1: 'status' needs a code"),
        ("status[1000] > 1", "column 1: only 'status' takes [ ]"),
        ("status['429'] > 1", "column 1: only 'status' takes [ ]"),
        ("count[1] > 1", "column 1: only 'status' takes [ ]"),
        ("count", "column 1: is a number; a condition compares it"),
        ("count + 1", "column 1: is a number; a condition compares it"),
        ("(count > 1) + 1 > 0", "column 2: is true or false, where a number is needed"),
        ("count > 1 > 0 in [1]", "column 18: "),
        ("count is 1", "column 10: compare with one of > >= < <= == !="),
        ("count ** 2 > 1", "column 1: only + - * / are known"),
        ("count > True", "column 9: True is not a number"),
        ("count > '1'", "column 9: '1' is not a number"),
        ("count > 1e999", "column 9: the number is too large"),
        ("count > 1" + "0" * 400, "column 9: the number is too large"),
        ("count > 1 / 0", "column 9: is not a finite number"),
        ("1 > 0", "column 1: compares numbers only"),
        ("error_rate > 5", "column 1: error_rate lies between 0 and 1: 5 % is 0.05"),
        ("count > 20 and 5 <= error_rate", "column 16: error_rate lies between 0 and 1"),
        ("error_rate > -0.1", "column 1: error_rate lies between 0 and 1"),
        ("count" + ".a" * 480 + " > 1", "column 1: "),
        ("count" + "()" * 400 + " > 1", "column 1: unknown name"),
        ("count > 1 # and errors > 3", "column 11: a condition takes no comment"),
        ("  ", "column 1: the condition is empty"),
        ("  (count > 1", "column 3: '(' was never closed"),
        ("count > 1) or (errors > 1", "column 10: unmatched ')'"),
        ("baseline('1h').count > 1", "column 1: unknown name 'baseline'"),
        ("count > max(1, 2)", "column 9: unknown name 'max'"),
        ("().__class__.__bases__ > 1", "column 1: "),
        ("[x for x in count] > 1", "column 1: "),
        ("(lambda: 1) > 1", "column 2: "),
        ("count > 1 if errors > 1 else count > 2", "column 1: "),
        ("(n := 3) > count", "column 2: "),
        ("not " * 200 + "count > 1", "nested deeper than"),
        ("-" * 300 + "count > 1", "nested deeper than"),
        ("(" * 300 + "count > 1" + ")" * 300, "column 201: "),
        ("count > 1 or " * 100 + "count > 1", "longer than 1000 characters"),
        ("é > 1 and counts > 1", "column 11: unknown name 'counts'"),
        ("count > 1\x00", "column 1: "),
    ],
)
def test_a_mistake_is_named_with_its_column(text: str, message: str) -> None:
    """Nothing but the short list gets through, and people are told what to write."""
    found = mistakes(text)
    assert any(message in mistake for mistake in found), found


def test_every_mistake_of_a_condition_is_named() -> None:
    """Nobody has to mend them one by one."""
    assert len(mistakes("error_rat > 1 and cnt > 2 or durations.p95 > 3")) == 3


@pytest.mark.parametrize("name", ["errors", "error_rate", "status[500]"])
def test_only_requests_have_a_status(name: str) -> None:
    """Other kinds have no errors to count."""
    assert "events of kind 'model' have no status" in mistakes(f"{name} > 1", "model")[0]


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("request", "count > 5", True),
        ("request", "5 <= rate", True),
        ("request", "errors >= 3 and status[503] > 1", True),
        ("request", "errors >= 3 or duration_ms.sum > 1", True),
        ("model", "absolute_error.sum > 3", True),
        ("model", "absolute_error.count > 3", True),
        ("model", "prediction.sum > 3", False),
        ("custom", "value.sum > 3", False),
        ("request", "count < 5", False),
        ("request", "count == 5", False),
        ("request", "5 < count < 9", False),
        ("request", "not count > 5", False),
        ("request", "error_rate > 0.05", False),
        ("request", "duration_ms.avg > 5", False),
        ("request", "duration_ms.max > 5", False),
        ("request", "duration_ms.p95 > 5 and count > 3", False),
        ("request", "errors > count", False),
        ("request", "errors - 1 > 3", False),
        ("request", "errors / count > 0.1", False),
    ],
)
def test_only_what_more_events_cannot_take_back_may_fire_early(kind: str, text: str, expected: bool) -> None:
    """Counts and sums on the greater side of a number, without not."""
    assert parse_condition(text, KINDS[kind]).can_only_become_true is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("error_rate > 0.05 and count >= 20", (0.5, 0.05)),
        ("count >= 20 and error_rate > 0.05", (0.5, 0.05)),
        ("0.05 < error_rate", (0.5, 0.05)),
        ("count >= 20", (30.0, 20.0)),
        ("error_rate * 100 > 5", (50.0, 5.0)),
        ("error_rate > rate", (0.5, 3.0)),
        ("duration_ms.p95 > 7", (None, 7.0)),
    ],
)
def test_an_alert_shows_the_comparison_that_is_no_guard(text: str, expected: tuple[float | None, float | None]) -> None:
    """The measured side is the value, the other the threshold."""
    row = FixedRow(count=30.0, error_rate=0.5, rate=3.0)
    assert parse_condition(text, KINDS["request"]).value_and_threshold(row) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("errors < 5", True), ("5 > errors", True), ("errors > 5", False), ("5 < errors", False), ("errors == 5", False)],
)
def test_a_condition_knows_on_which_side_of_its_threshold_the_breach_lies(text: str, expected: bool) -> None:
    """However it is written."""
    assert parse_condition(text, KINDS["request"]).is_below is expected
