"""An event batch survives its way through a stream, and nothing else passes for one."""

import math
import struct
import subprocess
import sys

import numpy as np
import pytest

from barograph_core.decode.batch import decode_batch
from barograph_core.errors import MalformedEventError
from barograph_core.events.encode import encode_batch, entry_fields
from barograph_core.events.kinds import KINDS, MAX_BATCH_BYTES, MAX_EVENTS_PER_BATCH
from barograph_core.events.messagepack import pack
from tests.batches import Event, custom, decoded, encoded, entry, model, request, with_fields

FIELDS = ["v", "kind", "service", "instance", "seq", "n", "first_ms", "last_ms", "through_ms", "data"]
TWO = [request(1_005, 1.5, "/a"), request(1_000, 2.5, "/b", status=503)]
# The parts of the data of TWO, to be spoilt one at a time.
LABELS: list[object] = [["/a", "GET", 200], ["/b", "GET", 503]]
SERIES: object = ["B", b"\0\1"]
TIMES: object = ["B", b"\5\0"]
DURATIONS: object = ["d", struct.pack("<2d", 1.5, 2.5)]


def two(
    *,
    base_ms: object = 1_000,
    labels: object = LABELS,
    series: object = SERIES,
    times: object = TIMES,
    columns: object = (DURATIONS,),
    weights: tuple[object, ...] = (),
) -> dict[bytes, bytes]:
    return with_fields(entry("request", TWO), data=pack([base_ms, labels, series, times, columns, *weights]))


def column(code: str, *values: float) -> list[object]:
    return [code, struct.pack(f"<{len(values)}{code}", *values)]


def test_a_batch_comes_back_as_it_was_written() -> None:
    """Labels, status, times and values survive."""
    batch = decoded("request", TWO)
    assert batch.kind is KINDS["request"]
    assert (batch.service, batch.instance, batch.seq, batch.n) == ("ranker", "host:1:00000000000000ab", 1, 2)
    assert (batch.first_ms, batch.last_ms, batch.through_ms) == (1_000, 1_005, 0)
    assert batch.labels == (("/a", "GET"), ("/b", "GET"))
    assert batch.status is not None
    assert batch.status.tolist() == [200, 503]
    assert batch.series.tolist() == [0, 1]
    assert batch.times_ms.tolist() == [1_005, 1_000]
    assert batch.columns[0] is not None
    assert batch.columns[0].tolist() == [1.5, 2.5]


def test_a_measure_that_no_event_has_takes_no_column() -> None:
    """Absent values stay absent: a column of one event's value is NaN for the other."""
    batch = decoded("model", [model(-0.5), model(None, 3.0)])
    assert batch.status is None
    assert batch.columns[0] is None
    assert batch.columns[1] is None
    np.testing.assert_array_equal(batch.columns[2], [-0.5, math.nan])
    np.testing.assert_array_equal(batch.columns[3], [math.nan, 3.0])


def test_free_labels_follow_the_name() -> None:
    """A custom event's labels come back in wire order."""
    batch = decoded("custom", [custom(1.0, zone="eu", disk="sda"), custom(2.0)])
    assert batch.labels == (("queue", "disk", "sda", "zone", "eu"), ("queue",))


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ([0, 255], b"B"),
        ([3.0, 256], b"H"),
        ([65_536.0], b"I"),
        ([2**32], b"Q"),
        ([2.0**53], b"Q"),
        ([2.0**54], b"d"),
        ([0.5, 1], b"d"),
        ([-1.0], b"d"),
        ([math.nan, 1.0], b"d"),
    ],
)
def test_whole_numbers_travel_in_the_narrowest_column(values: list[float], code: bytes) -> None:
    """A count costs a byte or two, and no value loses anything."""
    batch = encode_batch(KINDS["custom"], [("queue",)], [0] * len(values), [7] * len(values), [values])
    assert batch.data[-len(values) * struct.calcsize(code.decode()) - 2 :].lstrip(b"\xa1")[:1] == code
    column = decoded("custom", [custom(value) for value in values]).columns[0]
    np.testing.assert_array_equal(column, values)


def test_labels_may_hold_any_text() -> None:
    """Not only ASCII, and NUL too."""
    labels = [("/naïve/\0", "GET"), ("", "雪")]
    batch = decoded("request", [Event((*label, 200), 0, (1.0,)) for label in labels])
    assert batch.labels == tuple(labels)


def test_the_fields_stand_in_wire_order() -> None:
    """The plain-text fields that describe an entry come before the bulk."""
    fields = entry_fields(encoded("request", TWO), service="s", instance="i", seq=9, through_ms=1_006)
    assert list(fields) == FIELDS
    assert [fields[name] for name in ("v", "seq", "n", "first_ms", "last_ms")] == ["1", 9, 2, 1_000, 1_005]


def test_encoding_needs_no_numpy() -> None:
    """A producer lives in someone else's process."""
    program = "import sys, barograph_core.events.encode; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_is_needed(name: str) -> None:
    """The reason names the field that is missing, and the error carries the others."""
    fields = with_fields(entry("request", TWO), **{name: None})
    with pytest.raises(MalformedEventError, match=f"^field {name} is missing$") as caught:
        decode_batch(fields)
    assert caught.value.fields == fields


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"v": b"2"}, r"^v b'2' is not a known schema version"),
        ({"kind": b"trace"}, r"^kind b'trace' is none of request, model, system, custom$"),
        ({"kind": b"\xff"}, r"^kind .* is not UTF-8$"),
        ({"kind": b"model"}, r"^labels of a model event are not 2 items each$"),
        ({"service": b"a b"}, r"^service 'a b' is not"),
        ({"service": b"s" * 65}, r"^service .* is not 1 to 64 bytes$"),
        ({"service": b"ranker\n"}, r"^service"),
        ({"instance": b"a\nb"}, r"^instance 'a\\nb' is not printable$"),
        ({"instance": b""}, r"^instance"),
        ({"n": b"0"}, r"^n 0 is not in 1..1000$"),
        ({"n": b"1001"}, r"^n 1001 is not in 1..1000$"),
        ({"n": b"-2"}, r"^n b'-2' is not a whole number"),
        ({"n": b"1"}, r"^labels"),
        ({"n": b"3"}, r"^times of code b'B' is 2 bytes, not 3$"),
        ({"seq": b"1e3"}, r"^seq b'1e3'"),
        ({"seq": b"9" * 5_000}, r"^seq b'9999.* is not a whole number"),
        ({"through_ms": b"9007199254740992"}, r"^through_ms"),
        ({"first_ms": b"999"}, r"^base_ms 1000 is not first_ms 999$"),
        ({"last_ms": b"1006"}, r"^times span 1000..1005, the header says 1000..1006$"),
        ({"data": b""}, r"^data is not our MessagePack"),
        ({"data": b"\x01"}, r"^data is not our MessagePack"),
        ({"data": pack([1, 2, 3])}, r"^data holds 3 parts, not 5 or 6$"),
        ({"data": b"\x95" * 100_000}, r"^data is not our MessagePack"),
        ({"data": b"\x00" * (MAX_BATCH_BYTES + 1)}, r"^data of 1048577 bytes is longer than 1048576$"),
    ],
)
def test_a_wrong_header_is_refused(changes: dict[str, bytes], reason: str) -> None:
    """Header and data must agree, and every field must be valid."""
    with pytest.raises(MalformedEventError, match=reason):
        decode_batch(with_fields(entry("request", TWO), **changes))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (two(base_ms=None), r"^base_ms None"),
        (two(base_ms=1_000.0), r"^base_ms 1000.0"),
        (two(labels=b"/a"), r"^labels are not an array of label sets"),
        (two(labels=[]), r"^labels"),
        (two(labels=[*LABELS, ["/c", "GET", 200]]), r"^labels"),
        (two(labels=["/a", "/b"]), r"^labels .* holds something that is no array$"),
        (two(labels=[["/a", "GET"], ["/b", "GET"]]), r"^labels are not 3 items and up to 16 pairs each$"),
        (two(labels=[["/a", "GET", 200, "k"], ["/b", "GET", 200]]), r"^labels are not 3 items and up to 16 pairs"),
        (two(labels=[["/a", "GET", "k", 200, "v"], ["/b", "GET", 200]]), r"^labels .*200.* are not all text"),
        (two(labels=[["/a", "GET", 200, "k", 1], ["/b", "GET", 200]]), r"^labels .* are not all text$"),
        (two(labels=[["/a", "GET", 200, "", "v"], ["/b", "GET", 200]]), r"^label names .* are empty, repeated or"),
        (two(labels=[["/a", "GET", 200, "k", "v", "k", "v"], ["/b", "GET", 200]]), r"^label names .* are empty, rep"),
        (two(labels=[["/a", 1, 200], ["/b", "GET", 200]]), r"^labels \(1, b'GET'\) are not all text$"),
        (two(labels=[["/a", "GET", 200], ["/b", "GET", True]]), r"^status \[200, True\] is not all integers$"),
        (two(labels=[["/a", "GET", 200], ["/b", "GET", 1_000]]), r"^status 1000 is not in 0..999$"),
        (two(labels=[["/a", "GET", 200], ["/b", "GET", -1]]), r"^status -1 is not in 0..999$"),
        (two(labels=[["x" * 257, "GET", 200], ["/b", "GET", 200]]), r"^a label is longer than 256 bytes$"),
        (two(labels=[[b"\xff", "GET", 200], ["/b", "GET", 200]]), r"^labels are not UTF-8"),
        (two(series=["B", b"\0\2"]), r"^series holds 2, more than 1$"),
        (two(series=["B", b"\0"]), r"^series of code b'B' is 1 bytes, not 2$"),
        (two(series=column("d", 0, 1)), r"^series is a column of fractions$"),
        (two(series=["b", b"\0\1"]), r"^series has the unknown column code b'b'$"),
        (two(series=["B"]), r"^series .* is not a column of code and bytes$"),
        (two(series=None), r"^series None"),
        (two(times=["B", b"\5\1"]), r"^times span 1001..1005"),
        (two(times=column("Q", 5, 2**63)), r"^times holds 9223372036854775808"),
        (two(columns=[]), r"^columns \(\) is not one for each of 1 measures$"),
        (two(columns=None), r"^columns None"),
        (two(columns=[column("d", 1.5, -2.5)]), r"^duration_ms holds -2.5, not in 0..1e\+150$"),
        (two(columns=[column("d", math.inf, math.nan)]), r"^duration_ms holds inf"),
        (two(columns=[column("d", 1.0, 1e151)]), r"^duration_ms holds 1e\+151"),
        (two(columns=[column("d", 1.5)]), r"^duration_ms of code b'd' is 8 bytes, not 16$"),
        (two(columns=[column("Q", 1, 2**53 + 2)]), r"^duration_ms holds 9007199254740994"),
        (two(columns=[["f", b"\0" * 8]]), r"^duration_ms has the unknown column code b'f'$"),
        (two(weights=(column("B", 0, 1),)), r"^weights hold 0, not in 1..1000$"),
        (two(weights=(column("H", 1, 1_001),)), r"^weights hold 1001, not in 1..1000$"),
        (two(weights=(column("B", 1),)), r"^weights of code b'B' is 1 bytes, not 2$"),
        (two(weights=(column("d", 1, 2),)), r"^weights is a column of fractions$"),
        (two(weights=(None,)), r"^weights None is not a column of code and bytes$"),
        (two(weights=(column("B", 1, 2), None)), r"^data holds 7 parts, not 5 or 6$"),
    ],
)
def test_wrong_data_is_refused(fields: dict[bytes, bytes], reason: str) -> None:
    """Every part of the data is checked, and the reason names it and the value."""
    with pytest.raises(MalformedEventError, match=reason):
        decode_batch(fields)


@pytest.mark.parametrize(
    "labels",
    [
        [],
        ["queue", "zone"],
        ["queue", "zone", "eu", "disk", "sda"],
        ["queue", "zone", "eu", "zone", "us"],
        ["queue", "", "eu"],
        ["queue", *(text for index in range(17) for text in (f"k{index:02}", "v"))],
    ],
)
def test_free_labels_must_be_sorted_pairs(labels: list[str]) -> None:
    """One series has one spelling, and its size a bound."""
    fields = entry("custom", [custom(1.0)])
    with pytest.raises(MalformedEventError, match=r"^label"):
        decode_batch(with_fields(fields, data=pack([1_000, [labels], ["B", b"\0"], ["B", b"\0"], [["B", b"\1"]]])))


@pytest.mark.parametrize(
    "foreign",
    [
        pytest.param(b"\x80", id="map"),
        pytest.param(b"\xc4\x01a", id="bin"),
        pytest.param(b"\xd4\x01a", id="ext"),
        pytest.param(b"\xd6\xff\0\0\0\0", id="timestamp"),
        pytest.param(b"\xc7\x00\x05", id="empty ext"),
        pytest.param(b"\xc1", id="never used"),
    ],
)
@pytest.mark.parametrize("position", range(5))
def test_types_that_we_never_write_are_refused(foreign: bytes, position: int) -> None:
    """No maps, bin, ext or time stamps, wherever they stand."""
    parts = [pack(part) for part in (1_000, LABELS, SERIES, TIMES, [DURATIONS])]
    parts[position] = foreign
    with pytest.raises(MalformedEventError):
        decode_batch(with_fields(entry("request", TWO), data=b"\x95" + b"".join(parts)))


def test_the_largest_batch_is_read() -> None:
    """The limits include their ends."""
    events = [request(1_000 + index, float(index), f"/{index}") for index in range(MAX_EVENTS_PER_BATCH)]
    assert decoded("request", events).n == 1_000


def test_a_weight_says_how_many_events_a_record_stands_for() -> None:
    """Records stay as they were recorded. Code that counts events expands them."""
    batch = decoded("request", [request(1_000, 1.5, weight=3), request(1_001, 2.5, "/b")])
    assert (batch.n, batch.events) == (2, 4)
    assert batch.expanded().times_ms.tolist() == [1_000, 1_000, 1_000, 1_001]


def test_weights_of_one_take_no_room() -> None:
    """A batch without estimates is the same bytes whether it came with weights or not."""
    labels, columns = [("/a", "GET", 200)], [[1.5, 2.5]]
    plain = encode_batch(KINDS["request"], labels, [0, 0], [7, 8], columns)
    assert encode_batch(KINDS["request"], labels, [0, 0], [7, 8], columns, [1, 1]) == plain
    ones = decode_batch(two(weights=(["B", b"\1\1"],)))
    assert ones.weights is None


def test_the_events_that_a_batch_stands_for_are_bounded() -> None:
    """Expanding them needs memory, so the limit is a hundred thousand, inclusive."""
    most = [request(1_000, 1.0, weight=1_000)] * 100
    assert decoded("request", most).events == 100_000
    with pytest.raises(MalformedEventError, match="weights add up to 100001, more than 100000"):
        decoded("request", [*most, request()])


def test_a_request_may_have_free_labels_beside_others_without() -> None:
    """On the wire the status stands before them; in a series it does not stand at all."""
    batch = decoded("request", [request(tenant="acme", region="eu"), request(status=503)])
    assert batch.labels == (("/predict", "GET", "region", "eu", "tenant", "acme"), ("/predict", "GET"))
    assert batch.status is not None
    assert batch.status.tolist() == [200, 503]
