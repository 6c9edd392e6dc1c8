"""`barograph up` with a server of its own."""

import contextlib
import signal
import socket
import urllib.request
from pathlib import Path

import psutil
import pytest

from barograph_cli.__main__ import main
from barograph_core.errors import BarographError
from barograph_core.server.connection import Connection
from tests.integration.cli.processes import barograph, family_of, names_of_running, wait_for_line
from tests.support import answers, free_port, wait_until


def _up(state_dir: Path, port: int) -> tuple[str, ...]:
    return ("up", "--state-dir", str(state_dir), "--port", str(port))


def test_up_starts_everything_and_sigterm_leaves_nothing(tmp_path: Path) -> None:
    """One command, one ready line, all four stages at work; SIGTERM stops them and the server."""
    port, log = free_port(), tmp_path / "up.log"
    with barograph(log, *_up(tmp_path / "state", port)) as process:
        line = wait_for_line(log, "barograph is up")
        assert f"http://127.0.0.1:{port}" in line
        family = family_of(process.pid)
        assert len(family) == 7  # up, the server and the process that looks after it, four stages
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
        assert names_of_running(family) == []


def test_up_is_found_where_everything_looks_or_says_where_it_is(tmp_path: Path) -> None:
    """Producers, examples and the other commands find its server by themselves, or by the line that it prints."""
    log = tmp_path / "up.log"
    with barograph(log, *_up(tmp_path / "state", free_port())) as process:
        url = wait_for_line(log, "barograph is up").split("server ")[1].split()[0]
        is_told = f"export BAROGRAPH_URL={url}" in log.read_text().splitlines()
        assert is_told == (url != "redis://127.0.0.1:6379/0")
        assert answers(url)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0


def test_up_with_protection_prints_the_url_that_lets_in(tmp_path: Path) -> None:
    """Without protection it says that every user of the machine is let in."""
    log = tmp_path / "up.log"
    with barograph(log, *_up(tmp_path / "state", free_port()), "--protect") as process:
        url = wait_for_line(log, "export BAROGRAPH_URL=").removeprefix("export BAROGRAPH_URL=")
        assert url.startswith("redis://barograph:")
        assert answers(url)
        assert "every user of this machine" not in log.read_text()
        stranger = Connection.open(f"redis://{url.partition('@')[2]}")
        with pytest.raises(BarographError):
            stranger.command("GET", "baro:meta")
        stranger.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0


def test_up_beside_another_server_says_where_its_own_is(tmp_path: Path) -> None:
    log = tmp_path / "up.log"
    with socket.socket() as other:
        # Where it fails, somebody else listens there.
        with contextlib.suppress(OSError):
            other.bind(("127.0.0.1", 6379))
            other.listen()
        with barograph(log, *_up(tmp_path / "state", free_port())) as process:
            line = wait_for_line(log, "export BAROGRAPH_URL=")
            assert answers(line.removeprefix("export BAROGRAPH_URL="))
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=60) == 0


def test_a_killed_up_leaves_nothing(tmp_path: Path) -> None:
    """SIGKILL cannot be handled: the children notice by themselves, and the server ends in good order."""
    log = tmp_path / "up.log"
    with barograph(log, *_up(tmp_path / "state", free_port())) as process:
        wait_for_line(log, "barograph is up")
        family = family_of(process.pid)
        process.kill()
        process.wait(timeout=60)
        _, left = psutil.wait_procs(family, timeout=60)
        assert names_of_running(left) == []
    assert "ready to exit, bye bye" in (tmp_path / "state" / "server" / "valkey.log").read_text()


def test_a_stage_that_dies_is_started_again_and_a_second_up_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A killed alerter comes back; two `up` on one state directory do not share its data."""
    log = tmp_path / "up.log"
    with barograph(log, *_up(tmp_path / "state", free_port())) as process:
        wait_for_line(log, "barograph is up")
        alerter = next(child for child in family_of(process.pid) if "barograph_alerter" in child.cmdline())
        alerter.kill()
        wait_for_line(log, "alerter was started again")
        assert main([*_up(tmp_path / "state", free_port())]) == 1
        assert f"in use by process {process.pid}" in capsys.readouterr().err
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0


def test_a_configuration_with_mistakes_starts_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "barograph.toml"
    config.write_text('[aggregator]\ngrace_ms = "soon"\n[notifier]\npoll_ms = 0\n')
    assert main(["--config", str(config), *_up(tmp_path / "state", free_port())]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 2
    assert not (tmp_path / "state").exists()


def test_the_server_is_brought_back_when_it_dies(tmp_path: Path) -> None:
    """The stages reconnect to the same port; nothing but the last second of the log can be missing."""
    port, log = free_port(), tmp_path / "up.log"
    with barograph(log, *_up(tmp_path / "state", port)) as process:
        wait_for_line(log, "barograph is up")
        server = next(child for child in family_of(process.pid) if "valkey-server" in child.name())
        server.kill()
        wait_for_line(log, "the embedded server ended")

        def is_ready() -> bool:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
                    return bool(answer.status == 200)
            except OSError:
                return False

        wait_until(is_ready, what="the console being ready again")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
