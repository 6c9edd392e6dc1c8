"""How many senders work on a storm: as many as the channel's answers take time for."""

from barograph_notifier.sending.pacing.tempo import Tempo
from tests.support import FakeClock


def wanted(tempo: Tempo) -> list[int]:
    return [number for number in range(4) if tempo.wants(number)]


def noted(tempo: Tempo, ms: float, times: int = 100) -> Tempo:
    for _ in range(times):
        tempo.note(ms)
    return tempo


def test_where_answers_come_at_once_one_sender_is_enough() -> None:
    """Several would wait for the one CPU that a process can use."""
    assert wanted(noted(Tempo(FakeClock()), 0.1)) == [0]


def test_the_longer_answers_take_the_more_senders_work() -> None:
    assert wanted(noted(Tempo(FakeClock()), 0.65)) == [0, 1, 2]
    assert wanted(noted(Tempo(FakeClock()), 20.0)) == [0, 1, 2, 3]


def test_one_slow_answer_among_many_changes_little() -> None:
    tempo = noted(Tempo(FakeClock()), 0.1)
    tempo.note(3.0)
    assert wanted(tempo) == [0, 1]
    assert wanted(noted(tempo, 0.1, 20)) == [0]


def test_while_nothing_is_answered_all_work() -> None:
    """The one that works alone may be waiting for an answer that never comes."""
    clock = FakeClock()
    tempo = Tempo(clock)
    assert wanted(tempo) == [0, 1, 2, 3]
    noted(tempo, 0.1)
    clock.advance(250)
    assert wanted(tempo) == [0]
    clock.advance(1)
    assert wanted(tempo) == [0, 1, 2, 3]
