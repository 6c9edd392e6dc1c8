"""`barograph explore`: the command line of the page's process, and what must not be on it."""

import socket
from pathlib import Path

import pytest

from barograph_cli.__main__ import main
from barograph_cli.explore.command import make_parser, streamlit_command
from barograph_cli.rest.source import source_environment


def test_the_page_listens_on_loopback_and_sends_nothing_home() -> None:
    command = streamlit_command(8501, is_opened=False)
    assert {
        "--server.address=127.0.0.1",
        "--server.port=8501",
        "--server.headless=true",
        "--server.fileWatcherType=none",
        "--browser.gatherUsageStats=false",
    } <= set(command)


def test_flags_reach_the_page_through_its_environment() -> None:
    """Others on the machine can read arguments."""
    arguments = make_parser().parse_args(["--console", "http://wall:1", "--token-file", "t"])
    found = source_environment(arguments, {"BAROGRAPH_CONSOLE_TOKEN": "old", "HOME": "/h"})
    assert found == {"HOME": "/h", "BAROGRAPH_CONSOLE_URL": "http://wall:1", "BAROGRAPH_CONSOLE_TOKEN_FILE": "t"}


def test_mistakes_are_named_before_anything_starts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explore", "--console", "wall", "--token-file", str(tmp_path / "none")]) == 2
    error = capsys.readouterr().err
    assert "--console, BAROGRAPH_CONSOLE_URL: url: is not a URL" in error
    assert "--token-file, BAROGRAPH_CONSOLE_TOKEN_FILE: token: the file" in error


def test_a_port_that_is_taken_is_said_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["explore", "--port", str(port)]) == 1
    assert capsys.readouterr().err == (
        f"barograph explore: port {port} of 127.0.0.1 is taken; --port 0 takes a free one\n"
    )
