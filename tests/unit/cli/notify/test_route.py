"""`barograph notify route`: what each route says of an alert, and where it goes."""

import json
from pathlib import Path

import pytest

from barograph_cli.__main__ import main

_CONFIG = """
[[channel]]
name = "chat"
type = "console"
[[channel]]
name = "pager"
type = "console"
[[rule]]
name = "slow"
on = "request"
when = "duration_ms.p95 > 500"
severity = "error"
labels = { team = "ml" }
[[times]]
name = "night"
from = "22:00"
to = "06:00"
zone = "Europe/Berlin"
[[route]]
name = "ml"
labels = { team = "ml" }
channels = ["chat"]
mute = ["night"]
[[route]]
under = "ml"
min_severity = "critical"
channels = ["pager"]
continue = true
[[route]]
services = "shop-*"
active = ["night"]
channels = ["chat"]
"""


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "barograph.toml"
    path.write_text(_CONFIG)
    return str(path)


def ask(config: str, *argv: str) -> int:
    return main(["notify", "route", "--config", config, *argv])


def test_every_route_says_why_it_takes_the_alert_or_not(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Severity and labels are those of the rule; the clock goes from 02:00 to 03:00 in that night."""
    assert ask(config, "--rule", "slow", "--service", "ranker", "--at", "2026-03-29T00:30Z") == 0
    assert [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()] == [
        'error slow on ranker, team = "ml", at Sun 2026-03-29 01:30:00 CET',
        "route channels why",
        "2 line 24 does not match pager severity error is below critical",
        "1 ml line 19 takes chat muted in night",
        "3 line 29 not tried chat route 1 takes it",
        "→ chat from Sun 2026-03-29 06:00:00 CEST on, if it still fires",
    ]


def test_what_is_given_holds_in_place_of_the_rule(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["--rule", "slow", "--severity", "critical", "--label", "team=ops", "-l", "region=eu", "--json"]
    assert ask(config, *argv, "--service", "shop-1", "--at", "2026-03-04T12:00:00Z") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["alert"] == {
        "rule": "slow",
        "service": "shop-1",
        "severity": "critical",
        "labels": {"team": "ops", "region": "eu"},
    }
    assert [(one["route"], one["verdict"], one["reason"]) for one in answer["routes"]] == [
        (2, "does not match", 'is under \'ml\': label team = "ops" is not "ml"'),
        (1, "does not match", 'label team = "ops" is not "ml"'),
        (3, "not now", "is active only in night"),
    ]
    assert answer["channels"] == [{"channel": "chat", "from": "2026-03-04T21:00:00Z"}]


def test_an_alert_that_reaches_no_channel_fails(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    """So that a script can ask."""
    assert ask(config, "--rule", "slow", "--label", "team=ops") == 1
    assert "It reaches no channel: add a [[route]] with otherwise = true." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--rule", "slwo"], "--rule: there is no rule 'slwo'; did you mean 'slow'?"),
        (["--rule", "slow", "--label", "team"], "--label: 'team' is not NAME=VALUE"),
        (["--rule", "slow", "--at", "2026-13-01"], "--at: '2026-13-01' is no moment"),
    ],
)
def test_wrong_usage_is_named(config: str, capsys: pytest.CaptureFixture[str], argv: list[str], words: str) -> None:
    assert ask(config, *argv) == 2
    assert words in capsys.readouterr().err


def test_text_from_outside_cannot_move_the_cursor(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(config, "--rule", "slow", "--label", "team=\x1b[2J[red]", "--service", "shop-1") == 0
    out = capsys.readouterr().out
    assert "\x1b[2J" not in out
    assert "[red]" in out
