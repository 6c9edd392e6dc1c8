"""``barograph rules backtest`` on the events of a file."""

import json
from pathlib import Path
from typing import Any

import pytest

from barograph_cli.__main__ import main
from barograph_cli.failure import CommandError
from barograph_cli.rules.backtest import read_values

BEGIN = 1_767_225_600_000  # 2026-01-01
RULES = """
[alerter]
default_rules = false
[[rule]]
name = "high"
on = "custom"
window = "1m"
when = "value.avg > 10"
resolve_when = "value.avg < 8"
cooldown = "10m"
[[rule]]
name = "jump"
on = "custom"
window = "1m"
when = 'change("10m").value.avg > 5'
"""


@pytest.fixture
def past(tmp_path: Path) -> Path:
    """A day of one value a minute, with two hours of trouble at 6:00 and a spike at 12:00."""
    lines: list[str] = []
    for minute in range(1_440):
        value = 20 if 360 <= minute < 480 or minute == 720 else 5
        row = {"time_ms": BEGIN + minute * 60_000, "service": "shop", "kind": "custom", "labels": {"name": "q"}}
        lines.append(json.dumps({**row, "value": value}))
    (tmp_path / "events.jsonl").write_text("\n".join(lines))
    (tmp_path / "rules.toml").write_text(RULES)
    return tmp_path


def backtest(past: Path, capsys: pytest.CaptureFixture[str], *more: str) -> Any:
    words = ["rules", "backtest", "--input", str(past / "events.jsonl"), "--rules", str(past / "rules.toml")]
    assert main([*words, *more, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_episodes_and_notifications_are_counted_by_event_time(past: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The cooldown too: nothing waits."""
    high, jump = backtest(past, capsys)
    assert (high["rule"], high["tally"]["episodes"], high["tally"]["sent"]) == ("high", 2, 4)
    first, second = high["episodes"]
    assert (first["fired_ms"], first["resolved_ms"]) == (BEGIN + 360 * 60_000 + 1_000, BEGIN + 480 * 60_000 + 1_000)
    assert second["fired_ms"] == BEGIN + 720 * 60_000 + 1_000
    assert (jump["tally"]["episodes"], jump["not_judged"], jump["failed"]) == (2, [], 0)


def test_a_threshold_is_swept(past: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """That of the recovery moves with it."""
    found = backtest(past, capsys, "--rule", "high", "--set", "threshold=4:24:10")
    assert [(one["threshold"], one["tally"]["episodes"]) for one in found] == [(4.0, 1), (14.0, 2), (24.0, 0)]


def test_labelled_windows_are_hit_or_missed(past: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the delay of each hit, and what fired outside."""
    windows = [["2026-01-01 05:30", "2026-01-01 08:00"], ["2026-01-01T20:00:00Z", "2026-01-01T21:00:00Z"]]
    (past / "windows.json").write_text(json.dumps({"a/b.csv": windows, "shop": windows[:1]}))
    (high,) = backtest(past, capsys, "--rule", "high", "--against", f"{past / 'windows.json'}#a/b.csv")
    assert high["score"] == {"hits": 1, "misses": 1, "delays_ms": [30 * 60_000 + 1_000], "outside": 1}


def test_a_range_is_judged_with_what_came_before(past: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Earlier events count as parts of windows, and later ones are not seen."""
    (jump,) = backtest(past, capsys, "--rule", "jump", "--from", "2026-01-01T06:05:00Z", "--to", "2026-01-01T06:08:00Z")
    (episode,) = jump["episodes"]
    assert (episode["fired_ms"], episode["resolved_ms"]) == (BEGIN + 365 * 60_000 + 1_000, None)


def test_the_result_is_shown_to_people(past: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["rules", "backtest", "--input", str(past / "events.jsonl"), "--rules", str(past / "rules.toml")]
    assert main([*words, "--rule", "high"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "shop: 2026-01-01 00:00:00 to 2026-01-01 23:59:01 (23 h 59 min)"
    assert shown[1].split() == ["rule", "episodes", "sent", "sent/day", "flaps", "firing"]
    assert shown[2].split() == ["high", "2", "4", "4.0", "0", "2", "h", "1", "min"]
    assert shown[3] == "  2026-01-01 06:00:01 for 2 h 0 min: shop (warning, 20)"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--rule", "hihg"], "--rule: there is no rule 'hihg'; did you mean 'high'?"),
        (["--set", "threshold=1"], "--set: say with --rule which rule's threshold is tried"),
        (["--rule", "jump", "--set", "threshold=1"], ""),
        (["--against", "alerts"], "--against alerts: a file holds no alerts"),
        (["--against", "none.json"], "--against: cannot read none.json"),
        (["--service", "other"], "there is nothing to try the rules on"),
    ],
)
def test_what_cannot_be_done_is_said(
    past: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    base = ["rules", "backtest", "--input", str(past / "events.jsonl"), "--rules", str(past / "rules.toml")]
    assert (main([*base, *words]) == 0) is not bool(message)
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1]", "1 is no window: the file must be a list of [from, to]"),
        ("[[1, 2, 3]]", "[1, 2, 3] is no window"),
        ('[["x", "y"]]', "['x', 'y'] is no window"),
        ("[[2, 1]]", "[2, 1] ends before it begins"),
        ('{"a/b.csv": []}', "'a/b.csv' is no service: write"),
        ("{", "is not JSON"),
        ('"x"', "is not a list of [from, to]"),
    ],
)
def test_a_file_of_windows_is_checked(
    past: Path, capsys: pytest.CaptureFixture[str], content: str, message: str
) -> None:
    (past / "windows.json").write_text(content)
    base = ["rules", "backtest", "--input", str(past / "events.jsonl"), "--rules", str(past / "rules.toml")]
    assert main([*base, "--against", str(past / "windows.json")]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("threshold=5", (5.0,)),
        ("threshold=0.03,0.05", (0.03, 0.05)),
        ("threshold=0.1:0.3:0.1", (0.1, 0.2, 0.3)),
        ("threshold=5:5:1", (5.0,)),
    ],
)
def test_thresholds_are_listed_or_a_range(text: str, expected: tuple[float, ...]) -> None:
    assert read_values(text) == expected


@pytest.mark.parametrize(
    "values", ["window=5", "threshold", *(f"threshold={one}" for one in ("", "a", "1:2", "1:0:1", "0:1:0", "0:1e9:1"))]
)
def test_other_forms_are_refused(values: str) -> None:
    with pytest.raises(CommandError, match="threshold=100:1000:100"):
        read_values(values)


def test_a_row_that_is_no_event_is_named(past: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A trial on half a past would be another trial."""
    with (past / "events.jsonl").open("a") as file:
        file.write('\n{"time_ms": 1, "kind": "cutsom"}')
    assert main(["rules", "backtest", "--input", str(past / "events.jsonl"), "--rules", str(past / "rules.toml")]) == 2
    assert "row 1441: kind is" in capsys.readouterr().err


def test_an_objective_is_tried_on_the_past_as_a_rule_is(past: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two hours of bad values are one episode: of the day so far more than 5 % are bad after 19 minutes."""
    (past / "rules.toml").write_text(
        "[alerter]\ndefault_rules = false\n"
        '[[slo]]\nname = "depth"\nservice = "shop"\ngood = "value < 10"\nobjective = "95 %"\nmin_events = 2\n'
    )
    (depth,) = backtest(past, capsys)
    (episode,) = depth["episodes"]
    assert (depth["rule"], depth["not_judged"], depth["failed"]) == ("depth", [], 0)
    # The 19th bad value of 379, at the next moment at which an objective is judged.
    assert episode["fired_ms"] == BEGIN + 378 * 60_000 + 10_000
