"""Recurring messages: each cause once a minute, and a disk that does not fill up."""

import logging

import pytest

from barograph_core.workers.repeat_filter import RepeatFilter


class Times:
    """Logs at times of its own, and keeps what comes through."""

    def __init__(self) -> None:
        self.filter = RepeatFilter()
        self.lines: list[logging.LogRecord] = []

    def log(self, at_s: float, message: str, level: int = logging.WARNING, **facts: object) -> None:
        record = logging.makeLogRecord({"msg": message, "levelno": level, "created": at_s, **facts})
        if self.filter.filter(record):
            self.lines.append(record)

    @property
    def seen(self) -> list[tuple[float, str]]:
        return [(line.created, str(vars(line).get("rule", line.msg))) for line in self.lines]


def test_a_cause_comes_once_a_minute_and_tells_how_often_it_did_not() -> None:
    """Each rule has its own line; the next minute's says what was left out."""
    times = Times()
    for second in range(121):
        for rule in ("a", "b"):
            times.log(1_000.0 + second, "rule.failed", rule=rule)
    assert times.seen == [(1_000, "a"), (1_000, "b"), (1_060, "a"), (1_060, "b"), (1_120, "a"), (1_120, "b")]
    assert [vars(line).get("left_out") for line in times.lines] == [None, None, 118, None, 118, None]


def test_a_message_of_ever_new_causes_comes_ten_times_a_minute() -> None:
    """A rule that cannot be judged fails for each service: 50 services wrote 21 GB a day."""
    times = Times()
    for second in range(600):
        for service in range(50):
            times.log(1_000.0 + second, "rule.failed", logging.ERROR, service=f"s{service}", error=f"{second}")
    assert len(times.lines) == 100


def test_other_messages_are_not_held_up() -> None:
    """A flood of one must not hide another."""
    times = Times()
    for number in range(100):
        times.log(1_000.0, "flood", error=str(number))
    times.log(1_000.5, "entry.dead")
    assert times.seen[-1] == (1_000.5, "entry.dead")


def test_changes_of_state_are_not_limited_by_cause() -> None:
    """Who signed in stands in the log, each time."""
    times = Times()
    for number in range(100):
        times.log(1_000.0 + number, "console.signed_in", logging.INFO, holder="me")
    assert len(times.lines) == 100


def test_a_clock_that_is_set_back_silences_nothing() -> None:
    """Otherwise nothing would be logged until it has caught up."""
    times = Times()
    times.log(5_000.0, "entry.failed")
    times.log(1_000.0, "entry.failed")
    assert len(times.lines) == 2


def test_messages_with_data_in_them_take_bounded_memory_and_lines() -> None:
    """Those of other libraries may hold what a client sent."""
    times = Times()
    for number in range(5_000):
        times.log(1_000.0, f"invalid request {number}")
    assert len(times.lines) == 1_000 + 1


@pytest.mark.parametrize("error", [ValueError, KeyError])
def test_kinds_of_errors_are_causes(error: type[Exception]) -> None:
    """The same message with another exception is another fault."""
    times = Times()
    times.log(1_000.0, "loop.failed", exc_info=(RuntimeError, RuntimeError(), None))
    times.log(1_000.0, "loop.failed", exc_info=(error, error(), None))
    assert len(times.lines) == 2
