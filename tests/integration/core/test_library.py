"""Loading the function library on the real servers: once, upwards, never down."""

import shutil
from importlib import resources
from pathlib import Path

import pytest

from barograph_core.errors import StreamUnavailableError
from barograph_core.functions import library
from barograph_core.server.connection import Connection
from barograph_core.server.link import Value
from tests.support import has_redis_server, redis_server, valkey_server


def test_the_library_is_loaded_once_and_never_over_a_newer_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fleet can be upgraded a worker at a time."""
    with valkey_server() as url:
        connection = Connection.open(url)
        first, second = library.ensure_library(connection), library.ensure_library(connection)
        monkeypatch.setattr(library, "LIBRARY_VERSION", library.LIBRARY_VERSION + 1)
        upgraded = library.ensure_library(connection)
        monkeypatch.undo()
        assert (first, second, upgraded, library.ensure_library(connection)) == (
            "loaded",
            "current",
            "replaced",
            "newer",
        )


def test_of_two_builds_of_a_version_the_one_that_began_last_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a server that outlived a checkout, or the first half of an upgrade, keeps the old functions for good."""
    ours = library.source()
    with valkey_server() as url:
        connection = Connection.open(url)
        connection.command("FUNCTION", "LOAD", ours.replace(library.build(), "another build"))
        assert library.ensure_library(connection, is_running=True) == "current"
        assert connection.call("baro_build_1", []) == b"another build"
        assert (library.ensure_library(connection), library.ensure_library(connection)) == ("replaced", "current")
        assert connection.call("baro_build_1", []) == library.build().encode()
        connection.command("FUNCTION", "FLUSH")
        assert library.ensure_library(connection, is_running=True) == "loaded"
        monkeypatch.setattr(library, "LIBRARY_VERSION", library.LIBRARY_VERSION - 1)
        assert library.ensure_library(connection) == "newer"


def test_a_library_from_before_builds_were_told_is_replaced() -> None:
    """It has our version and no name for itself."""
    with valkey_server() as url:
        connection = Connection.open(url)
        connection.command("FUNCTION", "LOAD", library.source().replace("baro_build_1", "baro_something_1"))
        assert library.ensure_library(connection) == "replaced"


def test_a_change_of_any_function_is_another_build(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The version is raised by people, who forget it."""
    shutil.copytree(Path(library.__file__).parent, tmp_path / "functions")

    def changed_files(_package: str) -> Path:
        return tmp_path

    monkeypatch.setattr(resources, "files", changed_files)
    before = library.build()
    with (tmp_path / "functions" / "close.lua").open("a") as file:
        file.write("-- changed")
    assert library.build() != before


def test_a_missing_library_is_named_as_the_reason() -> None:
    """A producer, which never loads it, can say why it waits."""
    with valkey_server() as url, pytest.raises(StreamUnavailableError) as caught:
        Connection.open(url).call("baro_append_1", [], [])
    assert caught.value.reason == "no_library"


def test_functions_survive_a_flush_of_data_and_scripts() -> None:
    """FLUSHALL and SCRIPT FLUSH leave the library where it is."""
    with valkey_server() as url:
        connection = Connection.open(url)
        library.ensure_library(connection)
        connection.command("FLUSHALL")
        connection.command("SCRIPT", "FLUSH")
        assert library.loaded_version(connection) == library.LIBRARY_VERSION


def test_a_full_server_refuses_events_but_takes_commits() -> None:
    """Commit and close free memory: refusing them too would deadlock the pipeline."""
    if not has_redis_server():
        pytest.skip("redis-server is not installed")
    with redis_server("--maxmemory-policy", "noeviction") as url:
        connection = Connection.open(url)
        library.ensure_library(connection)
        connection.command("XADD", "{0}e", "1-0", "v", "1")
        connection.command("XGROUP", "CREATE", "{0}e", "g", "0")
        connection.command("XREADGROUP", "GROUP", "g", "c", "STREAMS", "{0}e", ">")
        connection.command("CONFIG", "SET", "maxmemory", "1mb")
        append_keys = ["{0}e", "{0}seq", "{0}p", "{0}epoch", "{0}l"]
        with pytest.raises(StreamUnavailableError) as caught:
            connection.call("baro_append_1", append_keys, [0, "i", 1, 0, "s", 1, "batch", "", 1, "v", "1"])
        commit_keys = ["{0}e", "{0}open", "{0}progress", "{0}m", "{0}parts"]
        commit_args: list[Value] = ["g", "c", 1_000, 1, 0, 1_000, 1, "1-0", "s", 1_000, b"part"]
        assert caught.value.reason == "out_of_memory"
        assert connection.call("baro_commit_1", commit_keys, commit_args) == [b"ok"]
