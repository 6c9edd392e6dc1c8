"""How many inputs each fuzz test tries: some tens in CI, which takes seconds, and as many times more by hand."""

import os
from typing import Final

from hypothesis import HealthCheck, settings

_FACTOR: Final = int(os.environ.get("BAROGRAPH_FUZZ_FACTOR", "1"))


def effort(examples: int) -> settings:
    """Return the settings of a test that tries ``examples`` inputs in CI."""
    return settings(
        max_examples=examples * _FACTOR, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
