"""Waits double up to a cap, are spread, and never undercut what the channel asked for."""

import random

import pytest

from barograph_core.backoff import Backoff
from barograph_notifier.sending.pacing.retry_delay import retry_delay_ms

BACKOFF = Backoff(first_ms=1_000, longest_ms=60_000)


class Low(random.Random):
    def random(self) -> float:
        return 0.0


class High(random.Random):
    def random(self) -> float:
        return 1.0


@pytest.mark.parametrize(("failures", "longest"), [(1, 1_000), (2, 2_000), (6, 32_000), (7, 60_000), (5_000, 60_000)])
def test_the_wait_doubles_up_to_the_cap(failures: int, longest: int) -> None:
    """Half of the wait is fixed, so that a retry is never immediate; the whole is bounded."""
    assert retry_delay_ms(BACKOFF, failures, High()) == longest
    assert retry_delay_ms(BACKOFF, failures, Low()) == longest // 2


def test_alerts_that_failed_together_do_not_come_back_together() -> None:
    """Jitter spreads equal failures."""
    rng = random.Random(7)
    assert len({retry_delay_ms(BACKOFF, 3, rng) for _ in range(100)}) > 90


@pytest.mark.parametrize(
    ("asked_s", "least"), [(120.0, 120_000), (0.0, 500), (-5.0, 500), (1e9, 600_000), (0.001, 500)]
)
def test_a_wait_the_channel_asked_for_is_not_cut_short(asked_s: float, least: int) -> None:
    """``Retry-After`` is a lower bound, up to a cap of its own; below a second the own backoff counts."""
    assert retry_delay_ms(BACKOFF, 1, Low(), asked_s, asked_cap_ms=600_000) == least


@pytest.mark.parametrize("asked_s", [1.0, 2.5, 120.0])
def test_a_wait_the_channel_asked_for_is_kept_to_a_tenth_of_a_second(asked_s: float) -> None:
    """However often it has failed before: the target knows when it is ready."""
    for failures, rng in ((1, Low()), (1, High()), (12, High())):
        assert 0 <= retry_delay_ms(BACKOFF, failures, rng, asked_s) - asked_s * 1_000 <= 100
