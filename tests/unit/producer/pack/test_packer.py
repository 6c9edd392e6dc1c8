import math
from collections.abc import Mapping

import pytest

from barograph_core.decode.batch import EventBatch, decode_batch
from barograph_core.events.encode import EncodedBatch, entry_fields
from barograph_core.events.messagepack import unpack_array
from barograph_producer._pack.labels import LabelSets
from barograph_producer._pack.packer import Packer
from barograph_producer._record.buffer import Record
from barograph_producer._record.request_keys import RequestKeys, mark_of
from barograph_producer._stats import ProducerCounters


@pytest.fixture
def counters() -> ProducerCounters:
    return ProducerCounters()


def decoded(batch: EncodedBatch) -> EventBatch:
    fields = entry_fields(batch, service="s", instance="h:1:0", seq=1, through_ms=0)
    raw: Mapping[bytes, bytes] = {
        name.encode(): value if isinstance(value, bytes) else str(value).encode() for name, value in fields.items()
    }
    return decode_batch(raw)


def flat(*records: Record) -> list[object]:
    return [value for record in records for value in record]


def test_requests_come_out_as_they_went_in(counters: ProducerCounters) -> None:
    """decode(pack(x)) == x."""
    (batch,) = Packer(LabelSets(10), counters).pack(
        "request",
        flat((1.5, ("/a", "GET", 200), 12.25), (1.001, ("/b", "POST", 503), 3.0), (2.0, ("/a", "GET", 200), 1)),
    )
    read = decoded(batch)
    assert read.labels == (("/a", "GET"), ("/b", "POST"))
    assert read.status is not None
    assert list(read.status[read.series]) == [200, 503, 200]
    assert list(read.times_ms) == [1500, 1001, 2000]
    assert read.columns[0] is not None
    assert list(read.columns[0]) == [12.25, 3.0, 1.0]


def test_a_model_event_may_lack_measures(counters: ProducerCounters) -> None:
    records = flat(
        (1.0, "ctr", "7", 8.0, None, -0.5, None, True),
        (1.0, "ctr", 7, None, None, None, None, None),
    )
    (batch,) = Packer(LabelSets(10), counters).pack("model", records)
    read = decoded(batch)
    assert read.labels == (("ctr", "7"),)
    latency, confidence, prediction, error, failed = read.columns
    assert confidence is None
    assert error is None
    assert failed is not None
    assert (failed[0], math.isnan(failed[1])) == (1.0, True)
    assert latency is not None
    assert prediction is not None
    assert latency[0] == 8.0
    assert math.isnan(latency[1])
    assert prediction[0] == -0.5


def test_custom_events_carry_their_free_labels(counters: ProducerCounters) -> None:
    (batch,) = Packer(LabelSets(10), counters).pack(
        "custom", flat((1.0, "depth", {"queue": "fast"}, -2.0), (1.0, "depth", {}, 3.0))
    )
    assert decoded(batch).labels == (("depth", "queue", "fast"), ("depth",))


def test_invalid_events_are_counted_and_left_out(counters: ProducerCounters) -> None:
    """NaN, infinite and negative values, wrong labels and wrong statuses cost their own event only."""
    good: Record = (1.0, ("/a", "GET", 200), 1.0)
    bad: list[Record] = [
        (1.0, ("/a", "GET", 200), math.nan),
        (1.0, ("/a", "GET", 200), math.inf),
        (1.0, ("/a", "GET", 200), -1.0),
        (1.0, ("/a", "GET", 200), None),
        (1.0, ("/a", "GET", "200"), 1.0),
        (1.0, (None, "GET", 200), 1.0),
        (1.0, ("/a", "x" * 257, 200), 1.0),
        (1.0, ("/a", {}, 200), 1.0),
    ]
    (batch,) = Packer(LabelSets(10), counters).pack("request", flat(good, *bad, good))
    assert batch.n == 2
    assert counters.lost["invalid"] == len(bad)


def test_only_invalid_events_make_no_batch(counters: ProducerCounters) -> None:
    assert Packer(LabelSets(10), counters).pack("request", flat((1.0, ("/a", "GET", 200), math.nan))) == []
    assert counters.lost["invalid"] == 1


def test_a_batch_above_the_limit_is_halved_until_it_fits(counters: ProducerCounters) -> None:
    """Many long labels make more data than an entry may hold; nothing is lost by that."""
    packer = Packer(LabelSets(10_000), counters, max_batch_bytes=4_096)
    batches = packer.pack("request", flat(*[(1.0, (f"/{i}" + "x" * 200, "GET", 200), 1.0) for i in range(100)]))
    assert len(batches) == 8
    assert all(len(batch.data) <= 4_096 for batch in batches)
    assert sum(batch.n for batch in batches) == 100


def test_one_event_above_the_limit_is_counted_as_too_large(counters: ProducerCounters) -> None:
    packer = Packer(LabelSets(10), counters, max_batch_bytes=64)
    assert packer.pack("request", flat((1.0, ("/" + "x" * 200, "GET", 200), 1.0))) == []
    assert counters.lost["too_large"] == 1


def test_folded_events_are_counted(counters: ProducerCounters) -> None:
    packer = Packer(LabelSets(1), counters)
    packer.pack("request", flat(*[(1.0, (f"/{i}", "GET", 200), 1.0) for i in range(5)]))
    assert counters.folded_by == {"request.route": 4}


@pytest.mark.parametrize("routes", [3, 700])
def test_numbered_requests_come_out_under_their_labels(counters: ProducerCounters, routes: int) -> None:
    """The hot path's numbers, below 256 or above, stand for the labels they were given for."""
    keys = RequestKeys(1_000)
    marks = [keys.resolve(f"/{i}", "GET", 200) for i in range(routes)]
    (batch,) = Packer(LabelSets(1_000), counters, keys).pack(
        "request", flat(*[(1.0, mark, float(i)) for i, mark in enumerate(marks)])
    )
    read = decoded(batch)
    assert [read.labels[position][0] for position in read.series] == [f"/{i}" for i in range(routes)]


def test_numbered_and_raw_keys_may_be_mixed(counters: ProducerCounters) -> None:
    """Beyond the bound of numbered keys a record holds the key itself; one wrong key costs its own event."""
    keys = RequestKeys(2)
    given = [keys.resolve(route, "GET", 200) for route in ("/a", "/b", "/c", None, "/a")]
    assert given == [mark_of(0), mark_of(1), ("/c", "GET", 200), (None, "GET", 200), mark_of(0)]
    (batch,) = Packer(LabelSets(10), counters, keys).pack("request", flat(*[(1.0, key, 1.0) for key in given]))
    read = decoded(batch)
    assert [read.labels[position][0] for position in read.series] == ["/a", "/b", "/c", "/a"]
    assert counters.lost["invalid"] == 1


def test_an_invalid_numbered_key_costs_its_own_events(counters: ProducerCounters) -> None:
    keys = RequestKeys(10)
    wrong, right = keys.resolve("/a", "GET", "200"), keys.resolve("/a", "GET", 200)
    (batch,) = Packer(LabelSets(10), counters, keys).pack("request", flat((1.0, wrong, 1.0), (1.5, right, 2.0)))
    assert (batch.n, batch.first_ms) == (1, 1_500)
    assert counters.lost["invalid"] == 1


def test_sampled_requests_carry_weight_and_free_labels(counters: ProducerCounters) -> None:
    (batch,) = Packer(LabelSets(10), counters).pack(
        "sampled_request",
        flat(
            (1.0, "/a", "GET", 200, {"tenant": "x", "region": "eu"}, 10, 2.5),
            (1.0, "/a", "GET", 200, None, 1, 3.5),
        ),
    )
    parts = unpack_array(batch.data, max_items=1_000)
    assert parts[1] == ((b"/a", b"GET", 200, b"region", b"eu", b"tenant", b"x"), (b"/a", b"GET", 200))
    assert parts[5] == (b"B", bytes((10, 1)))


def test_wrong_weights_and_free_labels_are_invalid(counters: ProducerCounters) -> None:
    good = (1.0, "/a", "GET", 200, {"tenant": "x"}, 1_000, 2.5)
    bad: list[Record] = [
        (1.0, "/a", "GET", 200, None, 0, 2.5),
        (1.0, "/a", "GET", 200, None, 1_001, 2.5),
        (1.0, "/a", "GET", 200, None, 2.0, 2.5),
        (1.0, "/a", "GET", 200, None, True, 2.5),
        (1.0, "/a", "GET", 200, {"": "x"}, 1, 2.5),
        (1.0, "/a", "GET", 200, {"tenant": None}, 1, 2.5),
        (1.0, "/a", "GET", 200, "tenant", 1, 2.5),
        (1.0, "/a", "GET", 200, {f"l{i}": "" for i in range(17)}, 1, 2.5),
    ]
    (batch,) = Packer(LabelSets(10), counters).pack("sampled_request", flat(good, *bad))
    assert batch.n == 1
    assert counters.lost["invalid"] == len(bad)


def test_weights_that_stand_for_too_many_events_go_in_several_batches(counters: ProducerCounters) -> None:
    records = flat(*[(1.0, "/a", "GET", 200, None, 1_000, 2.5)] * 150)
    batches = Packer(LabelSets(10), counters).pack("sampled_request", records)
    assert [batch.n for batch in batches] == [75, 75]


@pytest.mark.parametrize("per_ms", [0.5, 400], ids=["sparse", "dense"])
def test_times_are_the_whole_ms_of_the_stamps(counters: ProducerCounters, per_ms: float) -> None:
    """Many events a ms or few, each keeps the ms it was stamped in."""
    stamps = [1_700_000_000.0004 + i / per_ms / 1_000 for i in range(900)]
    (batch,) = Packer(LabelSets(10), counters).pack(
        "request", flat(*[(stamp, ("/a", "GET", 200), 1.5) for stamp in stamps])
    )
    assert list(decoded(batch).times_ms) == [int(stamp * 1_000 + 0.0005) for stamp in stamps]


def test_stamps_that_go_back_are_kept(counters: ProducerCounters) -> None:
    """A clock set back, or two threads: times need not ascend."""
    stamps = [5.0, 4.999, 5.001] * 100
    (batch,) = Packer(LabelSets(10), counters).pack(
        "request", flat(*[(stamp, ("/a", "GET", 200), 1.5) for stamp in stamps])
    )
    assert (batch.first_ms, batch.last_ms) == (4_999, 5_001)
    assert list(decoded(batch).times_ms) == [5_000, 4_999, 5_001] * 100
