"""Windows of the console while roll-ups are still to be made."""

import pytest

from barograph_console.reading.panes import begin_reading
from barograph_console.reading.windows import WindowReader
from tests.support import FakeClock
from tests.unit.console.fakes import NOW_MS, FakePanes, panes_of, requests

MINUTE_MS = 60_000
# The end of a minute, by when everything is closed.
END_MS = NOW_MS - NOW_MS % MINUTE_MS
LATE_MS = END_MS - 4 * MINUTE_MS


@pytest.mark.parametrize("is_known", [True, False])
def test_a_window_is_whole_while_its_roll_ups_are_late(is_known: bool) -> None:
    """An aggregator was away for four minutes: the seconds are closed, and nothing is made of them yet.

    The control: read as if nothing were pending, the window lacks most of these minutes.
    """
    events = [requests((END_MS - 1_000 * number - 500, "/a", 200, 1.0)) for number in range(600)]
    panes = FakePanes(closed={"ranker": END_MS})
    for step_ms in (1_000, 10_000, MINUTE_MS):
        made = panes_of(events, step_ms)
        panes.stored[step_ms] = [one for one in made if step_ms == 1_000 or one.start_ms < LATE_MS]
    if is_known:
        panes.pending = [(10_000, LATE_MS), (MINUTE_MS, LATE_MS)]
    reading = begin_reading(panes, "ranker", END_MS, FakeClock(END_MS))
    found = WindowReader(panes).read(reading, to_ms=END_MS, window_ms=10 * MINUTE_MS)
    assert found.requests == (600 if is_known else 370)
