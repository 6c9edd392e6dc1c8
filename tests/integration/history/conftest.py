"""One live pipeline for all tests of its history: none of them may change what it has left."""

from collections.abc import Iterator

import pytest

from tests.integration.history.past import Live, live_through
from tests.support import valkey_server


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Return what a live pipeline has left in prefix ``live`` of a server of its own."""
    with valkey_server() as url:
        left = live_through(url, tmp_path_factory.mktemp("live"))
        yield left
        left.connection.close()
