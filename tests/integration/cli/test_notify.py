"""barograph notify test: a sample through real channels, and what came back."""

import json
from pathlib import Path

import pytest

from barograph_cli.__main__ import main
from tests.integration.notifier.receiver import running_receiver


def configure(folder: Path, text: str) -> str:
    path = folder / "barograph.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_sample_begins_and_ends_on_every_channel(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Marked as a test, and the end belongs to the beginning, so that no incident stays open."""
    with running_receiver() as receiver:
        config = configure(
            tmp_path,
            f'[[channel]]\nname = "hook"\ntype = "webhook"\nurl = "{receiver.url}"\nallow_private = true\n'
            '[[channel]]\nname = "screen"\ntype = "console"\nsend_resolved = false\n',
        )
        assert main(["--config", config, "notify", "test", "--json"]) == 0
    *_, printed = capsys.readouterr().out.splitlines()
    assert [(one["channel"], one["status"], one["result"], one["answer"]) for one in json.loads(printed)] == [
        ("hook", "firing", "sent", "http 200"),
        ("hook", "resolved", "sent", "http 200"),
        ("screen", "firing", "sent", ""),
    ]
    begin, end = (json.loads(got.body) for got in receiver.received)
    assert (begin["status"], end["status"], begin["reason"]) == ("firing", "resolved", "test")
    assert begin["alert"]["started_at_ms"] == end["alert"]["started_at_ms"]
    assert "test" in begin["alert"]["summary"]


@pytest.mark.parametrize(("status", "words"), [(403, "refused"), (503, "failed"), (500, "http 500; may have arrived")])
def test_a_channel_that_does_not_take_it_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], status: int, words: str
) -> None:
    """The exit code is 1, and its end is not sent."""
    with running_receiver() as receiver:
        receiver.answers = [(status, {}, b"")]
        config = configure(
            tmp_path, f'[[channel]]\nname = "hook"\ntype = "webhook"\nurl = "{receiver.url}"\nallow_private = true\n'
        )
        assert main(["notify", "test", "hook", "--config", config]) == 1
    out = capsys.readouterr().out
    assert words in out
    assert out.count("\n") == 1


def test_the_check_of_addresses_holds_here_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Otherwise a test would reach what a delivery may not."""
    with running_receiver() as receiver:
        config = configure(tmp_path, f'[[channel]]\nname = "hook"\ntype = "webhook"\nurl = "{receiver.url}"\n')
        assert main(["notify", "test", "hook", "--config", config]) == 1
        assert receiver.received == []
    assert "not a public address" in capsys.readouterr().out


def test_an_unknown_channel_and_wrong_settings_are_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = configure(tmp_path, '[[channel]]\nname = "screen"\ntype = "console"\n')
    assert main(["notify", "test", "scren", "--config", config]) == 2
    assert "'scren' is not a channel; did you mean 'screen'?" in capsys.readouterr().err
    config = configure(tmp_path, '[[channel]]\nname = "screen"\ntype = "consol"\n')
    assert main(["notify", "test", "--config", config]) == 2
    assert "did you mean 'console'?" in capsys.readouterr().err
