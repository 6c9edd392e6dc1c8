"""An alerter answers each probe whose pane it has judged, once."""

from typing import cast

from barograph_alerter.conditions.row import Look
from barograph_alerter.windows.probes import ProbeAnswers
from barograph_alerter.windows.window import Window
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.pipeline.probing.probe import SERIES
from barograph_core.server.connection import Connection
from tests.unit.alerter.build import NOW, pane_of


class Server:
    """Takes entries of the alerts stream."""

    def __init__(self) -> None:
        self.marks: list[int] = []

    def command(self, *words: object) -> None:
        assert words[0] == "XADD"
        self.marks.append(cast("int", words[-1]))


def test_each_probe_is_answered_once_also_when_the_clock_was_set_back() -> None:
    """What was ahead must not silence the heartbeats until its time comes."""
    server = Server()
    answers = ProbeAnswers(cast("Connection", server), ShardKeys("baro", "0"), 1_000)

    def judged(*marks: int) -> None:
        pane = pane_of("custom", {(SERIES,): [(float(mark),) for mark in marks]})

        def window_of(look: Look) -> Window:
            return Window(pane, look.span_ms)

        answers.note_judged("barograph", window_of)

    judged(NOW)
    judged(NOW)
    judged(NOW, NOW + 1_000)
    judged(NOW - 3_600_000)
    assert server.marks == [NOW, NOW + 1_000, NOW - 3_600_000]
