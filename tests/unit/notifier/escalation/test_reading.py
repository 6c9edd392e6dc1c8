"""``[[escalation]]``: every mistake is named with its line and its mend."""

from pathlib import Path

import pytest

from barograph_core.alerts.record import Severity
from barograph_core.errors import Problem
from barograph_core.settings.config_file import parse_config
from barograph_notifier.escalation.escalation import Escalation, Step, steps_of
from barograph_notifier.escalation.reading import parse_escalations
from tests.unit.notifier.samples import transition

_CHANNELS = '[[channel]]\nname = "phones"\ntype = "console"\n[[channel]]\nname = "boss"\ntype = "console"\n'


def read(text: str) -> tuple[tuple[Escalation, ...], list[str]]:
    problems: list[Problem] = []
    escalations = parse_escalations(parse_config(text + _CHANNELS, Path("barograph.toml")), problems)
    return escalations, [str(problem) for problem in problems]


def test_the_first_that_means_the_alert_holds() -> None:
    escalations, problems = read(
        """
[[escalation]]
match = { severity = "critical", service = ["ranker", "shop-*"] }
steps = [{ after = "5m", channels = ["phones"] }, { after = "1h", channels = ["phones", "boss"] }]

[[escalation]]
match = { rule = "~high-.*", route = "/predict" }
steps = [{ after = "10m", channels = ["boss"] }]
"""
    )
    assert problems == []
    found = [
        steps_of(escalations, transition(severity=Severity.CRITICAL)),
        steps_of(escalations, transition()),
        steps_of(escalations, transition(rule="slow")),
    ]
    assert found == [
        (Step(300_000, ("phones",)), Step(3_600_000, ("phones", "boss"))),
        (Step(600_000, ("boss",)),),
        (),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('match = { severity = "error" }', "escalation[1].steps: says who hears when: steps = [{ after ="),
        ('steps = "10m"', "escalation[1].steps: must be a list of tables"),
        ('steps = [{ channels = ["boss"] }]', "escalation[1].steps[1].after: says how long after the first message"),
        ('steps = [{ after = "10", channels = ["boss"] }]', "escalation[1].steps[1].after: '10' is not a duration"),
        ('steps = [{ after = "10m" }]', "escalation[1].steps[1].channels: is missing"),
        (
            'steps = [{ after = "10m", channels = ["bos"] }]',
            "escalation[1].steps[1].channels: 'bos' is not a channel; did you mean 'boss'?",
        ),
        ('steps = [{ after = "10m", channels = ["boss"], to = 1 }]', "escalation[1].steps[1].to: is not a key"),
        (
            'match = { severity = "~(" }\nsteps = [{ after = "10m", channels = ["boss"] }]',
            "escalation[1].match: severity",
        ),
    ],
)
def test_a_mistake_is_named(text: str, words: str) -> None:
    escalations, problems = read(f"[[escalation]]\n{text}\n")
    assert escalations == ()
    assert len(problems) == 1
    assert words in problems[0]
