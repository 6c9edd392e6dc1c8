"""Fixtures of the producer's integration tests."""

from collections.abc import Iterator

import pytest

from tests.integration.producer.proxy import FaultyProxy


@pytest.fixture
def proxy(valkey_url: str) -> Iterator[FaultyProxy]:
    """Return a running proxy in front of the session's server."""
    with FaultyProxy(valkey_url) as running:
        yield running
