"""Label sets are read once, numbered for good, and forgotten in time."""

import pytest

from barograph_core.decode import label_table
from barograph_core.decode.block import EventBlock
from barograph_core.decode.entries import EntryDecoder
from barograph_core.decode.label_table import LabelTable
from barograph_core.events.kinds import KINDS
from barograph_core.events.messagepack import pack
from barograph_core.numerics.arrays import IntArray
from tests.batches import Event, entry, request


def block_of(decoder: EntryDecoder, *events: Event) -> EventBlock:
    (block,) = decoder.decode([entry("request", events)]).blocks
    return block


def labels_of(table: LabelTable, numbers: IntArray) -> list[tuple[str, ...]]:
    ranks: list[int] = table.series[numbers].tolist()
    return [table.labels[rank] for rank in ranks]


def test_a_number_means_the_same_label_set_however_many_come_later() -> None:
    """A block may be counted after others have been decoded; the order of the series is still that of their labels."""
    table = LabelTable(KINDS["request"])
    (first,) = table.numbers([pack([["/b", "GET", 200], ["/b", "GET", 500]])])
    before = labels_of(table, first)
    (second,) = table.numbers([pack([["/a", "GET", 200], ["/b", "GET", 500]])])
    assert labels_of(table, first) == before == [("/b", "GET")] * 2
    assert table.labels == [("/a", "GET"), ("/b", "GET")]
    assert (table.series[second].tolist(), table.status[second].tolist()) == ([0, 1], [200, 500])


def test_a_block_that_came_before_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry of one event must not pay for its labels each time."""
    table = LabelTable(KINDS["request"])
    block = pack([["/a", "GET", 200]])
    table.numbers([block])
    monkeypatch.setattr(label_table, "split_arrays", None)
    assert table.numbers([block, block])[1].tolist() == [0]


def test_blocks_are_forgotten_and_label_sets_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """With many series no two entries name the same ones."""
    monkeypatch.setattr(label_table, "_MAX_BLOCK_BYTES", 10)
    table = LabelTable(KINDS["request"])
    blocks = [pack([["/a", "GET", 200]]), pack([["/a", "GET", 200], ["/b", "GET", 200]])]
    assert [table.numbers([block])[0].tolist() for block in (*blocks, *blocks)] == [[0], [0, 1], [0], [0, 1]]
    assert len(table) == 2


@pytest.mark.parametrize("bound", ["_MAX_LABEL_SETS", "_MAX_LABEL_SET_BYTES"])
def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch, bound: str) -> None:
    """Labels of any client must not fill the memory: a new table begins, and the old blocks keep theirs."""
    monkeypatch.setattr(label_table, bound, 2)
    decoder = EntryDecoder()
    old = block_of(decoder, request(route="/a"), request(route="/b"), request(route="/c"))
    new = block_of(decoder, request(route="/d"))
    assert (list(new.table.labels), len(old.table)) == ([("/d", "GET")], 3)


def test_a_label_set_that_was_refused_leaves_no_trace() -> None:
    """It is refused again, and the valid ones next to it are numbered."""
    decoder = EntryDecoder()
    good = entry("request", [request(route="/a")])
    bad = {**good, b"data": good[b"data"].replace(b"GET", b"G\xffT")}
    for _ in range(2):
        found = decoder.decode([good, bad, good])
        assert [one.position for one in found.bad] == [1]
        assert sum(len(block) for block in found.blocks) == 2
