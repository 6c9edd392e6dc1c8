"""The console that all tests of the page read."""

from collections.abc import Iterator

import pytest

from tests.integration.explore.running_console import RunningConsole, running_console


@pytest.fixture(scope="module")
def console(valkey_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningConsole]:
    """Return a console with figures that do not change. Tests only read it."""
    with running_console(valkey_url, tmp_path_factory.mktemp("explore")) as found:
        yield found
