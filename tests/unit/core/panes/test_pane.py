"""Panes count exactly, merge in any order to the same bytes, and read back nothing but themselves."""

import math

import pytest

from barograph_core.errors import EmptySketchError, MalformedEventError
from barograph_core.events.kinds import OTHER_LABEL
from barograph_core.events.messagepack import pack, unpack_array
from barograph_core.numerics.exact import ExactSum
from barograph_core.panes.grouping import Groupings
from barograph_core.panes.pane import Pane
from tests.batches import Event, custom, decoded, model, panes_by_start, request, values
from tests.reference import exact_sum


def pane_of(kind: str, *events: Event) -> Pane:
    (pane,) = panes_by_start([decoded(kind, events)], 1_000).values()
    return pane


REQUESTS = [
    request(1_000, 10.0, "/b"),
    request(1_999, 30.0, "/a", 500),
    request(1_500, None, "/a", 404),
    request(1_001, 0.1, "/a"),
]
MIXED = Pane.merge(
    [
        pane_of("request", *REQUESTS),
        pane_of("model", model(-1.5, 0.0), model(2.5, version="8"), model(None, version="9")),
        pane_of("custom", custom(-3.0, zone="eu"), custom(4.0, zone="us"), custom(0.0), custom(7.0, name="gpu")),
    ]
)


def test_events_go_where_their_time_says() -> None:
    """A pane begins at a whole multiple of the step, and holds what lies before the next."""
    events = [request(time_ms) for time_ms in (0, 999, 1_000, 5_500, 5_999)]
    panes = panes_by_start([decoded("request", events)], 1_000)
    assert {start: pane.event_count for start, pane in panes.items()} == {0: 2, 1_000: 1, 5_000: 2}
    assert list(panes) == sorted(panes)


def test_panes_far_apart_cost_no_more_than_their_events() -> None:
    """Times in a client's events may lie centuries apart."""
    events = [request(time_ms, route=f"/{time_ms}") for time_ms in (0, 10**6, 2**53 - 2)]
    assert list(panes_by_start([decoded("request", events)], 1_000)) == [0, 1_000_000, 9_007_199_254_740_000]


def test_no_batches_make_no_pane() -> None:
    assert panes_by_start([], 1_000) == {}


def test_a_series_is_summed_up() -> None:
    """Events that lack the measure count as events, not as values."""
    series = pane_of("request", *REQUESTS).series("request")
    assert [one.labels for one in series] == [("/a", "GET"), ("/b", "GET")]
    assert (series[0].count, series[0].errors, series[0].status) == (3, 1, {200: 1, 404: 1, 500: 1})
    duration = series[0].measures["duration_ms"]
    assert (duration.count, duration.sum, duration.minimum, duration.maximum) == (2, 30.1, 0.1, 30.0)
    assert duration.average == 15.05
    assert duration.stddev == pytest.approx(14.95)
    assert duration.quantile(1.0) == 30.0


def test_counts_of_the_whole() -> None:
    """What the metrics stream shows without opening the pane."""
    assert MIXED.kinds == ("request", "model", "custom")
    assert (MIXED.event_count, MIXED.requests, MIXED.errors) == (11, 4, 1)
    assert not MIXED.is_empty
    assert (Pane.EMPTY.event_count, Pane.EMPTY.requests, Pane.EMPTY.errors) == (0, 0, 0)
    assert Pane.EMPTY.is_empty


def test_a_measure_without_values_has_no_answer() -> None:
    """Its summary has no value, rather than zero."""
    (series,) = pane_of("model", model(1.0)).series("model")
    latency = series.measures["latency_ms"]
    assert (latency.count, latency.total, latency.minimum, latency.maximum) == (0, ExactSum(), math.inf, -math.inf)
    with pytest.raises(EmptySketchError):
        _ = latency.average
    with pytest.raises(EmptySketchError):
        _ = latency.stddev
    with pytest.raises(EmptySketchError):
        latency.quantile(0.5)


def test_a_quantile_never_leaves_the_values() -> None:
    """The middle of a bin may lie beyond the extremes."""
    (series,) = pane_of("request", request(duration_ms=1.001), request(duration_ms=1.002)).series("request")
    assert series.measures["duration_ms"].quantile(0.0) == 1.002  # the middle of the bin is 1.0078
    assert series.measures["duration_ms"].quantile(1.0) == 1.002


def test_a_constant_has_no_spread() -> None:
    """Squares are rounded; that must not look like a deviation."""
    (series,) = pane_of("request", *[request(duration_ms=0.1)] * 10).series("request")
    assert series.measures["duration_ms"].stddev == 0.0


def test_one_zero_only() -> None:
    """A negative zero would make the minimum depend on the order."""
    assert pane_of("custom", custom(-0.0)).pack() == pane_of("custom", custom(0.0)).pack()


def test_order_and_split_do_not_show() -> None:
    """The same events give the same bytes on any path."""
    once = pane_of("request", *REQUESTS)
    parts = [pane_of("request", event) for event in REQUESTS]
    assert Pane.merge(parts[::-1]).pack() == once.pack()
    assert Pane.merge([Pane.merge(parts[2:]), Pane.EMPTY, Pane.merge(parts[:2])]).pack() == once.pack()
    batches = [decoded("request", REQUESTS[1:]), decoded("request", REQUESTS[:1])]
    assert panes_by_start(batches, 1_000)[1_000].pack() == once.pack()


def test_very_many_events_are_added_in_pieces() -> None:
    """What is too much at once is split, and nothing is lost."""
    events = [request(1_000 + index % 1_000, index / 7, f"/{index % 3}", 200 + index % 2) for index in range(1_000)]
    batch = decoded("request", events)
    pane = panes_by_start([batch] * 70, 1_000)[1_000]
    (row,) = pane.group("request")
    assert row.status == {200: 35_000, 201: 35_000}
    assert row.measures["duration_ms"].sum == math.fsum(values(events) * 70)


def test_very_many_series_are_added_in_pieces() -> None:
    """Sums of many series over all magnitudes must not take unbounded memory; what is split is merged again."""
    batches = [
        decoded("model", [model(10.0**-index, version=f"{number}.{index}") for index in range(300)] * 3)
        for number in range(60)
    ]
    pane = panes_by_start(batches, 1_000)[1_000]
    (row,) = pane.group("model")
    assert row.count == 54_000
    assert row.measures["prediction"].sum == math.fsum([10.0**-index for index in range(300)] * 180)


def test_merging_nothing_gives_the_empty_pane() -> None:
    assert Pane.merge([]).is_empty
    assert Pane.merge([Pane.EMPTY, Pane.EMPTY]).pack() == Pane.EMPTY.pack()


def test_panes_of_the_same_series_merge_like_any_others() -> None:
    """Nothing is looked up for those."""
    again = Pane.unpack(MIXED.pack())
    assert Pane.merge([MIXED, again]).pack() == Pane.merge([again, Pane.EMPTY, MIXED]).pack()
    doubled = Pane.merge([MIXED, again]).series("request")
    assert [(one.labels, one.count) for one in doubled] == [(("/a", "GET"), 6), (("/b", "GET"), 2)]


def test_series_are_taken_in_any_order_and_more_than_once() -> None:
    """With what belongs to each: status, values and sums."""
    table = MIXED.table("request")
    assert table is not None
    series = list(table.series_summaries())
    taken = list(table.take([1, 0, 1]).series_summaries())
    assert taken == [series[1], series[0], series[1]]
    assert list(table.take([]).series_summaries()) == []


def test_groupings_are_those_of_the_series_that_there_are() -> None:
    """What is remembered of the last pane holds for the same series only."""
    known = Groupings()
    for pane in (MIXED, Pane.unpack(MIXED.pack()), pane_of("request", *REQUESTS[:1]), MIXED):
        table = pane.table("request")
        assert table is not None
        for by, where in ((("route",), {}), ((), {"route": "/a"}), (("method", "route"), {"route": "/b"})):
            folded = known.of(table.kind, table.labels, by, where).fold(table)
            assert list(folded.series_summaries()) == pane.group("request", by, where)


def test_grouping_merges_what_shares_labels() -> None:
    """Rows come in the order of their labels."""
    assert [(row.labels, row.count) for row in MIXED.group("model", ("model",))] == [(("ctr",), 3)]
    assert [(row.labels, row.count) for row in MIXED.group("model", ("version", "model"))] == [
        (("7", "ctr"), 1),
        (("8", "ctr"), 1),
        (("9", "ctr"), 1),
    ]


def test_grouping_by_nothing_gives_one_row_or_none() -> None:
    """An absent kind has no row: that is not the same as zero."""
    (row,) = MIXED.group("request")
    assert (row.labels, row.count, row.status) == ((), 4, {200: 2, 404: 1, 500: 1})
    assert MIXED.group("system") == []


def test_a_lacking_free_label_counts_as_empty() -> None:
    """Every series of a custom metric belongs to some row."""
    rows = MIXED.group("custom", ("zone", "name"))
    assert [(row.labels, row.measures["value"].sum) for row in rows] == [
        (("", "gpu"), 7.0),
        (("", "queue"), 0.0),
        (("eu", "queue"), -3.0),
        (("us", "queue"), 4.0),
    ]


def test_where_keeps_the_series_that_match() -> None:
    """Status and values of the others are left out too."""
    (row,) = MIXED.group("request", (), {"route": "/a"})
    assert (row.count, row.status) == (3, {200: 1, 404: 1, 500: 1})
    (row,) = MIXED.group("custom", ("name",), {"zone": "us"})
    assert (row.labels, row.measures["value"].sum) == (("queue",), 4.0)
    assert MIXED.group("request", (), {"route": "/none"}) == []


@pytest.mark.parametrize(("kind", "name"), [("system", "zone"), ("model", "route"), ("trace", "trace")])
def test_an_unknown_label_is_an_error(kind: str, name: str) -> None:
    """A typing error must not look like "no data"."""
    with pytest.raises(ValueError, match=name):
        MIXED.group(kind, (name,))


def test_the_whole_has_one_series_a_kind() -> None:
    """It travels on the metrics stream, so its size must not grow with the series."""
    whole = MIXED.whole()
    assert [(kind, [row.labels for row in whole.series(kind)]) for kind in whole.kinds] == [
        ("request", [()]),
        ("model", [()]),
        ("custom", [()]),
    ]
    assert whole.group("request", ("route",))[0].labels == ("",)
    assert (whole.requests, whole.errors) == (4, 1)
    assert Pane.unpack(whole.pack()).pack() == whole.pack()


def test_refused_series_become_one() -> None:
    """Counts survive the cap on series; only the labels are lost."""
    capped = MIXED.with_admitted(lambda kind, labels: kind == "model" or "/a" in labels)
    assert [row.labels for row in capped.series("request")] == [("/a", "GET"), (OTHER_LABEL, OTHER_LABEL)]
    assert [(row.labels, row.count) for row in capped.series("custom")] == [((OTHER_LABEL,), 4)]
    assert [row.labels for row in capped.series("model")] == [row.labels for row in MIXED.series("model")]
    assert capped.event_count == MIXED.event_count


def test_a_packed_pane_reads_back() -> None:
    """All that a reader can ask for is the same."""
    again = Pane.unpack(MIXED.pack())
    assert again.pack() == MIXED.pack()
    assert [again.series(kind) for kind in again.kinds] == [MIXED.series(kind) for kind in MIXED.kinds]


def test_a_packed_event_is_small() -> None:
    """Parts of quiet services are kept in memory by the thousand."""
    assert len(pane_of("request", request()).pack()) < 100


def test_a_deviation_comes_from_exact_sums() -> None:
    """In sums of floats the squares of large values with a small spread cancel to nothing."""
    numbers = [1e6 + index % 3 for index in range(999)]
    (series,) = pane_of("custom", *map(custom, numbers)).series("custom")
    assert series.measures["value"].stddev == pytest.approx(math.sqrt(2 / 3), rel=1e-15)
    assert series.measures["value"].squares == exact_sum(number * number for number in numbers)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not our MessagePack"),
        (b"\x90", "pane version None"),
        (pack([3]), "pane version 3 is not 1 to 2"),
        (pack([True]), "pane version True"),
        (pack([1, "request"]), "not 3 for each kind"),
        (pack([2, "request", 1, 1]), "not 5 for each kind"),
        (pack([1, "trace", 1, b""]), "pane kinds"),
        (pack([2, "trace", 1, 0, 1, b""]), "pane kinds .* a newer version wrote the pane"),
        (pack([2, *("trace", 1, 0, 1, b"") * 20]), "pane kinds"),
        (pack([2, "request", 1, 1, 1, b""]), "ends 1 bytes after the data"),
        (pack([2, "request", 0, 1, 1, b""]), "0 is not a number of measures"),
        (pack([2, "request", True, 1, 1, b""]), "True is not a number of measures"),
        (pack([2, "request", b"1", 1, 1, b""]), "is not a number of measures"),
        (pack([2, "request", 2, 1, 1, b""]), "2 measures of request are more than the 1 .* a newer version wrote"),
        (pack([2, "request", 1, 2, 1, b""]), "2 tallies of request are not 1"),
        (pack([2, "custom", 1, True, 1, b""]), "True tallies of custom are not 0"),
        (pack([1, "model", 1, b"", "request", 1, b""]), "pane kinds"),
        (pack([1, "request", 0, b""]), "0 is not 1 to"),
        (pack([1, "request", 10**9, b""]), "1000000000 is not 1 to"),
        (pack([1, "request", 1, 7]), "are not bytes"),
        (pack([1, "request", 1, b""]), "ends 1 bytes after the data"),
        (pack([1, "request", 1, b"d\0"]), "unknown column code"),
        (pack([1, "request", 90_000, b"B"]), "ends 90000 bytes after the data"),
        (pack([1, "request", 1, b"H\0\0"]), "wider column code"),
        (b"\xdc\0\1\1", "not in its shortest form"),
    ],
)
def test_what_is_no_pane_is_refused(data: bytes, reason: str) -> None:
    """With a reason, and before anything large is made."""
    with pytest.raises(MalformedEventError, match=reason):
        Pane.unpack(data)


def test_no_byte_of_a_pane_can_change_unseen() -> None:
    """Each damaged byte is refused or gives another pane, which packs to the damaged bytes."""
    whole = MIXED.pack()
    for position in range(len(whole)):
        for change in (1, 0x80):
            damaged = whole[:position] + bytes([whole[position] ^ change]) + whole[position + 1 :]
            try:
                assert Pane.unpack(damaged).pack() == damaged
            except MalformedEventError:
                continue


def test_a_cut_or_longer_pane_is_refused() -> None:
    """Lengths must fit to the byte."""
    whole = MIXED.pack()
    for end in range(len(whole)):
        with pytest.raises(MalformedEventError):
            Pane.unpack(whole[:end])
    version, kind, measures, tallies, size, content, *rest = unpack_array(whole, max_items=20)
    assert isinstance(content, bytes)
    with pytest.raises(MalformedEventError, match="1 bytes follow the last column"):
        Pane.unpack(pack([version, kind, measures, tallies, size, content + b"\0", *rest]))


SAMPLED = pane_of("request", request(weight=50, tenant="acme"), request(tenant="acme"), request(tenant="zeta"))


def test_estimates_are_counted_in_each_series() -> None:
    """Only the events whose record stood for more than one; merging adds them up."""
    assert [(row.labels[3], row.count, row.estimated) for row in SAMPLED.series("request")] == [
        ("acme", 51, 50),
        ("zeta", 1, 0),
    ]
    assert [(row.count, row.estimated) for row in Pane.merge([SAMPLED, SAMPLED]).group("request")] == [(104, 100)]
    assert (SAMPLED.requests, SAMPLED.estimated, MIXED.estimated) == (52, 50, 0)


def test_estimates_survive_packing() -> None:
    """In one form only; a pane without any takes one byte for them."""
    again = Pane.unpack(SAMPLED.pack())
    assert again.series("request") == SAMPLED.series("request")
    assert again.pack() == SAMPLED.pack()


def test_no_byte_of_a_pane_of_estimates_can_change_unseen() -> None:
    """As for any other pane."""
    whole = SAMPLED.pack()
    for position in range(len(whole)):
        damaged = whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :]
        try:
            assert Pane.unpack(damaged).pack() == damaged
        except MalformedEventError:
            continue


def test_requests_group_by_their_free_labels() -> None:
    """By any label name; a request without it counts as having it empty."""
    pane = Pane.merge([SAMPLED, pane_of("request", request(status=500))])
    rows = pane.group("request", ("tenant",), {"route": "/predict"})
    assert [(row.labels, row.count, row.errors) for row in rows] == [
        (("",), 1, 1),
        (("acme",), 51, 0),
        (("zeta",), 1, 0),
    ]
    assert pane.group("request", (), {"tenant": "zeta"})[0].count == 1


def test_refused_series_with_free_labels_become_one() -> None:
    """The series beyond the cap is the kind's own, whatever labels the refused ones had."""
    capped = SAMPLED.with_admitted(lambda _kind, labels: "acme" in labels)
    assert [(row.labels, row.count) for row in capped.series("request")] == [
        (("/predict", "GET", "tenant", "acme"), 51),
        ((OTHER_LABEL, OTHER_LABEL), 1),
    ]
