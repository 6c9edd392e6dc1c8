"""Panes that close before the watermark, over random schedules of producers, their clocks and the aggregators."""

from collections import Counter
from collections.abc import Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from barograph_core.keyspace.keys import AGGREGATOR_GROUP
from barograph_core.server.replies import as_entries, as_int
from tests.virtual_pipeline import T0, VirtualPipeline, VirtualProducer, read_entries, request

SECONDS = 4
Host = tuple[int, list[int], list[int]]


@st.composite
def hosts(draw: st.DrawFn) -> Host:
    """Return how far a host's clock is ahead, when it records an event by its own clock, and when it ships."""
    ahead_ms = draw(st.integers(-700, 700))
    recorded = draw(st.lists(st.integers(1_000, SECONDS * 1_000), max_size=10))
    first, every = draw(st.integers(0, 250)), draw(st.sampled_from([50, 100, 250, 400, 900]))
    return ahead_ms, recorded, list(range(first, SECONDS * 1_000 + 2_000, every))


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(hosts(), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(1, SECONDS), st.integers(0, 400), st.integers(100, 700)), max_size=3),
)
def test_what_closes_early_is_whole_and_nothing_closes_later(
    virtual: Callable[..., VirtualPipeline], fleet: list[Host], freezes: list[tuple[int, int, int]]
) -> None:
    """No event comes into a pane that closed before the watermark, and each closes by the watermark at the latest.

    Aggregators that read events and then freeze for a while are among the schedules.
    """
    world = virtual(tick_ms=50)
    for host in fleet:
        put_on_agenda(world, host)
    for second, before_ms, for_ms in freezes:
        world.at(second - before_ms / 1_000, lambda for_ms=for_ms: freeze(world, for_ms))  # type: ignore[misc]  # bound now
    watermarks: dict[int, int] = {}
    while world.clock.now_ms() < T0 + SECONDS * 1_000 + 3_000:
        world.run_until((world.clock.now_ms() - T0 + 50) / 1_000)
        watermarks[world.clock.now_ms()] = as_int(world.connection.command("HGET", world.keys.progress, "watermark_ms"))

    sent = Counter((T0 + at_ms) // 1_000 * 1_000 for _, recorded, _ in fleet for at_ms in recorded)
    found: Counter[int] = Counter()
    for entry in as_entries(world.connection.command("XRANGE", world.keys.metrics, "-", "+")):
        if entry.text("type") == "closed" and entry.text("start_ms"):
            start_ms = int(entry.text("start_ms"))
            found[start_ms] = int(entry.text("requests"))
            assert start_ms + 1_000 <= watermarks[entry.id.ms] or found[start_ms] == sent[start_ms]
    assert found == sent
    if sent:
        closed_ms = as_int(world.connection.command("HGET", world.keys.closed, "ranker"))
        assert closed_ms >= max(watermarks.values()) // 1_000 * 1_000


def put_on_agenda(world: VirtualPipeline, host: Host) -> None:
    ahead_ms, recorded, shipped = host
    producer = world.producer(ahead_ms=ahead_ms)
    producer.beats_by_itself = False
    producer.heartbeat()
    for begin_ms, end_ms in zip([-10_000, *shipped], shipped, strict=False):
        mine = sorted(T0 + at_ms for at_ms in recorded if begin_ms <= at_ms - ahead_ms < end_ms)
        world.at(end_ms / 1_000, lambda mine=mine: ship(producer, mine))  # type: ignore[misc]  # bound now


def ship(producer: VirtualProducer, times_ms: list[int]) -> None:
    if times_ms:
        producer.send("request", [request(at_ms) for at_ms in times_ms])
    else:
        producer.heartbeat()


def freeze(world: VirtualPipeline, for_ms: int) -> None:
    """Read what is there as another aggregator, whose entries are claimed from it after a while."""
    entries = read_entries(world, "frozen")
    ids = [str(entry.id) for entry in entries]

    def claim() -> None:
        world.connection.command("XCLAIM", world.keys.events, AGGREGATOR_GROUP, "aggregator", 0, *ids)
        world.aggregator.handle(entries, is_redelivered=True)

    if entries:
        world.at((world.clock.now_ms() - T0 + for_ms) / 1_000, claim)
