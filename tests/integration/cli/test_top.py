"""`barograph top` as a person runs it: in a terminal, in a pipe, and through an outage of the console."""

import os
import pty
import signal
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from barograph_cli.rest.client import ConsoleClient
from barograph_cli.rest.source import Source
from barograph_cli.top.feed import Feed
from barograph_core.clock import SystemClock
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from tests.integration.console.test_console_process import stage, url_in
from tests.integration.console.test_live import Traffic, closed, running
from tests.support import wait_until

TOP = (sys.executable, "-m", "barograph_cli", "top")


@pytest.fixture
def traffic(real: Connection, keys: ShardKeys) -> Traffic:
    return Traffic(real, keys)


def test_in_a_pipe_the_screen_is_printed_once(
    traffic: Traffic, valkey_url: str, keys: ShardKeys, tmp_path: Path
) -> None:
    with running(valkey_url, keys, tmp_path) as base:
        closed(base, traffic)
        done = subprocess.run([*TOP, "--console", base], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "barograph top  ranker" in done.stdout
    assert "GET /r0" in done.stdout
    assert "\x1b" not in done.stdout


def test_without_a_console_it_says_so_and_fails() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    done = subprocess.run(
        [*TOP, "--once", "--console", f"http://127.0.0.1:{port}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert "No console answers" in done.stdout


def test_in_a_terminal_it_is_live_and_ends_with_q(
    traffic: Traffic, valkey_url: str, keys: ShardKeys, tmp_path: Path
) -> None:
    with running(valkey_url, keys, tmp_path) as base:
        closed(base, traffic)
        keyboard, terminal = pty.openpty()
        environ = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"}
        process = subprocess.Popen([*TOP, "--console", base], stdin=terminal, stdout=terminal, env=environ)
        os.close(terminal)
        os.set_blocking(keyboard, False)
        seen = bytearray()

        def has_seen(words: bytes) -> bool:
            traffic.flow()
            try:
                seen.extend(os.read(keyboard, 1 << 16))
            except BlockingIOError:
                return False
            return words in seen

        try:
            wait_until(lambda: has_seen("● live".encode()), what="the live screen")
            os.write(keyboard, b"?")
            wait_until(lambda: has_seen(b"the next service"), what="the help")
            os.write(keyboard, b"q")
            wait_until(lambda: has_seen(b"\x1b[?1049l"), what="the screen as it was before")
            assert process.wait(30) == 0
        finally:
            process.kill()
            process.wait()
            os.close(keyboard)


def test_it_comes_back_after_the_console_was_killed(
    traffic: Traffic, valkey_url: str, keys: ShardKeys, tmp_path: Path
) -> None:
    common = ("--url", valkey_url, "--prefix", keys.prefix)
    with (
        stage("barograph_aggregator", tmp_path / "aggregator.log", *common),
        stage("barograph_console", tmp_path / "first.log", "--port", "0", *common) as first,
    ):
        base = url_in(tmp_path / "first.log")
        closed(base, traffic)
        with Feed(ConsoleClient(Source(base), "top"), SystemClock(), "", "15m") as feed:

            def is_live() -> bool:
                traffic.flow()
                with feed.looking():
                    return feed.look().phase == "live"

            wait_until(is_live, what="the live connection")
            first.send_signal(signal.SIGKILL)
            wait_until(lambda: feed.look().phase == "reconnecting", what="the notice that the console is gone")
            assert feed.look().problem
            assert feed.look().state is not None
            port = base.rsplit(":", 1)[1]
            with stage("barograph_console", tmp_path / "second.log", "--port", port, *common):
                wait_until(is_live, what="the live connection to the new console")
                assert feed.look().problem == ""
