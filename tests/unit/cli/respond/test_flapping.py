"""What the commands say of an alert that flaps."""

from dataclasses import replace
from io import StringIO

from rich.console import Console

from barograph_cli.respond.alert_view import alert_table, case_lines, state_text
from barograph_cli.respond.case import Case
from barograph_cli.rules.explanation import explain_alert
from barograph_core.alerts.published_rules import PublishedRule
from barograph_core.alerts.record import AlertState, Severity
from barograph_core.alerts.transition import transition_of
from tests.unit.core.alerts.samples import RECORD

FLAPS = replace(RECORD, state=AlertState.FIRING, is_flapping=True, is_announced=True, incident_ms=1_000)
RULE = PublishedRule(
    name=FLAPS.rule, on="request", severity=Severity.ERROR, window_ms=1_000, when="errors > 3", flapping_calm=1
)


def printed(what: object) -> str:
    out = StringIO()
    Console(file=out, width=400, color_system=None).print(what)
    return out.getvalue()


def case() -> Case:
    entry = transition_of(
        FLAPS, before=AlertState.INACTIVE, at_ms=5_000, notify=True, reason="flapping", flag="flapping"
    )
    return Case(FLAPS, (), (entry,), (), None)


def test_a_list_says_that_an_alert_flaps() -> None:
    assert "firing, flapping" in printed(alert_table([(FLAPS, ())], 10_000))
    assert "flapping" not in printed(alert_table([(replace(FLAPS, is_flapping=False), ())], 10_000))


def test_one_alert_says_what_that_means_and_when_it_began() -> None:
    assert state_text(FLAPS, 10_000).endswith("; it flaps, and channels get updates only")
    text = "\n".join(line.plain for line in case_lines(case(), 10_000))
    assert "flapping" in text.partition("what happened")[2]


def test_explain_says_when_people_hear_of_it_next() -> None:
    assert explain_alert(case(), RULE, 10_000).next == (
        "an update at the first firing after a channel's cooldown, and one message when it is calm: "
        "no more than 1 in 15m"
    )
    never = replace(RULE, flapping_calm=0)
    assert explain_alert(case(), never, 10_000).next.endswith("when it is calm: no firing in 15m")
