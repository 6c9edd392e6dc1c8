"""What should be there: label sets that are expected, and new ones that do not count yet."""

import pytest

from barograph_alerter.conditions.row import Look
from tests.unit.alerter.build import problems_of, rule_of, rules_of

ALERT = {"by": '["route", "method"]', "no_data": '"alert"'}
WANTED = '"seen", or a list of label sets such as [{ instance = "api-1" }, { instance = "api-2" }]'
EACH = "must have a value for each label of 'by' (route, method), no others"
SEEN = 'expect = "seen" (label sets that had data within expect_for) or a list of label sets'
LISTED = '[{ method = "GET", route = "/a" }, { route = "/b", method = "POST" }]'


def test_label_sets_are_listed_in_any_order_of_their_labels() -> None:
    """They stand in the order of `by`, as those of windows do."""
    rule = rule_of(**ALERT, expect=LISTED, services='["shop"]')
    assert (rule.expect, rule.listed, rule.expected) == ("listed", (("/a", "GET"), ("/b", "POST")), None)
    assert rule.looks == rule.windows


def test_a_new_series_is_judged_by_a_window_of_its_own() -> None:
    """The hour that ends where the delay begins."""
    rule = rule_of(by='["route"]', new_series_delay='"10m"')
    assert (rule.established, rule.looks[-1]) == (Look(3_600_000, 600_000), Look(3_600_000, 600_000))
    assert rule_of(by='["route"]').established is None


def rule_text(**keys: str) -> str:
    facts = {"name": '"r"', "on": '"request"', "when": '"errors > 3"'} | keys
    return "[[rule]]\n" + "\n".join(f"{key} = {value}" for key, value in facts.items())


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({**ALERT, "expect": '"always"'}, f"rule[1].expect: must be {WANTED}, not 'always'"),
        (
            {**ALERT, "expect": "3"},
            f"rule[1].expect: must be {WANTED}, not 3",
        ),
        ({**ALERT, "expect": "[]", "services": '["a"]'}, "rule[1].expect: must list 1 to 1000 label sets, not 0"),
        (
            {**ALERT, "expect": LISTED},
            "rule[1].expect: lists label sets, and every service would need them: name theirs in 'services'",
        ),
        (
            {**ALERT, "expect": '[{ route = "/a" }]', "services": '["a"]'},
            f"rule[1].expect: {{'route': '/a'}} {EACH}",
        ),
        (
            {**ALERT, "expect": '[{ route = "/a", method = "" }]', "services": '["a"]'},
            f"rule[1].expect: {{'route': '/a', 'method': ''}} {EACH}",
        ),
        (
            {
                "by": '["route"]',
                "no_data": '"alert"',
                "expect": '[{ route = "/a" }, { route = "/a" }]',
                "services": '["a"]',
            },
            "rule[1].expect: lists {'route': '/a'} twice",
        ),
        (
            {"by": '["route"]', "expect": '"seen"'},
            "rule[1].expect: means something with 'by' and no_data = \"alert\" only: add them, or leave it out",
        ),
        (
            {"by": '["route"]', "no_data": '"alert"'},
            f"rule[1].no_data: 'alert' with 'by' (route) needs {SEEN}",
        ),
        (
            {"expect_for": '"2h"'},
            'rule[1].expect_for: means something with expect = "seen" or new_series_delay only: leave it out',
        ),
        (
            {"new_series_delay": '"5m"'},
            "rule[1].new_series_delay: means something with 'by' only: the whole service is no new series",
        ),
        (
            {"by": '["route"]', "new_series_delay": '"1500ms"'},
            "rule[1].new_series_delay: must be whole seconds: windows are made of panes of one second",
        ),
    ],
)
def test_what_cannot_be_meant_is_named_with_the_mend(keys: dict[str, str], problem: str) -> None:
    assert [f"{one.key}: {one.message}" for one in problems_of(rule_text(**keys))] == [problem]


def test_what_is_right_has_no_problem() -> None:
    assert len(rules_of(rule_text(**ALERT, expect='"seen"', expect_for='"2h"', new_series_delay='"5m"'))) == 1
