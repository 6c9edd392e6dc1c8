"""The configuration check."""

from pathlib import Path

import pytest

from barograph_cli.__main__ import main

THREE_MISTAKES = """\
[aggregator]
grace_ms = "soon"

[[rule]]
name = "errors"
on = "request"
when = "eror_rate > 0.05"

[[channel]]
name = "hook"
type = "webhok"
"""


def test_three_mistakes_are_named_at_once_with_line_and_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "barograph.toml"
    file.write_text(THREE_MISTAKES)
    assert main(["check", "--config", str(file)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith(f"{file}:2: aggregator.grace_ms:")
    assert lines[1].startswith(f"{file}:7: rule[1].when:")
    assert lines[2].startswith(f"{file}:11: channel[1].type:")
    assert lines[3:] == ["3 mistakes"]


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        ("1s", "'1s' is not of the form step:retention, such as '1s:15m'"),
        (
            "1s:30s,10s:2h",
            "panes of 1s are kept 30s, less than four of the next step: windows need them until their roll-up is made",
        ),
        ("1s:5m,10s:9m", "the coarsest step, of 10000 ms, is kept 540000 ms, less than the allowed lateness of 600000"),
    ],
)
def test_a_retention_that_cannot_be_is_named_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], keep: str, message: str
) -> None:
    """Three stages read it; the second is wrong only together with the aggregator's allowed lateness."""
    file = tmp_path / "barograph.toml"
    file.write_text(f'[server]\nkeep = "{keep}"\n')
    assert main(["check", "--config", str(file)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith(f"{file}:2: server.keep: {message}")
    assert lines[1:] == ["1 mistake"]


def test_a_configuration_without_mistakes_is_fine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "barograph.toml"
    file.write_text('[[rule]]\nname = "errors"\non = "request"\nwhen = "error_rate > 0.05"\n')
    assert main(["check", "--config", str(file)]) == 0
    assert capsys.readouterr().out == f"{file}: no mistakes\n"


def test_a_file_that_is_not_toml_is_named_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "barograph.toml"
    file.write_text("[server]\nurl = redis\n")
    assert main(["check", str(file)]) == 2
    assert f"{file}:2" in capsys.readouterr().err


def test_a_file_that_is_not_there_is_a_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path / "nothing.toml")]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_more_series_than_a_stored_pane_holds_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A service that reached such a cap would never close again."""
    file = tmp_path / "barograph.toml"
    file.write_text("[aggregator]\nseries_cap = 100_000\n")
    assert main(["check", "--config", str(file)]) == 2
    line, *_ = capsys.readouterr().err.splitlines()
    assert line == f"{file}:2: aggregator.series_cap: must be between 1 and 40000, not 100000"


LINTED = """
[[rule]]
name = "a"
on = "request"
when = "count < 0"

[[rule]]
name = "b"
on = "request"
when = "error_rate >= 0"
severity = "critical"

[[rule]]
name = "c"
on = "request"
when = "10 < count and count < 5"
severity = "critical"

[[channel]]
name = "hook"
type = "console"

[[route]]
min_severity = "error"
channels = ["hook"]

[[route]]
rules = ["zz*"]
min_severity = "critical"
channels = ["hook"]
"""


def test_what_cannot_be_meant_is_named_with_the_mend(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Conditions that never or always hold, contradictions, and rules and routes that miss each other."""
    file = tmp_path / "barograph.toml"
    file.write_text(LINTED)
    assert main(["check", "--config", str(file)]) == 2
    lines = capsys.readouterr().err.splitlines()
    expected = [
        (3, "rule[1].name", "no route takes 'a' (warning): its alerts reach no channel; add a [[route]]"),
        (5, "rule[1].when", "'count < 0' can never hold"),
        (10, "rule[2].when", "'error_rate >= 0' always holds"),
        (16, "rule[3].when", "'count > 10' and 'count < 5' contradict each other"),
        (28, "route[2].rules", "there is no rule 'zz*'"),
        (30, "route[2].channels", "route[1] takes all of this first"),
    ]
    assert len(lines) == len(expected) + 1
    for line, (number, key, message) in zip(lines, expected, strict=False):
        assert line.startswith(f"{file}:{number}: {key}: {message}")


@pytest.mark.parametrize(
    "when",
    [
        *("count >= 1", "error_rate > 0.05 and count >= 20", "5 < count < 9", "count > 5 or count < 3", "count == 0"),
        *("duration_ms.p95 > 0", "errors - count < 0", "not count < 5", "count >= 5 and count <= 5"),
    ],
)
def test_a_condition_that_can_be_meant_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], when: str
) -> None:
    """No false alarm."""
    file = tmp_path / "barograph.toml"
    file.write_text(f'[[rule]]\nname = "r"\non = "request"\nwhen = "{when}"\n')
    assert main(["check", "--config", str(file)]) == 0, capsys.readouterr().err


def test_a_single_channel_is_no_mistake_and_worth_a_hint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """That it fails could be told by another only."""
    file = tmp_path / "barograph.toml"
    channel = '[[channel]]\nname = "{}"\ntype = "console"\n'
    file.write_text(channel.format("a"))
    assert main(["check", "--config", str(file)]) == 0
    first, hint = capsys.readouterr().out.splitlines()
    assert first == f"{file}: no mistakes"
    assert hint.startswith(f"hint: {file}:1: 'a' is the only channel: when it fails")
    file.write_text(channel.format("a") + channel.format("b"))
    assert main(["check", "--config", str(file)]) == 0
    assert capsys.readouterr().out == f"{file}: no mistakes\n"


def test_buttons_that_no_console_answers_are_worth_a_hint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever presses them would see nothing happen. The console may be set up elsewhere, so it is no mistake."""
    file, url = tmp_path / "barograph.toml", tmp_path / "url"
    url.write_text("https://hooks.slack.com/services/T0/B0/x")
    monkeypatch.delenv("BAROGRAPH_CONSOLE_SLACK_SIGNING_SECRET", raising=False)
    channels = f'[[channel]]\nname = "chat"\ntype = "slack"\nurl = "file:{url}"\nbuttons = true\n'
    channels += '[[channel]]\nname = "out"\ntype = "console"\n'

    def hints(text: str) -> list[str]:
        file.write_text(text)
        code = main(["check", "--config", str(file)])
        out, err = capsys.readouterr()
        assert (code, err) == (0, "")
        return out.splitlines()[1:]

    (hint,) = hints(channels)
    assert hint.startswith(f"hint: {file}:5: the buttons of 'chat' do something only where a console knows")
    assert hints(channels.replace("true", "false")) == []
    assert hints(f'{channels}[console]\nslack_signing_secret = "file:{url}"\n') == []
    monkeypatch.setenv("BAROGRAPH_CONSOLE_SLACK_SIGNING_SECRET", "s3cret")
    assert hints(channels) == []
