"""What is sent to ``baro_transition_1``, and what its replies mean."""

from dataclasses import replace

import pytest
from fakeredis import FakeRedis

from barograph_core.alert_changes import (
    NO_TRIM_MS,
    Change,
    Cursors,
    Hints,
    Lost,
    Stale,
    Written,
    claim_ms,
    write_changes,
)
from barograph_core.alerts import AlertState
from barograph_core.keys import ShardKeys
from barograph_core.stream import Connection, EntryId, Reply, Value
from barograph_core.transitions import transition_of
from tests.unit.core.alert_samples import RECORD

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
        *("FCALL", "baro_transition_1", 4),
        *(KEYS.state("ranker"), KEYS.metrics, KEYS.alerts, KEYS.cooldown("a1")),
        *("", "", "ranker", "7", "", "", "", NO_TRIM_MS, 0),
        *("a1", "", "clear", "", 1, 0),
    )


def test_a_verdict_carries_its_record_its_entry_its_cursors_and_its_hints_in_order() -> None:
    """The server compares ids in ascending order."""
    server = Answering(OK)
    write_changes(
        server,
        KEYS,
        "ranker",
        [Change(alert_id=RECORD.alert_id, record=RECORD, transition=TOLD, cooldown="claim")],
        cursors=Cursors(version="7", closed_from_ms=0, closed_to_ms=1_000, provisional_ms=2_000),
        hints=Hints("alerter", "a", (EntryId(10, 0), EntryId(9, 1))),
        keep_alerts_ms=5_000,
    )
    fields = TOLD.to_fields()
    assert server.sent[7:] == (
        *("alerter", "a", "ranker", "7", "0", "1000", "2000", 5_000, 2, "9-1", "10-0"),
        *(RECORD.alert_id, RECORD.to_json(), "claim", "error:300000", 60_000, len(fields), *fields),
    )


def test_a_cooldown_of_nothing_is_claimed_for_the_shortest_time() -> None:
    """The server refuses a life of 0 ms."""
    server = Answering(OK)
    told = replace(TOLD, cooldown_ms=0)
    change = Change(alert_id="a1", record=RECORD, transition=told, cooldown="claim")
    write_changes(server, KEYS, "ranker", [change], cursors=Cursors(version="7"))
    assert server.sent[16:21] == ("a1", RECORD.to_json(), "claim", "error:0", 1)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ([b"stale", b"9", b"1000"], Stale()),
        ([b"lost", b"9-1", b"10-0"], Lost(frozenset({EntryId(9, 1), EntryId(10, 0)}))),
    ],
)
def test_a_refusal_says_why(answer: Reply, expected: Stale | Lost) -> None:
    """Nothing was applied: the caller looks again."""
    assert write_changes(Answering(answer), KEYS, "ranker", [], cursors=Cursors(version="7")) == expected


def test_a_claim_never_mutes_for_more_than_a_minute() -> None:
    """Only a delivery earns the whole cooldown."""
    assert (claim_ms(300_000), claim_ms(5_000)) == (60_000, 5_000)
