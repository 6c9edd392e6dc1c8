"""Panes close when they are whole, in virtual time; the watermark is the bound for producers that have not reported."""

from collections.abc import Callable

import pytest

from barograph_core.keyspace.keys import AGGREGATOR_GROUP
from barograph_core.server.replies import Entry, as_entries
from barograph_core.store.pane_store import PaneStore
from tests.support import append
from tests.virtual_pipeline import SERVICE, T0, VirtualPipeline, VirtualProducer, read_entries, request


class World:
    """A pipeline with producers that report when the test says so, and when each pane closed."""

    def __init__(self, pipeline: VirtualPipeline) -> None:
        self.pipeline = pipeline

    def producer(self, ahead_ms: int = 0) -> VirtualProducer:
        made = self.pipeline.producer(ahead_ms=ahead_ms)
        made.beats_by_itself = False
        return made

    def closings(self, step_ms: int = 1_000) -> list[tuple[float, int, int, int]]:
        """Return when each pane closed and which, in seconds since the start; its revision and requests."""
        reply = self.pipeline.connection.command("XRANGE", self.pipeline.keys.metrics, "-", "+")
        return [
            (
                (entry.id.ms - T0) / 1_000,
                (int(entry.text("start_ms")) - T0) // 1_000,
                int(entry.text("revision")),
                int(entry.text("requests")),
            )
            for entry in as_entries(reply)
            if entry.text("type") == "closed" and entry.text("start_ms") and entry.text("step_ms") == str(step_ms)
        ]


@pytest.fixture
def world(virtual: Callable[..., VirtualPipeline]) -> World:
    return World(virtual(tick_ms=50))


def test_a_pane_closes_with_the_report_of_its_last_instance(world: World) -> None:
    """Not half a second later."""
    one, two = world.producer(), world.producer()
    world.pipeline.at(0.3, lambda: one.send("request", [request(T0 + 300)] * 3))
    world.pipeline.at(0.4, lambda: two.send("request", [request(T0 + 400)] * 2))
    world.pipeline.at(1.05, one.heartbeat)
    world.pipeline.at(1.2, two.heartbeat)
    world.pipeline.run_until(2)
    assert world.closings() == [(1.2, 0, 0, 5)]


def test_a_silent_instance_holds_a_pane_for_the_grace_and_no_longer(world: World) -> None:
    """It is missing then, as ever."""
    one, two = world.producer(), world.producer()
    world.pipeline.at(0.3, lambda: one.send("request", [request(T0 + 300)]))
    world.pipeline.at(0.4, two.heartbeat)
    world.pipeline.at(1.05, one.heartbeat)
    world.pipeline.run_until(2)
    (closing,) = world.closings()
    assert closing == (1.5, 0, 0, 1)


def test_what_is_shipped_but_not_committed_holds_the_pane(world: World) -> None:
    """An aggregator that has read the events and freezes: its pane waits for them."""
    one = world.producer()
    world.pipeline.at(0.3, lambda: one.send("request", [request(T0 + 300)]))
    world.pipeline.at(0.71, lambda: one.send("request", [request(T0 + 700)] * 4))
    held: list[Entry] = []
    world.pipeline.at(0.72, lambda: held.extend(read_entries(world.pipeline, "frozen")))
    world.pipeline.at(1.05, one.heartbeat)
    world.pipeline.run_until(1.45)
    assert (len(held), world.closings()) == (1, [])


def test_traffic_without_a_pause_holds_no_pane(world: World) -> None:
    """Only what was on the stream when the last instance reported must be committed, not what came since."""
    one = world.producer()
    world.pipeline.at(0.3, lambda: one.send("request", [request(T0 + 300)]))
    for at_ms in range(1_010, 1_500, 50):
        # Read by another aggregator that takes 60 ms for each entry: there is always one that is not finished.
        world.pipeline.at(at_ms / 1_000, lambda at_ms=at_ms: one.send("request", [request(T0 + at_ms)]))  # type: ignore[misc]  # bound now
        world.pipeline.at(at_ms / 1_000 + 0.001, lambda at_ms=at_ms: slow(world.pipeline, at_ms))  # type: ignore[misc]  # bound now
    world.pipeline.run_until(1.4)
    assert world.closings() == [(1.1, 0, 0, 1)]


def slow(pipeline: VirtualPipeline, at_ms: int) -> None:
    entries = read_entries(pipeline, "slow")
    done = [str(entry.id) for entry in entries]
    pipeline.at(
        at_ms / 1_000 + 0.06, lambda: pipeline.connection.command("XACK", pipeline.keys.events, AGGREGATOR_GROUP, *done)
    )


def test_a_host_whose_clock_is_behind_loses_nothing(world: World) -> None:
    """Its events bear the time of a while ago: its pane waits until they are here, or for the grace."""
    one, behind = world.producer(), world.producer(ahead_ms=-300)
    world.pipeline.at(0.3, lambda: one.send("request", [request(T0 + 300)]))
    for at in (0.5, 1.05):
        world.pipeline.at(at, one.heartbeat)
        world.pipeline.at(at, behind.heartbeat)
    world.pipeline.at(1.25, lambda: behind.send("request", [request(T0 + 950)] * 9))
    world.pipeline.at(1.32, behind.heartbeat)
    world.pipeline.run_until(2)
    assert world.closings() == [(1.35, 0, 0, 10)]


def test_a_producer_of_the_version_before_waits_for_the_grace(world: World) -> None:
    """Its time is that of a clock of which nothing is known."""
    one = world.producer()
    world.pipeline.at(0.3, lambda: one.send("request", [request(T0 + 300)]))
    earlier = {"instance": "host:9:0000000000000009", "mode": "heartbeat", "seq": 0, "batches": 0}
    connection, keys = world.pipeline.connection, world.pipeline.keys
    world.pipeline.at(1.05, lambda: append(connection, keys, {}, service=SERVICE, through_ms=T0 + 1_050, **earlier))  # type: ignore[arg-type]  # of several types
    world.pipeline.at(1.06, one.heartbeat)
    world.pipeline.run_until(2)
    assert world.closings() == [(1.5, 0, 0, 1)]


def test_events_dated_into_a_closed_pane_cost_their_service_a_minute_of_grace(world: World) -> None:
    """A host may say itself when an event happened; of that its producer's report knows nothing."""
    one = world.producer()
    for second in range(70):
        at_ms = T0 + second * 1_000 + 300
        world.pipeline.at(second + 0.3, lambda at_ms=at_ms: one.send("request", [request(at_ms)]))  # type: ignore[misc]  # bound now
        world.pipeline.at(second + 1.05, one.heartbeat)
    world.pipeline.at(3.2, lambda: one.send("request", [request(T0 + 2_900)]))
    world.pipeline.run_until(70)
    firsts = {start: at for at, start, revision, _ in world.closings() if revision == 0}
    revised = [(at, start, requests) for at, start, revision, requests in world.closings() if revision]
    assert revised == [(3.5, 2, 2)]
    assert {round(firsts[second] - second - 1, 3) for second in range(3)} == {0.05}
    assert {round(firsts[second] - second - 1, 3) for second in range(3, 62)} == {0.5}
    assert {round(firsts[second] - second - 1, 3) for second in range(63, 69)} == {0.05}


def test_a_roll_up_closes_with_its_last_pane(world: World) -> None:
    """Rules with long windows read it: they would wait for the grace at the end of each ten seconds."""
    one = world.producer()
    for second in range(10):
        at_ms = T0 + second * 1_000 + 300
        world.pipeline.at(second + 0.3, lambda at_ms=at_ms: one.send("request", [request(at_ms)]))  # type: ignore[misc]  # bound now
        world.pipeline.at(second + 1.05, one.heartbeat)
    world.pipeline.run_until(10.1)
    step_ms = world.pipeline.steps[1].step_ms
    store = PaneStore(world.pipeline.connection, world.pipeline.keys, world.pipeline.steps)
    (roll_up,) = store.read(SERVICE, step_ms, T0, T0 + 10_000)
    assert roll_up.pane.requests == 10


def test_a_replay_closes_with_its_watermark_alone(world: World) -> None:
    """Its producers are of another time."""
    one = world.producer()
    one.send("request", [request(T0 + 300)])
    world.pipeline.aggregator.handle(read_entries(world.pipeline, "aggregator"), is_redelivered=False)
    world.pipeline.clock.advance(1_200)
    one.heartbeat()
    world.pipeline.aggregator.close_panes(0.0, T0 + 999, 0)
    assert world.closings() == []
    world.pipeline.aggregator.close_panes(0.0, T0 + 1_000, 0)
    assert len(world.closings()) == 1
