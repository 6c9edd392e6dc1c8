"""What is written of a judgement, in parts, and that firings are noted as announced."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from barograph_alerter.states.alert_states import MAX_CHANGES, AlertStates, Judgement
from barograph_alerter.states.memory import StateMemory
from barograph_alerter.states.writer import TransitionWriter
from barograph_core.alerts.change import Change, Cursors, LostHints, Stale, Written
from barograph_core.alerts.record import AlertRecord, AlertState
from barograph_core.alerts.state import ServiceState, alert_field
from barograph_core.alerts.transition import transition_of
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.replies import EntryId
from barograph_core.workers.counters import WorkerCounters
from tests.support import FakeClock, fake_connection
from tests.unit.core.alerts.samples import RECORD

KEYS: Final = ShardKeys()


class Notes(TransitionWriter):
    """Keeps what it is to write, and says that everything was applied and every firing notified."""

    def __init__(self) -> None:
        self.calls: list[tuple[Cursors, Sequence[Change], Sequence[EntryId]]] = []
        self.stale_at: set[int] = set()

    def write(
        self, service: str, cursors: Cursors, changes: Sequence[Change], ids: Sequence[EntryId]
    ) -> Written | Stale | LostHints:
        assert service == "ranker"
        self.calls.append((cursors, changes, ids))
        if len(self.calls) in self.stale_at:
            return Stale()
        return Written(str(int(cursors.version) + 1), tuple("1" if one.transition else "-" for one in changes))


class Desk:
    """Alerts that begin to fire, in one judgement."""

    def __init__(self, count: int) -> None:
        self.writer, self.connection = Notes(), fake_connection()
        memory = StateMemory(self.connection, KEYS, FakeClock())
        self.counters = WorkerCounters()
        self.states = AlertStates(memory, self.writer, self.counters)
        self.state = ServiceState(version="7", closed_at_ms=1_000)
        changes = [self.firing(replace(RECORD, alert_id=f"a{number}")) for number in range(count)]
        self.judgement = Judgement(changes, 2_000, None, is_complete=True)

    def firing(self, record: AlertRecord) -> Change:
        entry = transition_of(record, before=AlertState.INACTIVE, at_ms=2_000, notify=None)
        change = Change(alert_id=record.alert_id, record=record, transition=entry, cooldown="announce")
        self.state.apply(change)
        return change

    def write(self) -> Stale | LostHints | None:
        return self.states.write("ranker", self.state, self.judgement, [EntryId(1, 0)])


def test_cursor_and_hints_move_with_the_last_part() -> None:
    """If a part fails, the pane is judged again."""
    desk = Desk(2 * MAX_CHANGES + 1)
    assert desk.write() is None
    first, second, third = desk.writer.calls[:3]
    assert [len(call[1]) for call in (first, second, third)] == [MAX_CHANGES, MAX_CHANGES, 1]
    assert (first[0].closed_to_ms, first[2]) == (None, ())
    assert (third[0].closed_from_ms, third[0].closed_to_ms, third[2]) == (1_000, 2_000, [EntryId(1, 0)])
    assert desk.state.closed_at_ms == 2_000


def test_each_firing_is_noted_as_announced_once() -> None:
    """However many there are: what is noted is not looked at again."""
    desk = Desk(5 * MAX_CHANGES)
    desk.write()
    noted = [change for _, changes, _ in desk.writer.calls[5:] for change in changes]
    assert sorted(change.alert_id for change in noted) == sorted(desk.state.records)
    assert len(desk.writer.calls) == 10
    assert all(record.is_announced for record in desk.state.records.values())
    assert desk.state.version == "17"


def test_a_firing_that_is_over_by_then_is_not_noted() -> None:
    """The state is read again when another writer was first."""
    desk = Desk(2)
    desk.writer.stale_at = {2}
    fields = [alert_field("a0"), replace(RECORD, alert_id="a0").to_json(), "version", "9"]
    desk.connection.command("HSET", KEYS.state("ranker"), *fields)
    desk.write()
    cursors, changes, _ = desk.writer.calls[-1]
    assert (cursors.version, [change.alert_id for change in changes]) == ("9", ["a0"])


def test_a_judgement_without_any_change_is_not_written() -> None:
    """Most looks at open panes end so."""
    desk = Desk(0)
    assert desk.states.write("ranker", desk.state, Judgement([], None, None, is_complete=True), []) is None
    assert desk.writer.calls == []


def test_when_another_alerter_was_first_nothing_follows() -> None:
    """The caller judges anew."""
    desk = Desk(MAX_CHANGES + 1)
    desk.writer.stale_at = {1}
    assert desk.write() == Stale()
    assert len(desk.writer.calls) == 1
