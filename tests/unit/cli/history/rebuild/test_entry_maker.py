"""Rows become entries whose ids follow from the rows alone, and ascend."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from barograph_cli.history.log.selection import LogEntry
from barograph_cli.history.rebuild.entry_maker import EntryMaker
from barograph_cli.history.rows.event_row import EventRow
from barograph_core.decode.batch import EventBatch, decode_batch
from barograph_core.events.kinds import KINDS
from barograph_core.server.link import Value
from barograph_core.server.replies import EntryId

ROW = EventRow(1_000, None, "ranker", "import:1", KINDS["request"], ("/a", "GET"), 200, (12.5,))
MODEL = EventRow(1_000, None, "ranker", "import:1", KINDS["model"], ("m", "1"), None, (None, 0.5, None, 2.0))


def entries(rows: Iterable[EventRow]) -> list[LogEntry]:
    maker = EntryMaker()
    return [*(entry for row in rows for entry in maker.add(row)), *maker.finish()]


def decoded(entry: LogEntry) -> EventBatch:
    fields: Mapping[str, Value] = {str(name): value for name, value in entry.fields.items()}
    return decode_batch({name.encode(): v if isinstance(v, bytes) else str(v).encode() for name, v in fields.items()})


def at(*times_ms: int) -> list[EventRow]:
    return [replace(ROW, time_ms=time_ms) for time_ms in times_ms]


def test_an_event_arrives_with_the_newest_before_it() -> None:
    """What is out of order is as late as it would have been on a live log."""
    assert [str(entry.id) for entry in entries(at(5_000, 5_900, 6_000, 1_000, 7_000))] == ["5900-0", "6000-0", "7000-0"]


def test_rows_of_one_window_share_an_entry_for_each_kind() -> None:
    found = entries([ROW, MODEL, replace(ROW, time_ms=1_500, status=503, values=(None,))])
    batches = [decoded(entry) for entry in found]
    assert [(str(entry.id), batch.kind.name, batch.n) for entry, batch in zip(found, batches, strict=True)] == [
        ("1500-0", "request", 2),
        ("1500-1", "model", 1),
    ]


def test_rows_that_name_their_entry_come_back_in_it() -> None:
    rows = [replace(ROW, entry_id=EntryId(9_000, seq)) for seq in (0, 0, 4)]
    assert [(str(entry.id), decoded(entry).n) for entry in entries(rows)] == [("9000-0", 2), ("9000-4", 1)]


def test_an_entry_that_comes_too_late_in_the_file_arrives_after_those_before_it() -> None:
    """A log's ids ascend: a file out of order is a log on which these came late."""
    rows = [replace(ROW, entry_id=EntryId(ms, 0)) for ms in (9_000, 8_000, 9_000, 9_001)]
    assert [str(entry.id) for entry in entries(rows)] == ["9000-0", "9000-1", "9000-2", "9001-0"]


def test_many_rows_are_split_into_entries_that_can_be_read() -> None:
    """By number, by weight, and by bytes."""
    many = entries(at(*[1_000] * 2_500))
    heavy = entries([replace(ROW, weight=1_000)] * 150)
    labels = [tuple(f"{number:03d}{'x' * 250}" for _ in range(2)) for number in range(1_000)]
    large = entries(
        [replace(ROW, labels=(*pair, *(text for n in range(10) for text in (f"k{n}", "y" * 256)))) for pair in labels]
    )
    for found, rows in ((many, 2_500), (heavy, 150), (large, 1_000)):
        assert sum(decoded(entry).n for entry in found) == rows
        assert [entry.id for entry in found] == sorted({entry.id for entry in found})


def test_a_series_beyond_the_cap_comes_back_as_the_rest() -> None:
    (entry,) = entries([replace(ROW, is_other=True)])
    assert decoded(entry).labels == (("__other__", "__other__"),)
