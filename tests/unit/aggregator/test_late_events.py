"""Late events: revisions where the pane is kept, the coarser step where it is not, counted and dropped beyond."""

from collections.abc import Sequence

from barograph_aggregator.close.closer import Closer
from barograph_aggregator.commit.lateness import Bounds, OutOfBounds
from barograph_core.server.replies import Entry, EntryId, as_hash
from tests.batches import decoded, request
from tests.unit.aggregator.test_aggregator import Pipeline, minutes_ago

MINUTE = 60_000
HOUR = 3_600_000
ALLOWED = 10 * MINUTE


def counts(pipeline: Pipeline, start: int) -> list[list[int]]:
    """Return the requests of each pane of the hour from ``start``, for each step."""
    return [
        [pane.pane.requests for pane in pipeline.store.read("ranker", step.step_ms, start, start + HOUR)]
        for step in pipeline.steps
    ]


class Late:
    """A pipeline that keeps seconds for a minute and allows an hour, with a watermark the test chooses."""

    def __init__(self, keep: str = "1s:1m,10s:10m,1m:2h") -> None:
        self.pipeline = Pipeline(keep=keep, allowed_lateness_ms=HOUR)
        self.start = minutes_ago(self.pipeline, 50)
        self.closer = Closer(
            self.pipeline.connection,
            self.pipeline.keys,
            self.pipeline.settings,
            self.pipeline.steps,
            self.pipeline.counters,
        )

    def commit(self, *ats: int) -> None:
        self.pipeline.send(*((self.start + at, "/a", 200, 5.0) for at in ats))
        self.pipeline.handler.handle(self.pipeline.read(), is_redelivered=False)

    def advance(self, watermark: int) -> None:
        self.closer.advance(self.start + watermark)

    def counts(self) -> list[list[int]]:
        return counts(self.pipeline, self.start)


def test_a_late_event_of_an_expired_second_goes_to_its_ten_seconds() -> None:
    """The second, gone by then, does not come back with the late events alone; every coarser step has them all."""
    late = Late()
    late.commit(1_000, 2_000)
    late.advance(2 * MINUTE)
    late.commit(3_000)
    late.advance(2 * MINUTE + 1_000)
    assert late.counts() == [[1, 1], [3], [3]]


def test_a_late_event_goes_to_the_finest_step_that_still_covers_it() -> None:
    """After the retention of the ten seconds that is the minute."""
    late = Late()
    late.commit(1_000)
    late.advance(20 * MINUTE)
    late.commit(3_000)
    late.advance(20 * MINUTE + 1_000)
    assert late.counts() == [[1], [1], [2]]


def test_a_late_event_within_the_retention_is_a_revision_of_every_step() -> None:
    """The watermark decides, and nothing else."""
    late = Late()
    late.commit(1_000)
    late.advance(50_000)
    late.commit(3_000)
    late.advance(MINUTE)
    assert late.counts() == [[1, 1], [2], [2]]


def test_the_roll_up_is_whole_though_its_children_have_expired() -> None:
    """It holds what it has taken in; a late event is added to that, not to what is left of the children."""
    late = Late()
    late.commit(1_000, 12_000)
    late.advance(MINUTE)
    for step_ms, span_ms in ((1_000, 10_000), (10_000, 60_000)):
        starts = [late.start + at - (late.start + at) % span_ms for at in (0, 12_000)]
        blocks = [late.pipeline.keys.panes("ranker", step_ms, start) for start in starts]
        assert late.pipeline.connection.command("DEL", *blocks)
    late.commit(13_000)
    late.advance(2 * MINUTE)
    assert late.counts() == [[], [1], [3]]


def test_a_first_closing_is_stored_however_old() -> None:
    """After a pause of the aggregators alerters still have to judge those panes: left out, they would look empty."""
    late = Late()
    late.commit(1_000, 2_000)
    late.advance(30 * MINUTE)
    assert late.counts() == [[1, 1], [2], [2]]


def test_one_step_alone_takes_everything_itself() -> None:
    """There is no coarser one."""
    late = Late(keep="1s:1h")
    late.commit(1_000)
    late.advance(55 * MINUTE)
    late.commit(1_500)
    late.advance(55 * MINUTE + 1_000)
    assert late.counts() == [[2]]


def test_every_order_of_arrival_gives_the_same_minute() -> None:
    """In time, late, or late for an expired second: the bytes are the same."""
    packed: list[bytes] = []
    for waves in ([(1_000, 2_000, 3_000)], [(3_000,), (1_000, 2_000)], [(2_000,), (1_000,), (3_000,)]):
        late = Late()
        _play(late, waves)
        (minute,) = late.pipeline.store.read("ranker", MINUTE, late.start, late.start + MINUTE)
        packed.append(minute.pane.pack())
    assert len(set(packed)) == 1


def _play(late: Late, waves: Sequence[tuple[int, ...]]) -> None:
    for number, ats in enumerate(waves, 2):
        late.commit(*ats)
        late.advance(number * MINUTE)


def arriving(at_ms: int) -> Entry:
    return Entry(EntryId(at_ms, 0), {b"service": b"ranker", b"instance": b"host:1"})


def test_lateness_is_the_entrys_time_less_the_events_time() -> None:
    """At the bound it counts, one ms beyond it does not; no clock but the log's is asked."""
    arrived = 10 * ALLOWED
    bounds, dropped = Bounds(ALLOWED, 5_000), OutOfBounds()
    batch = decoded(
        "request",
        [
            request(arrived - ALLOWED - 1),
            request(arrived - ALLOWED),
            request(arrived + 5_000),
            request(arrived + 5_001),
        ],
    )
    kept = bounds.split(batch.block, [arriving(arrived)], dropped)
    assert kept.times_ms.tolist() == [arrived - ALLOWED, arrived + 5_000]
    assert (dropped.late.total(), dropped.future.total()) == (1, 1)


def test_a_record_that_stands_for_several_is_dropped_as_several() -> None:
    """Sampled requests count by their weight, here as everywhere."""
    dropped = OutOfBounds()
    batch = decoded("request", [request(1, weight=20), request(1, weight=3)])
    assert len(Bounds(ALLOWED, 0).split(batch.block, [arriving(10 * ALLOWED)], dropped)) == 0
    assert dropped.late == {("ranker", "host:1"): 23}


def test_what_an_instance_sent_out_of_bounds_is_in_its_report() -> None:
    """A clock that is wrong is found by who has it."""
    pipeline = Pipeline(allowed_lateness_ms=MINUTE)
    now = pipeline.now_ms()
    pipeline.send((now - HOUR, "/a", 200, 5.0), (now + HOUR, "/a", 200, 5.0), (now + HOUR, "/a", 200, 5.0))
    pipeline.handler.handle(pipeline.read(), is_redelivered=False)
    report = as_hash(pipeline.connection.command("HGETALL", pipeline.keys.producer("host:1:0000000000000001")))
    assert (report["events_late"], report["events_future"]) == (b"1", b"2")
    assert pipeline.counters["events_late"] == 3


def test_a_buffer_an_hour_old_is_counted_to_the_event() -> None:
    """A producer comes back after an hour: what the bound allows counts in its own time, the rest is reported."""
    pipeline = Pipeline(allowed_lateness_ms=30 * MINUTE)
    now = pipeline.now_ms()
    for minute in range(60, 0, -1):
        pipeline.send(*((now - minute * MINUTE + 30_000 + at, "/a", 200, 5.0) for at in range(10)))
    pipeline.run()
    kept, late = pipeline.counters["events_committed"], pipeline.counters["events_late"]
    assert (kept, late) == (300, 300)
