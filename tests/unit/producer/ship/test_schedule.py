from barograph_producer._ship.alarm import Alarm, WakeBudget
from barograph_producer._ship.schedule import HeartbeatSchedule
from tests.support import FakeClock


def test_the_first_heartbeat_is_due_at_once() -> None:
    assert HeartbeatSchedule(20).is_due(1_700_000_000_123)


def test_heartbeats_come_right_after_each_whole_second() -> None:
    """An idle producer must have claimed a pane's end before the pane closes, half a second later."""
    schedule = HeartbeatSchedule(20)
    schedule.beat(1_700_000_000_700)
    assert not schedule.is_due(1_700_000_001_019)
    assert schedule.wait_ms(1_700_000_000_700) == 320
    assert schedule.is_due(1_700_000_001_020)


def test_a_late_heartbeat_does_not_shift_the_next() -> None:
    schedule = HeartbeatSchedule(20)
    schedule.beat(1_700_000_001_400)
    assert schedule.is_due(1_700_000_002_020)


def test_shipments_lie_on_the_beats_grid() -> None:
    """One that was made early, for an error, moves none of the next."""
    schedule = HeartbeatSchedule(20)
    schedule.beat(1_700_000_000_020)
    waits = [schedule.wait_ms(1_700_000_000_020 + ms, 250) for ms in (0, 1, 130, 249, 250, 900, 999, 1_000)]
    assert waits == [250, 249, 120, 1, 250, 100, 1, 0]
    assert schedule.wait_ms(1_700_000_000_020, 60_000) == 1_000


def test_a_clock_set_back_does_not_silence_the_producer() -> None:
    schedule = HeartbeatSchedule(20)
    schedule.beat(1_700_003_600_000)
    assert schedule.is_due(1_700_000_000_000)


def test_a_rare_event_wakes_at_once_and_a_storm_does_not() -> None:
    """Twenty wakes at once, 20 ms apart, then one each 100 ms."""
    budget = WakeBudget(0.0)
    now_ms, wakes = 0.0, 0
    while now_ms < 10_000:
        now_ms += max(1.0, budget.wait_ms(now_ms))
        budget.spend(now_ms)
        wakes += 1
    assert WakeBudget(0.0).wait_ms(0.0) == 0.0
    assert 110 <= wakes <= 125


def test_a_ring_before_the_wait_is_not_missed() -> None:
    """What rang while the shipper worked ends its next sleep at once."""
    alarm = Alarm(FakeClock())
    alarm.ring()
    assert not alarm.wait(60_000)


def test_a_nudge_before_the_wait_is_not_missed() -> None:
    alarm = Alarm(FakeClock())
    alarm.nudge()
    assert alarm.wait(60_000)
