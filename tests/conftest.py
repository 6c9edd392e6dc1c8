"""Fixtures: servers for the session, a connection and key prefix for each test."""

import secrets
from collections.abc import Iterator

import pytest

from barograph_core.functions.library import ensure_library
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from tests.support import FakeClock, fake_connection, has_redis_server, redis_server, valkey_server


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    """Return the URL of a real server that the session's tests share; each test has its own prefix."""
    with valkey_server() as url:
        yield url


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """Return the URL of Debian's redis-server: skipped on a laptop without it, failing in CI."""
    if not has_redis_server():
        pytest.skip("redis-server is not installed")
    with redis_server() as url:
        yield url


@pytest.fixture(params=["fakeredis", "valkey", "redis"])
def connection(request: pytest.FixtureRequest) -> Iterator[Connection]:
    """Return a connection to each kind of server in turn, with the library loaded."""
    if request.param == "fakeredis":
        yield fake_connection()
        return
    opened = Connection.open(request.getfixturevalue(f"{request.param}_url"))
    ensure_library(opened)
    yield opened
    opened.close()


@pytest.fixture(params=["valkey", "redis"])
def real_url(request: pytest.FixtureRequest) -> str:
    """Return the URL of each real server in turn."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def real(valkey_url: str) -> Iterator[Connection]:
    """Return a connection to the real server, with the library loaded."""
    opened = Connection.open(valkey_url)
    ensure_library(opened)
    yield opened
    opened.close()


@pytest.fixture
def keys() -> ShardKeys:
    """Return the keys of a prefix that no other test has."""
    return ShardKeys(prefix=f"t{secrets.token_hex(6)}")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()
