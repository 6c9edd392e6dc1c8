"""When the next of an alert's channels is free again."""

from barograph_core.pipeline.deliveries import next_end_ms


def test_the_first_cooldown_that_runs_ends_next() -> None:
    """One that has lapsed, and what cannot be read, holds nothing back."""
    values = [b"900 error 300000 5 firing", b"3000 error 300000 5 firing", b"2000 warning 60000 5 resolved", b"soon"]
    assert next_end_ms(values, 1_000) == 2_000


def test_without_a_cooldown_nothing_is_held_back() -> None:
    assert next_end_ms([b"1000 error 300000 5 firing"], 1_000) is None
    assert next_end_ms([], 1_000) is None
