"""A recurring message is logged now and then, and the memory of it is bounded."""

from barograph_core.log_limit import ONCE, LogLimit


def test_a_message_is_logged_once_a_minute() -> None:
    limit = LogLimit()
    assert limit.allows("trouble", 0.0)
    assert not limit.allows("trouble", 59_999.0)
    assert limit.allows("bug", 59_999.0)
    assert limit.allows("trouble", 60_000.0)


def test_a_message_that_is_logged_once_is_logged_again_when_it_was_over() -> None:
    limit = LogLimit(ONCE)
    assert limit.allows("pane", 0.0)
    assert not limit.allows("pane", 1e12)
    limit.forget("pane")
    assert limit.allows("pane", 1e12)


def test_it_remembers_a_bounded_number_of_names() -> None:
    """Names hold ids of data: without a bound a flood of them would take memory for ever."""
    limit = LogLimit(ONCE)
    assert all(limit.allows(number) for number in range(1_001))
    assert not limit.allows(1_000)
    assert limit.allows(0)
