"""A closing that is stuck is reported, whatever the cause; one that only works off a backlog is not."""

import pytest

from barograph_aggregator.close.closer import Closer
from barograph_core.pipeline.closing import StuckClosing, find_stuck, parse_stuck
from barograph_core.pipeline.halt import look_for_halt
from barograph_core.pipeline.reader import PipelineReader
from tests.unit.aggregator.test_aggregator import Pipeline, minutes_ago


class Desk(Pipeline):
    """A pipeline with a clock that the test moves."""

    def look(self, seconds: float) -> tuple[StuckClosing, ...]:
        """Tick every five seconds for so long, and return what the status shows then."""
        for _ in range(int(seconds // 5)):
            self.clock.advance(5_000)
            self.handler.tick(0)
        return PipelineReader(self.connection, self.keys).read().stuck

    def spoil(self, service: str, start_ms: int, command: str = "SET") -> None:
        self.connection.command(command, self.keys.parts(service, start_ms), b"foreign")
        self.connection.command("ZADD", self.keys.open, start_ms + 1_000, f"{service}:1000:{start_ms}")


@pytest.mark.parametrize("command", ["SET", "RPUSH"])
def test_a_pane_with_foreign_data_is_reported_with_the_cause(command: str) -> None:
    """After half a minute, until it closes; the others go on."""
    desk = Desk()
    start = minutes_ago(desk, 2)
    desk.send((start, "/a", 200, 5.0))
    desk.run()
    desk.spoil("aaa", start, command)
    assert [one for one in desk.look(25) if one.service] == []
    (stuck,) = [one for one in desk.look(15) if one.service]
    assert (stuck.service, stuck.step_ms, stuck.start_ms, stuck.panes) == ("aaa", 1_000, start, 1)
    assert 30_000 <= stuck.for_ms <= 45_000
    assert stuck.reason not in ("", "no cause is known")
    assert look_for_halt(desk.connection, desk.keys) == ["stuck"]
    desk.connection.command("DEL", desk.keys.parts("aaa", start))
    desk.connection.command("ZREM", desk.keys.open, f"aaa:1000:{start}")
    assert [one for one in desk.look(10) if one.service] == []


def test_panes_that_nothing_closes_are_reported_without_a_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after an upgrade that left panes open for ever with everything green: the result is looked at, not errors."""
    desk = Desk()
    start = minutes_ago(desk, 2)
    desk.send((start, "/a", 200, 5.0), (start + 1_000, "/a", 200, 5.0))

    def do_nothing(*_: object, **__: object) -> None: ...

    monkeypatch.setattr(Closer, "advance", do_nothing)
    desk.run()
    (stuck,) = [one for one in desk.look(45) if one.service]
    assert (stuck.service, stuck.start_ms, stuck.panes, stuck.reason) == ("ranker", start, 2, "no cause is known")


def test_a_closing_that_fails_as_a_whole_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that nobody expected stops every service: it is the reason of each."""
    desk = Desk()
    desk.send((minutes_ago(desk, 2), "/a", 200, 5.0))

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(Closer, "advance", fail)
    for _ in range(10):
        desk.clock.advance(5_000)
        with pytest.raises(ZeroDivisionError):
            desk.run()
    (stuck,) = [one for one in PipelineReader(desk.connection, desk.keys).read().stuck if one.service]
    assert stuck.reason == "ZeroDivisionError: oops"


def test_a_pane_that_closes_and_opens_again_is_not_stuck() -> None:
    """Late events may keep one pane busy for minutes: each time it is another part."""
    desk = Desk()
    start = minutes_ago(desk, 2)
    for _ in range(12):
        desk.send((start, "/a", 200, 5.0))
        desk.handler.handle(desk.read(), is_redelivered=False)
        assert [one for one in desk.look(5) if one.service] == []


def test_roll_ups_of_a_step_that_is_gone_are_no_trouble() -> None:
    """They are left behind for good after a change of the settings."""
    desk = Desk()
    start = minutes_ago(desk, 2)
    desk.connection.command("ZADD", desk.keys.rollups, start, f"ranker:5000:{start - 5_000}")
    desk.send((start, "/a", 200, 5.0))
    desk.run()
    assert [one for one in desk.look(45) if one.service] == []


def test_a_watermark_that_stands_is_reported() -> None:
    """An entry that nobody finishes holds it."""
    desk = Desk()
    desk.send((minutes_ago(desk, 2), "/a", 200, 5.0))
    desk.read()
    (stuck,) = desk.look(45)
    assert (stuck.service, stuck.step_ms, stuck.panes) == ("", 0, 0)
    assert "not finished" in stuck.reason


def test_without_a_report_services_far_behind_the_watermark_are_stuck() -> None:
    """An aggregator of an earlier version reports nothing."""
    closed = {"ranker": 100_000, "other": 170_000}
    assert find_stuck((), closed, 175_000) == ()
    assert [one.service for one in find_stuck(None, closed, 175_000)] == ["ranker"]
    assert find_stuck(None, closed, None) == ()


@pytest.mark.parametrize("report", [b"", b"no JSON", b"7", b'[{"service": "a"}]', None])
def test_a_report_that_cannot_be_read_counts_as_none(report: bytes | None) -> None:
    assert parse_stuck(report) is None
