"""When an entry arrived: by its id, or by what the append function wrote beside an id that is ahead."""

import pytest

from barograph_aggregator.commit.lateness import Bounds, OutOfBounds, arrival_ms
from barograph_core.decode.entries import EntryDecoder
from barograph_core.server.replies import Entry, EntryId
from tests.support import request_batch

NOW_MS = 1_700_000_000_000
HOUR_MS = 3_600_000


def entry(id_ms: int, *, event_ms: int = NOW_MS, **more: bytes) -> Entry:
    sent = request_batch([(event_ms, "/a", 200, 5.0)])
    fields = {name.encode(): value if isinstance(value, bytes) else str(value).encode() for name, value in sent.items()}
    return Entry(EntryId(id_ms, 0), {**fields, **{name.encode(): value for name, value in more.items()}})


@pytest.mark.parametrize(
    ("found", "expected_ms"),
    [
        (entry(NOW_MS), NOW_MS),
        (entry(NOW_MS + HOUR_MS, at_ms=b"1700000000000"), NOW_MS),
        (entry(NOW_MS, at_ms=b"1700003600000"), NOW_MS),
        (entry(NOW_MS, at_ms=b"-1"), NOW_MS),
        (entry(NOW_MS, at_ms=b"9" * 40), NOW_MS),
        (entry(2**63), 2**53 - 1),
    ],
    ids=["by its id", "written beside", "later than its id", "not a number", "too long", "beyond every time"],
)
def test_an_entry_arrived_at_its_id_or_earlier(found: Entry, expected_ms: int) -> None:
    """Somebody else's field can make an event later, never earlier than the log says."""
    assert arrival_ms(found) == expected_ms


def test_an_event_behind_an_id_from_the_future_is_not_late() -> None:
    """And one without a written time is counted as late: nobody knows when it came."""
    entries = [
        entry(NOW_MS),
        entry(NOW_MS + HOUR_MS, at_ms=str(NOW_MS + 100).encode()),
        entry(2**63),
    ]
    dropped = OutOfBounds()
    (block,) = EntryDecoder().decode([one.fields for one in entries]).blocks
    kept = Bounds(600_000, 60_000).split(block, entries, dropped)
    assert (kept.events, dropped.late.total(), dropped.future.total()) == (2, 1, 0)
