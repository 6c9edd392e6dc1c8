"""Rows that a file does not have in the order in which they happened."""

import random

import pytest

from barograph_cli.history.row_order import in_order, is_in_order
from barograph_cli.history.rows.event_row import EventRow
from barograph_core.events.kinds import KINDS
from barograph_core.server.replies import EntryId

LATENESS_MS = 600_000


def row(time_ms: int, entry_id: EntryId | None = None, route: str = "/a") -> EventRow:
    return EventRow(
        time_ms, entry_id, "web", "i", KINDS["request"], (route, "GET", "é", "\ud7ff"), 200, (None,), 3, True
    )


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([row(1), row(2)], True),
        # As late as a live log takes it: nothing has to be done.
        ([row(LATENESS_MS + 5), row(5)], True),
        ([row(LATENESS_MS + 6), row(5)], False),
        # Rows with an entry go by its id, whatever the time of the event.
        ([row(9 * LATENESS_MS, EntryId(5, 0)), row(1, EntryId(5, 0)), row(1, EntryId(5, 1))], True),
        ([row(1, EntryId(5, 1)), row(1, EntryId(5, 0))], False),
    ],
)
def test_order_is_that_of_arrival(rows: list[EventRow], expected: bool) -> None:
    assert is_in_order(rows, LATENESS_MS) is expected


def test_rows_come_out_by_time_and_are_what_they_were() -> None:
    """More of them than are written at once; those of one time as they came."""
    rows = [row(number // 3 + 1, route=f"/{number}") for number in range(25_000)]
    shuffled = sorted(rows, key=lambda one: random.Random(one.time_ms).random())
    assert list(in_order(shuffled)) == rows


def test_rows_with_entries_come_out_by_their_ids() -> None:
    ids = [EntryId(5, 2**63 - 2), EntryId(5, 9), EntryId(5, 10), EntryId(4, 99)]
    assert [one.entry_id for one in in_order(row(1, one) for one in ids)] == [ids[3], ids[1], ids[2], ids[0]]
