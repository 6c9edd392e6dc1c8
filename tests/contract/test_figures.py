"""Figures next to the roll-ups: written as these close, in the order of panes, revised with them, read by series."""

import pytest

from barograph_aggregator.close.closer import Closer
from barograph_aggregator.settings import AggregatorSettings
from barograph_core.errors import CommandRefusedError
from barograph_core.events.kinds import KINDS
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.link import Value
from barograph_core.steps import DEFAULT_KEEP, parse_keep
from barograph_core.store.figure_store import FigureRange, FigureStore, SeriesNames
from barograph_core.store.parts import marked
from barograph_core.workers.counters import WorkerCounters
from tests.batches import Event, decoded, panes_by_start, request

STEPS = parse_keep(DEFAULT_KEEP)
MINUTE = STEPS[2]
HOUR_MS = 3_600_000
REQUEST = KINDS["request"]
A, B = ("/a", "GET"), ("/b", "GET")


@pytest.fixture
def closer(connection: Connection, keys: ShardKeys) -> Closer:
    return Closer(connection, keys, AggregatorSettings(), STEPS, WorkerCounters())


def roll_up(connection: Connection, keys: ShardKeys, closer: Closer, minute: int, *events: Event) -> None:
    """Close a minute's roll-up that gets ``events``."""
    start_ms = minute * MINUTE.step_ms
    pane = panes_by_start([decoded("request", events)], MINUTE.step_ms)[start_ms]
    connection.command("RPUSH", keys.rollup_parts("ranker", MINUTE.step_ms, start_ms), marked(pane.pack()))
    connection.command("ZADD", keys.rollups, start_ms + MINUTE.step_ms, f"ranker:{MINUTE.step_ms}:{start_ms}")
    closer.advance(2 * HOUR_MS)


def counts(
    store: FigureStore, from_minute: int, to_minute: int, *series: tuple[str, ...]
) -> list[tuple[int, int, int]]:
    """Return series, minute and count of each figure."""
    where = FigureRange("ranker", MINUTE, from_minute * MINUTE.step_ms, to_minute * MINUTE.step_ms)
    figures, _ = store.read(where, REQUEST, 0, series)
    minutes = (figures.starts_ms // MINUTE.step_ms).tolist()
    return list(zip(figures.series.tolist(), minutes, figures.counts.tolist(), strict=True))


def test_figures_lie_in_the_order_of_the_panes(connection: Connection, keys: ShardKeys, closer: Closer) -> None:
    """Whatever order these closed in, one for each that had an event of the series, over several blocks."""
    for minute in (5, 61, 2, 3):
        events = [request(minute * 60_000 + number, route="/a") for number in range(minute)]
        roll_up(
            connection, keys, closer, minute, *events, *([request(minute * 60_000, route="/b")] if minute == 3 else [])
        )
    store = FigureStore(connection, keys, SeriesNames())
    assert counts(store, 0, 120, A, B) == [(0, 2, 2), (0, 3, 3), (0, 5, 5), (1, 3, 1), (0, 61, 61)]
    assert counts(store, 3, 61, A) == [(0, 3, 3), (0, 5, 5)]
    assert counts(store, 0, 120, ()) == [(0, 2, 2), (0, 3, 4), (0, 5, 5), (0, 61, 61)]


def test_a_revision_replaces_the_figures(connection: Connection, keys: ShardKeys, closer: Closer) -> None:
    """The new record replaces the old one, whether it is the first, the last or between others."""
    for minute in (1, 2, 3):
        roll_up(connection, keys, closer, minute, request(minute * 60_000, route="/a"))
    for minute in (2, 3, 1):
        roll_up(connection, keys, closer, minute, request(minute * 60_000 + 1, route="/a"))
    store = FigureStore(connection, keys, SeriesNames())
    assert counts(store, 0, 60, A) == [(0, 1, 2), (0, 2, 2), (0, 3, 2)]


def test_the_names_of_a_block_are_those_it_has_now(connection: Connection, keys: ShardKeys, closer: Closer) -> None:
    """They are kept between queries, but not past the coming of another series."""
    store = FigureStore(connection, keys, SeriesNames())
    where = FigureRange("ranker", MINUTE, 0, HOUR_MS)
    assert store.series(where, "request") == []
    roll_up(connection, keys, closer, 1, request(60_000, route="/a"))
    assert [store.series(where, "request"), store.series(where, "request")] == [[A], [A]]
    roll_up(connection, keys, closer, 1, request(60_001, route="/b"))
    assert (store.series(where, "request"), store.series(where, "model")) == ([A, B], [])


def test_figures_tell_how_many_instances_are_missing(connection: Connection, keys: ShardKeys, closer: Closer) -> None:
    """As the panes do, of the range that is asked."""
    connection.command("ZADD", keys.producers("ranker"), 2 * 60_000 + 30_000, "host:1:00000000000000ab")
    roll_up(connection, keys, closer, 1, request(60_000))
    roll_up(connection, keys, closer, 2, request(120_000))
    store = FigureStore(connection, keys, SeriesNames())
    ranges = [FigureRange("ranker", MINUTE, minute * 60_000, (minute + 1) * 60_000) for minute in (1, 2)]
    assert [store.read(where, REQUEST, 0, [A])[1] for where in ranges] == [0, 1]


def test_a_roll_up_without_proper_figures_is_refused(connection: Connection, keys: ShardKeys) -> None:
    """Before anything is written."""
    block = keys.panes("ranker", 60_000, 0)
    names = [keys.open, keys.rollups, keys.closed, keys.producers("ranker"), keys.metrics, keys.progress, keys.heard]
    names += [keys.blocks("ranker"), keys.rollup_parts("ranker", 60_000, 0), block]
    names += [keys.rollup_parts("ranker", HOUR_MS, 0)] * 2
    head: list[Value] = ["ranker", 1_000, 300_000, 3_600_000, 7_200_000, 0, b"new mark"]
    pane: list[Value] = [60_000, 0, 0, b"", -1, 900_000, HOUR_MS, 0, b"pane", b"", 2, "r0", b"record"]
    with pytest.raises(CommandRefusedError, match="lacks its figures"):
        connection.call("baro_close_1", names, [*head, *pane])
    assert connection.command("EXISTS", block) == 0


def test_names_of_a_block_that_gains_series_take_bounded_memory(connection: Connection, keys: ShardKeys) -> None:
    """Each new series of a block is another set of names: what is in no block any more is forgotten."""
    names, block = SeriesNames(), keys.panes("ranker", 10_000, 0)
    for number in range(50):
        connection.command("HSET", block, f'["request","/{number}","GET"]', b"figures")
        (found,) = names.of_blocks(connection, [block])
        assert len(found["request"]) == number + 1
    assert names.held <= 2
