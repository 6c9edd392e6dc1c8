"""How many entries a worker reads at once."""

from barograph_core.server.replies import Entry, EntryId
from barograph_core.workers.read_size import ReadSize


def entries(count: int, size: int) -> list[Entry]:
    return [Entry(EntryId(1, number), {b"data": b"x" * size, b"v": b"1"}) for number in range(count)]


def test_small_entries_are_soon_read_by_the_thousand() -> None:
    """Few round trips for many small entries."""
    size = ReadSize(1_000)
    counts = []
    for _ in range(3):
        counts.append(size.count)
        size.note(entries(3, 100))
    assert counts == [64, 1_000, 1_000]


def test_large_entries_are_read_by_what_they_take() -> None:
    """A thousand of the largest that there may be would be a gigabyte."""
    size = ReadSize(1_000)
    size.note(entries(2, 1_048_576))
    assert size.count == 31
    size.note(entries(1, 64 * 1_048_576))
    assert size.count == 1
    size.note([])
    assert size.count == 1
    size.note(entries(1, 100))
    assert size.count == 16


def test_a_small_setting_holds_from_the_start() -> None:
    """It is the limit of a commit too."""
    assert ReadSize(10).count == 10
