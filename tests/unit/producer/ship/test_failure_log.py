"""Failures to ship in a row: each waits longer than the one before, and a success ends that."""

from collections.abc import Callable

from barograph_core.backoff import Backoff
from barograph_core.errors import StreamUnavailableError
from barograph_producer._ship.failure_log import FailureLog
from barograph_producer._stats import ProducerCounters
from tests.support import FakeClock

GONE = StreamUnavailableError("gone")


def make_failure_log(clock: FakeClock, jitter: Callable[[], float]) -> FailureLog:
    backoff = Backoff(first_ms=100, longest_ms=300)
    return FailureLog(clock=clock, counters=ProducerCounters(), backoff=backoff, jitter=jitter, situation=dict)


def test_the_wait_doubles_up_to_its_bound_and_is_jittered() -> None:
    clock = FakeClock()
    failure_log, waits = make_failure_log(clock, lambda: 0.0), list[float]()
    for _ in range(4):
        failure_log.note_error(GONE)
        waits.append(failure_log.wait_ms)
        clock.advance(round(failure_log.wait_ms))
    assert waits == [50, 100, 150, 150]
    assert failure_log.wait_ms == 0


def test_a_success_ends_the_wait() -> None:
    failure_log = make_failure_log(FakeClock(), lambda: 1.0)
    failure_log.note_error(GONE)
    assert failure_log.has_failed
    failure_log.note_success()
    assert failure_log.wait_ms == 0
    assert not failure_log.has_failed
