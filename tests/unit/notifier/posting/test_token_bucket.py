"""A rate is kept over any span of time, and waits are exact."""

import random

from barograph_notifier.posting.token_bucket import Rate, TokenBucket
from tests.support import FakeClock


def test_a_burst_is_let_through_and_then_one_at_a_time() -> None:
    clock = FakeClock()
    bucket = TokenBucket(Rate(3, 3_000), clock)
    assert [bucket.take() for _ in range(4)] == [0, 0, 0, 1_000]
    clock.advance(400)
    assert bucket.take() == 600
    clock.advance(600)
    assert [bucket.take(), bucket.take()] == [0, 1_000]


def test_no_more_gather_than_the_rate_names() -> None:
    clock = FakeClock()
    bucket = TokenBucket(Rate(2, 1_000), clock)
    clock.advance(3_600_000)
    assert [bucket.take() > 0 for _ in range(3)] == [False, False, True]


def test_whoever_waits_as_told_gets_a_token() -> None:
    """Also where the rate does not divide: rounding must not make anyone wait again for nothing."""
    clock = FakeClock()
    bucket = TokenBucket(Rate(7, 1_000), clock)
    rng = random.Random(7)
    taken = 0
    for _ in range(10_000):
        wait_ms = bucket.take()
        if wait_ms == 0:
            taken += 1
            clock.advance(rng.randrange(0, 300))
        else:
            clock.advance(-int(-wait_ms // 1))
            assert bucket.take() == 0
            taken += 1
    assert taken >= 10_000
