"""Tests of rules in a file: series, and the alerts that are expected of them."""

from pathlib import Path

import pytest

from barograph_alerter.trial.cases.case import run_case
from barograph_alerter.trial.cases.case_file import read_cases
from barograph_cli.rules.test import load_rules
from barograph_core.errors import SettingsError

RULE = """
[[rule]]
name = "errors"
on = "request"
by = ["route"]
window = "2m"
when = "error_rate > 0.05 and count >= 20"
for = "1m"
severity = "critical"
summary = "{{ route }}: {{ error_rate | percent }}"
"""
TEST = """
[[test]]
name = "one route fails"
service = "shop"
step = "1m"
"""
FAILING = 'series = [{ on = "request", labels = { route = "/a" }, count = "100x9", errors = "0x3 50x5" }]\n'


def differences(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "rules_test.toml"
    file.write_text(text)
    lines = [line for case, rules in read_cases(file, load_rules) for line in run_case(case, rules)]
    return [line.replace(f"{file}:", "line ") for line in lines]


def mistakes(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        differences(tmp_path, text)
    return [f"{problem.key}: {problem.message}" for problem in caught.value.problems]


@pytest.mark.parametrize(
    "expect",
    [
        '{ at = "4m", rule = "errors", state = "inactive" }',
        '{ at = "5m", rule = "errors", state = "pending" }',
        '{ at = "5m59s", rule = "errors", state = "pending" }',
        '{ at = "6m", rule = "errors", state = "firing" }',
        '{ at = "6m", rule = "errors", labels = { route = "/a" }, severity = "critical", value = 0.5 }',
        '{ at = "6m", rule = "errors", labels = { route = "/b" }, state = "inactive" }',
        '{ at = "6m", rule = "errors", summary = "/a: 50.0 % errors" }',
        '{ at = "5m", rule = "errors", value = 0.25, state = "pending" }',
        '{ at = "12m", rule = "errors", state = "inactive" }',
        '{ at = "0s", rule = "errors", state = "inactive" }',
    ],
)
def test_what_is_expected_and_happens_is_no_difference(tmp_path: Path, expect: str) -> None:
    """The fifth minute fails; the rule looks at two and wants it to last for one."""
    text = RULE.replace("| percent }}", "| percent }} errors") + TEST + FAILING + f"expect = [{expect}]"
    assert differences(tmp_path, text) == []


@pytest.mark.parametrize(
    ("expect", "message"),
    [
        (
            '{ at = "6m", rule = "errors", state = "inactive" }',
            "errors: expected none, found firing critical value 0.5 {route=/a} '/a: 50.0 %'",
        ),
        (
            '{ at = "5m", rule = "errors" }',
            "errors: expected firing, found pending critical value 0.25 {route=/a} '/a: 25.0 %'",
        ),
        (
            '{ at = "6m", rule = "errors", severity = "warning", value = 0.7 }',
            "errors: expected firing warning value 0.7, found firing critical value 0.5 {route=/a} '/a: 50.0 %'",
        ),
        ('{ at = "3m", rule = "errors", summary = "x" }', "errors: expected firing 'x', found none"),
    ],
)
def test_a_difference_names_what_was_found(tmp_path: Path, expect: str, message: str) -> None:
    """With the line of the expectation."""
    (line,) = differences(tmp_path, RULE + TEST + FAILING + f"expect = [{expect}]")
    assert line == f"line 17: {message}"


def test_events_may_be_given_by_status_measure_and_free_label(tmp_path: Path) -> None:
    """Without a count there is one event a step where something is given."""
    text = """
[[rule]]
name = "limited"
on = "request"
by = ["région"]
window = "1m"
when = "status[429] >= 3 and count == 9"
[[rule]]
name = "deep"
on = "custom"
where = { name = "queue" }
window = "3m"
when = "value.avg > 5 and count == 2"
[[rule]]
name = "wrong"
on = "model"
window = "1m"
when = "error_rate == 0.5 and absolute_error.avg == 4"
[[test]]
series = [
  { on = "request", labels = { "région" = "ouest" }, count = "9", status = { 429 = "3" } },
  { on = "custom", labels = { name = "queue" }, value = "6 _ 7" },
  { on = "model", count = "10", errors = "5", absolute_error = "4" },
]
expect = [
  { at = "1m", rule = "limited", labels = { "région" = "ouest" } },
  { at = "3m", rule = "deep", value = 6.5 },
  { at = "1m", rule = "wrong" },
]
"""
    assert differences(tmp_path, text) == []


def test_rules_may_stand_in_the_configuration_beside_the_file(tmp_path: Path) -> None:
    """Shipped rules count too; those with a window shorter than the step see all events of it."""
    (tmp_path / "barograph.toml").write_text(RULE)
    text = f'rules = "barograph.toml"\n{TEST}{FAILING}expect = [\n'
    text += '{ at = "6m", rule = "errors" }, { at = "5m", rule = "high-error-rate", value = 0.5 } ]'
    assert differences(tmp_path, text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (RULE + TEST + FAILING, ["test[1].expect: is missing: a test without expectations cannot fail"]),
        (RULE, ["test: is missing: write [[test]] with series and expect"]),
        (
            f'rulez = "x"\n{RULE}{TEST}expect = [{{ at = "1m", rule = "errors" }}]',
            ["rulez: is not a key of a file of tests; did you mean 'rule'?"],
        ),
        (
            RULE + TEST + 'expect = [{ rule = "eros", state = "fires", at = "1m" }]',
            [
                "test[1].expect[1].state: must be one of inactive, pending, firing, not 'fires'",
                "test[1].expect[1].rule: there is no rule 'eros' about service 'shop'; did you mean 'errors'?",
            ],
        ),
        (
            RULE + TEST + 'series = [{ on = "request", count = "5y" }]\nexpect = [{ rule = "errors" }]',
            [
                ("test[1].series[1].count: '5y' is no item such as 5, 5x3 (four fives), 1+2x3 (1 3 5 7), _ or _x4"),
                'test[1].expect[1].at: is missing: when it is expected, such as "12m"',
            ],
        ),
        (
            RULE
            + TEST
            + 'series = [{ on = "request", count = "0.5" }, { on = "custom", labels = { n = "1" } }]\n'
            + 'expect = [{ rule = "errors", at = "1m" }]',
            [
                "test[1].series[1].count: counts events: it takes whole numbers from 0 on",
                "test[1].series[2].count: is missing: give count, errors or a measure (value)",
            ],
        ),
        (
            RULE.replace('"count', '"change("90s").count').replace(
                "error_rate > 0.05 and", 'change(\\"90s\\").count > 1 and'
            )
            + TEST
            + 'expect = [{ rule = "errors", at = "1m" }]',
            ["test[1].step: rule 'errors' looks back by no whole number of steps: take shorter ones"],
        ),
    ],
)
def test_mistakes_in_the_file_are_named(tmp_path: Path, text: str, expected: list[str]) -> None:
    """All of them, with line and key."""
    assert mistakes(tmp_path, text) == expected
