"""How long a dying process waits."""

from barograph_cli.backoff import Backoff


def test_the_first_start_waits_for_nothing() -> None:
    assert Backoff().wait_ms == 0


def test_each_death_doubles_the_wait_up_to_half_a_minute() -> None:
    backoff, waits = Backoff(), list[int]()
    for _ in range(9):
        backoff = backoff.after_death(ran_ms=100)
        waits.append(backoff.wait_ms)
    assert waits == [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]


def test_a_process_that_ran_for_a_minute_begins_anew() -> None:
    assert Backoff(deaths=7).after_death(ran_ms=60_000).wait_ms == 500
