"""The figures next to the roll-ups: the same numbers as the panes have, in records of one size."""

import math

import numpy as np
import pytest

from barograph_core.errors import MalformedEventError
from barograph_core.events.kinds import KINDS
from barograph_core.panes.pane import Pane
from barograph_core.store.blocks import WHOLE, parse_series_name, series_name
from barograph_core.store.figure_records import STORED_QUANTILES, field_of, figure_fields, read_records, record_format
from barograph_core.store.figures import Figures
from tests.batches import Event, custom, decoded, model, panes_by_start, request

REQUESTS = [
    request(1_000 + number, 0.1 * number, f"/{number % 3}", 500 if number % 7 == 0 else 200) for number in range(90)
]
MODELS = [
    model(0.5, 2.0, version="1", failed=0.0),
    model(None, 7.5, version="1"),
    *[model(None, version="1", failed=1.0)] * 2,
    model(-3.0, version="2"),
]
CUSTOM = [custom(value, name="a") for value in (-2.5, 0.0, 5e-324, 1e150)] + [custom(None, name="b")]


def pane_of(kind: str, events: list[Event]) -> Pane:
    return panes_by_start([decoded(kind, events)], 10_000)[0]


def read_back(kind: str, measure: int, fields: list[str | bytes]) -> Figures:
    records = [bytes(record) for record in fields[1::2] if isinstance(record, bytes)]
    rows = np.arange(len(records))
    return Figures.of_records(KINDS[kind], measure, b"".join(records), rows, np.full(len(rows), 60_000), 1_000)


@pytest.mark.parametrize(("kind", "events"), [("request", REQUESTS), ("model", MODELS), ("custom", CUSTOM)])
def test_figures_are_those_of_the_pane(kind: str, events: list[Event]) -> None:
    """Of every measure of every series, and of the kind as a whole, to the last bit."""
    pane = pane_of(kind, events)
    fields = figure_fields(pane.tables, place=7)
    rows = [*pane.whole().series(kind), *pane.series(kind)]
    assert fields[::2] == [series_name(kind, row.labels) for row in rows]
    for measure, name in enumerate(KINDS[kind].measure_names):
        figures = read_back(kind, measure, fields)
        assert figures.starts_ms.tolist() == [67_000] * len(rows)
        assert figures.events.tolist() == [row.count for row in rows]
        assert figures.errors.tolist() == [row.errors for row in rows]
        assert figures.outcomes.tolist() == [row.outcomes for row in rows]
        for at, summary in enumerate(row.measures[name] for row in rows):
            assert figures.counts[at] == summary.count
            if summary.count:
                assert (figures.totals[at], figures.minimum[at], figures.maximum[at]) == (
                    summary.sum,
                    summary.minimum,
                    summary.maximum,
                )
                assert [figures.quantiles[q][at] for q in STORED_QUANTILES] == [
                    summary.quantile(q) for q in STORED_QUANTILES
                ]


def test_figures_come_straight_from_a_table_too() -> None:
    """At any quantile."""
    pane = pane_of("request", REQUESTS)
    (table,) = pane.tables
    places = np.arange(len(table.labels))
    figures = Figures.of_table(table, 0, (0.1, 0.999), places, places * 0)
    durations = [row.measures["duration_ms"] for row in pane.series("request")]
    assert figures.quantiles[0.999].tolist() == [duration.quantile(0.999) for duration in durations]
    assert figures.averages.tolist() == [duration.sum / duration.count for duration in durations]


def test_an_average_of_nothing_is_not_a_number() -> None:
    figures = read_back("custom", 0, figure_fields(pane_of("custom", [custom(None)]).tables, 0))
    assert figures.events.tolist() == [1, 1]
    assert all(math.isnan(average) for average in figures.averages.tolist())


def test_sampled_records_are_marked() -> None:
    """A figure that is an estimate is marked as one."""
    pane = pane_of("request", [request(weight=10), request(route="/b")])
    # The kind as a whole, /b, then /predict.
    assert read_back("request", 0, figure_fields(pane.tables, 0)).estimated.tolist() == [True, False, True]


@pytest.mark.parametrize(("kind", "events"), [("request", REQUESTS), ("model", MODELS), ("custom", CUSTOM)])
def test_a_field_states_the_size_of_its_records(kind: str, events: list[Event]) -> None:
    """It is read back as the records that it was made of."""
    fields = figure_fields(pane_of(kind, events).tables, place=7)
    records = [bytes(record) for record in fields[1::2] if isinstance(record, bytes)]
    assert read_records(KINDS[kind], field_of(records)) == b"".join(records)


def test_field_names_are_read_back() -> None:
    """Whatever the labels hold; the other fields of a block are no series."""
    labels = ("/é[]\"'", "GET", "tenant", "x,y")
    assert parse_series_name(series_name("request", labels).encode()) == ("request", labels)
    assert parse_series_name(series_name("system", WHOLE).encode()) == ("system", ())
    assert [parse_series_name(name) for name in (b"60000", b"r60000", b"missing")] == [None, None, None]


@pytest.mark.parametrize("name", [b"[", b"[]", b"[1]", b'["request",2]', b"[\xff]"])
def test_foreign_field_names_are_refused(name: bytes) -> None:
    with pytest.raises(MalformedEventError, match="is not the name of a series"):
        parse_series_name(name)


def test_records_that_are_cut_are_refused() -> None:
    """Foreign data must not be shown as figures."""
    size = record_format(KINDS["request"]).itemsize
    with pytest.raises(MalformedEventError, match="are not 2 figures"):
        Figures.of_records(KINDS["request"], 0, b"x" * (size + 1), np.arange(2), np.zeros(2, np.int64), 1_000)
