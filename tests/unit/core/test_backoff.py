"""Waits double up to a bound, and half of each is left to chance."""

from barograph_core.backoff import Backoff


def test_the_wait_doubles_up_to_its_bound() -> None:
    backoff = Backoff(first_ms=100, longest_ms=300)
    assert [backoff.wait_ms(failures) for failures in (0, 1, 2, 3, 4, 5_000)] == [0, 100, 200, 300, 300, 300]


def test_half_of_the_wait_is_left_to_chance() -> None:
    backoff = Backoff(first_ms=100, longest_ms=300)
    assert [backoff.wait_ms(2, jitter) for jitter in (0.0, 0.5, 1.0)] == [100, 150, 200]
