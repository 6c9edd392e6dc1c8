"""``max_alerts``: which alerts there are after each second, and how many were refused."""

from typing import Final

import pytest

from barograph_core.alerts.record import AlertState
from tests.unit.alerter.build import rule_of
from tests.unit.alerter.judge.test_overflow import Judged

# Limit, the routes that fail in each second, the alerts that fire at the end, refused at the end.
ROWS: Final = [
    (3, ["a"], "a", 0),
    (3, ["abc"], "abc", 0),
    (3, ["abcd"], "abc", 1),
    (3, ["abcde"], "abc", 2),
    (3, ["a", "ab", "abc", "abcd"], "abc", 1),
    # Those that there are stay, whatever comes before them by name.
    (3, ["cde", "abcde"], "cde", 2),
    (3, ["e", "abcde"], "abe", 2),
    (1, ["b", "ab"], "b", 1),
    # Places that become free are taken, by the next second.
    (3, ["abcd", "bcd"], "bc", 1),
    (3, ["abcd", "bcd", "bcd"], "bcd", 0),
    (3, ["abcd", "d", "d"], "d", 0),
    (3, ["abcd", "bcde", "bcde"], "bcd", 1),
    (2, ["abc", "c", "c"], "c", 0),
    (2, ["ab", "cd"], "", 2),
    (2, ["ab", "cd", "cd"], "cd", 0),
    (2, ["ab", "", "cde"], "cd", 1),
    (3, ["abcd", ""], "", 0),
]


@pytest.mark.parametrize(("most", "seconds", "firing", "refused"), ROWS)
def test_beyond_the_limit_no_alert_begins(most: int, seconds: list[str], firing: str, refused: int) -> None:
    """In Prometheus a rule that passes its limit loses all its alerts."""
    judged, rule = Judged(), rule_of("errors > 3", by='["route"]', max_alerts=str(most))
    for failing in seconds:
        judged.see(failing, rule)
    records = [one for one in judged.state.records.values() if one.state is AlertState.FIRING]
    assert "".join(sorted(one.labels["route"] for one in records if one.rule == "r")) == firing
    overflow = [one for one in records if one.rule == "rule_overflow"]
    assert [one.value for one in overflow] == ([float(refused)] if refused else [])
