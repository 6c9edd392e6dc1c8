"""A master dies, its replica takes its place: a connection finds it."""

import time
from collections.abc import Iterator

import pytest

from barograph_core.errors import BarographError, StreamUnavailableError
from barograph_core.server.connection import Connection
from tests.servers import Watched, running_sentinels
from tests.support import wait_until


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with running_sentinels(tmp_path_factory.mktemp("sentinels")) as running:
        yield running


def answers(connection: Connection) -> bool:
    try:
        return connection.command("SET", "x", 1) == b"OK"
    except BarographError:
        return False


def test_the_new_master_is_found_at_once(watched: Watched) -> None:
    """A socket that a client keeps would else knock at the dead master's door for ever."""
    connections = [Connection.open(watched.url, keeps_link=keeps_link) for keeps_link in (False, True)]
    assert all(map(answers, connections))
    promoted = watched.fail_over()
    wait_until(lambda: all(map(answers, connections)), what="the new master")
    assert time.monotonic() - promoted < 1.5
    for connection in connections:
        connection.close()


def test_an_unknown_master_is_told(watched: Watched) -> None:
    connection = Connection.open(watched.url.replace("/barometer", "/other"))
    with pytest.raises(StreamUnavailableError, match="No master found for 'other'"):
        connection.command("PING")
    connection.close()
