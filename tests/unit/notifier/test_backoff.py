"""Waits double up to a cap, are spread, and never undercut what the channel asked for."""

import random

import pytest

from barograph_notifier.backoff import Backoff

BACKOFF = Backoff(first_ms=1_000, cap_ms=60_000, asked_cap_ms=600_000)


class Low(random.Random):
    def uniform(self, a: float, b: float) -> float:  # noqa: ARG002
        return a


class High(random.Random):
    def uniform(self, a: float, b: float) -> float:  # noqa: ARG002
        return b


@pytest.mark.parametrize(("failures", "longest"), [(1, 1_000), (2, 2_000), (6, 32_000), (7, 60_000), (5_000, 60_000)])
def test_the_wait_doubles_up_to_the_cap(failures: int, longest: int) -> None:
    """Half of the wait is fixed, so that a retry is never immediate; the whole is bounded."""
    assert BACKOFF.delay_ms(failures, High()) == longest
    assert BACKOFF.delay_ms(failures, Low()) == longest // 2


def test_alerts_that_failed_together_do_not_come_back_together() -> None:
    """Jitter spreads equal failures."""
    rng = random.Random(7)
    assert len({BACKOFF.delay_ms(3, rng) for _ in range(100)}) > 90


@pytest.mark.parametrize(
    ("asked_s", "least"), [(120.0, 120_000), (0.0, 500), (-5.0, 500), (1e9, 600_000), (0.001, 500)]
)
def test_a_wait_the_channel_asked_for_is_not_cut_short(asked_s: float, least: int) -> None:
    """``Retry-After`` is a lower bound, up to a cap of its own; the own backoff still counts."""
    assert BACKOFF.delay_ms(1, Low(), asked_s) == least
