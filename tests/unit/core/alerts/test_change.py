"""What is sent to ``baro_transition_2``, and what its replies mean."""

import pytest
from fakeredis import FakeRedis

from barograph_core.alerts.change import (
    NO_TRIM_MS,
    Change,
    Cursors,
    Hints,
    LostHints,
    Stale,
    Written,
    write_changes,
)
from barograph_core.alerts.record import AlertState
from barograph_core.alerts.transition import transition_of
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.link import Reply, Value
from barograph_core.server.replies import EntryId
from tests.unit.core.alerts.samples import RECORD

KEYS = ShardKeys()
OK: Reply = [b"ok", b"8", [b"1"]]
TOLD = transition_of(RECORD, before=AlertState.PENDING, at_ms=2_000, notify=None)


class Answering(Connection):
    """Gives one answer and keeps what was sent. fakeredis has no functions."""

    def __init__(self, answer: Reply) -> None:
        super().__init__(FakeRedis())
        self.answer = answer
        self.sent: tuple[Value, ...] = ()

    def command(self, *args: Value) -> Reply:
        self.sent = args
        return self.answer


def test_a_change_by_hand_moves_no_cursor_acknowledges_nothing_and_trims_nothing() -> None:
    """How long alerts are kept is the alerter's business."""
    server = Answering(OK)
    change = Change(alert_id="a1", record=None, cooldown="clear")
    assert write_changes(server, KEYS, "ranker", [change], cursors=Cursors(version="7")) == Written("8", ("1",))
    assert server.sent == (
        *("FCALL", "baro_transition_2", 4),
        *(KEYS.state("ranker"), KEYS.metrics, KEYS.alerts, KEYS.quiet("a1")),
        *("", "", "ranker", "7", "", "", "", NO_TRIM_MS, 0),
        *("a1", "", "clear", "", 0, "-", 0),
    )


def test_a_verdict_carries_its_record_its_entry_its_cursors_and_its_hints_in_order() -> None:
    """The server compares ids in ascending order."""
    server = Answering(OK)
    write_changes(
        server,
        KEYS,
        "ranker",
        [Change(alert_id=RECORD.alert_id, record=RECORD, transition=TOLD, cooldown="recall", is_flap_over=True)],
        cursors=Cursors(version="7", closed_from_ms=0, closed_to_ms=1_000, provisional_ms=2_000),
        hints=Hints("alerter", "a", (EntryId(10, 0), EntryId(9, 1))),
        keep_alerts_ms=5_000,
    )
    fields = TOLD.to_fields()
    assert server.sent[7:] == (
        *("alerter", "a", "ranker", "7", "0", "1000", "2000", 5_000, 2, "9-1", "10-0"),
        *(RECORD.alert_id, RECORD.to_json(), "recall", TOLD.quiet_tag, 1, "-", len(fields), *fields),
    )


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ([b"stale", b"9", b"1000"], Stale()),
        ([b"lost", b"9-1", b"10-0"], LostHints(frozenset({EntryId(9, 1), EntryId(10, 0)}))),
    ],
)
def test_a_refusal_says_why(answer: Reply, expected: Stale | LostHints) -> None:
    """Nothing was applied: the caller looks again."""
    assert write_changes(Answering(answer), KEYS, "ranker", [], cursors=Cursors(version="7")) == expected
