"""What every test of the producer ends with."""

# The list of open producers is nobody's business but that of exit and fork.
# pyright: reportPrivateUsage=false

from collections.abc import Iterator

import pytest

from barograph_producer import _process


@pytest.fixture(autouse=True)
def nobody_waits_at_exit() -> Iterator[None]:
    """Forget the producers that a test left open: with a clock that stands still each would wait out its bound."""
    yield
    for tenant in tuple(_process._tenants):
        _process.leave(tenant)
