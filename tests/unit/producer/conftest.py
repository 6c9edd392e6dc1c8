"""A fixture that every test of the producer uses."""

# Only exit and fork may use the list of open producers; tests empty it.
# pyright: reportPrivateUsage=false

from collections.abc import Iterator

import pytest

from barograph_producer._ship import process as _process


@pytest.fixture(autouse=True)
def forget_open_producers() -> Iterator[None]:
    """Forget the producers that a test left open; with a clock that stands still, each would wait for its limit."""
    yield
    for tenant in tuple(_process._tenants):
        _process.leave(tenant)
