"""A silence as the tests have it."""

from typing import Final

from barograph_core.silences.silence import Silence, parse_matchers

NOW: Final = 1_700_000_000_000
HOUR: Final = 3_600_000
SILENCE: Final = Silence(
    silence_id="5f0c2a5e-7f0b-4a51-9d0c-1d2f6f1e9a77",
    matchers=parse_matchers(["alertname=slow", "route=~/pre.*"]),
    starts_ms=NOW,
    ends_ms=NOW + HOUR,
    actor="mira",
    comment="rolling back version 8",
    changed_ms=NOW,
)
