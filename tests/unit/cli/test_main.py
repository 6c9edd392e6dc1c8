"""The command line as a whole: names, help, exit codes, a base install."""

import subprocess
import sys
from types import ModuleType, SimpleNamespace
from typing import cast

import pytest

from barograph_cli.__main__ import COMMANDS, CommandEntry, main
from tests.support import free_port


def test_help_lists_every_command_and_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody is promised a command that is not there."""
    assert main(["--help"]) == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
    assert [name for name in listed if not name.startswith("-")] == [
        "demo",
        "up",
        "aggregator",
        "alerter",
        "notifier",
        "console",
        "replay",
        "export",
        "import",
        "alert",
        "silence",
        "mark",
        "alerts",
        "slo",
        "status",
        "top",
        "tail",
        "explore",
        "service",
        "drill",
        "notify",
        "dead",
        "token",
        "shards",
        "check",
        "rules",
        "install",
    ]


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("barograph ")


def test_no_command_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage: barograph" in capsys.readouterr().err


def test_an_unknown_command_is_wrong_usage_with_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["statsu"]) == 2
    assert "did you mean 'status'?" in capsys.readouterr().err


def test_an_unknown_flag_of_a_command_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--nonsense"]) == 2
    assert "--nonsense" in capsys.readouterr().err


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_a_base_install_says_what_to_install(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the packages of its extra every command names the extra and exits 2."""
    for package in ("numpy", "streamlit"):
        monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    assert main([command]) == 2
    extra = {"demo": "demo", "explore": "streamlit"}.get(command, "server")
    assert f"pip install 'barograph[{extra}]'" in capsys.readouterr().err


def test_importing_the_command_needs_no_server_package() -> None:
    """A base install has none of these, and yet `barograph --help` works there."""
    script = (
        "import sys; import barograph_cli.__main__ as m; m.main(['--help']);"
        "print([n for n in ('numpy','fastapi','rich','uvicorn','river','urllib3','streamlit') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_command_that_is_interrupted_has_failed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`barograph export … && next` must not go on after Ctrl-C."""

    def run(_argv: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "interrupted", cast("ModuleType", SimpleNamespace(run=run)))
    monkeypatch.setitem(COMMANDS, "export", CommandEntry("export", "", "interrupted"))
    assert main(["export"]) == 1
    assert capsys.readouterr().err == "barograph export: stopped\n"


@pytest.mark.parametrize("command", [("shards", "show"), ("service", "list")])
def test_options_before_the_command_reach_its_subcommand(
    command: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """They are not taken for wrong usage: what fails is the server."""
    assert main(["--url", f"redis://127.0.0.1:{free_port()}/0", "--json", *command]) == 1
    assert capsys.readouterr().err.startswith(f"barograph {command[0]}: ")


def test_a_server_that_does_not_answer_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1, one line, no traceback, no password."""
    assert main(["status", "--url", f"redis://:secret@127.0.0.1:{free_port()}/0"]) == 1
    error = capsys.readouterr().err
    assert "does not answer" in error
    assert "secret" not in error


def test_a_url_that_cannot_be_read_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--url", "ftp://x", "status"]) == 2
    assert "--url" in capsys.readouterr().err
