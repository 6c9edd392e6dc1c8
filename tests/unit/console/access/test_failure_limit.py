from barograph_console.access.failure_limit import FailureLimit
from tests.support import FakeClock


def failed(limit: FailureLimit, address: str, times: int) -> None:
    for _ in range(times):
        limit.add(address)


def test_the_fifth_failure_within_a_minute_closes_the_door() -> None:
    limit = FailureLimit(FakeClock())
    failed(limit, "192.0.2.1", 4)
    assert limit.wait_s("192.0.2.1") == 0
    failed(limit, "192.0.2.1", 1)
    assert limit.wait_s("192.0.2.1") == 61
    assert limit.wait_s("192.0.2.2") == 0


def test_failures_are_forgotten_one_by_one() -> None:
    """Five a minute in any minute, not five in each minute of the clock."""
    clock = FakeClock()
    limit = FailureLimit(clock)
    for _ in range(5):
        limit.add("192.0.2.1")
        clock.advance(10_000)
    assert limit.wait_s("192.0.2.1") == 11
    clock.advance(10_000)
    assert limit.wait_s("192.0.2.1") == 0
    limit.add("192.0.2.1")
    assert limit.wait_s("192.0.2.1") == 11


def test_addresses_of_one_ipv6_network_count_together() -> None:
    """Whoever holds a network of 2^64 addresses has no more guesses for that."""
    limit = FailureLimit(FakeClock())
    for host in range(5):
        limit.add(f"2001:db8:0:1::{host:x}")
    assert limit.wait_s("2001:db8:0:1:ffff::1") == 61
    assert limit.wait_s("2001:db8:0:2::1") == 0


def test_the_number_of_addresses_held_is_bounded() -> None:
    """Failures from very many addresses push out the one that failed longest ago, not the newest."""
    limit = FailureLimit(FakeClock())
    failed(limit, "192.0.2.1", 5)
    failed(limit, "192.0.2.2", 5)
    for number in range(4_095):
        limit.add(f"10.0.{number // 256}.{number % 256}")
    assert limit.wait_s("192.0.2.1") == 0
    assert limit.wait_s("192.0.2.2") == 61
