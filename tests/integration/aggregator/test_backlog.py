"""A backlog of ten minutes is worked off without one pane closed early; the wall clock as the control closes many."""

from collections.abc import Callable

from barograph_aggregator.close.closer import Closer
from barograph_aggregator.commit.commit import FencedCommitter
from barograph_aggregator.settings import AggregatorSettings
from barograph_aggregator.worker import AggregatorHandler
from barograph_core.keyspace.keys import AGGREGATOR_GROUP, ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_entries, as_int, as_list
from barograph_core.steps import DEFAULT_KEEP, parse_keep
from barograph_core.store.pane_store import PaneStore
from barograph_core.workers.counters import WorkerCounters
from tests.support import FakeClock, request_batch

SECONDS = 600
# Each second comes in four entries, as from four producers, a quarter of a second apart.
ENTRIES_A_SECOND = 4
ENTRIES_A_READ = 50
SERVICE = "ranker"

Watermark = Callable[[AggregatorHandler], None]


class Backlog:
    """Ten minutes that nobody has read, in the ids and the times they would have had."""

    def __init__(self, connection: Connection, keys: ShardKeys) -> None:
        self.connection, self.keys, self.counters = connection, keys, WorkerCounters()
        self.start_ms = (as_int(as_list(connection.command("TIME"))[0]) - SECONDS - 60) * 1_000
        steps, settings = parse_keep(DEFAULT_KEEP), AggregatorSettings(self_panes=False)
        committer = FencedCommitter(
            connection,
            keys,
            group=AGGREGATOR_GROUP,
            consumer="mine",
            step_ms=1_000,
            keep_metrics_ms=settings.keep_metrics_ms,
        )
        self.handler = AggregatorHandler(
            connection,
            keys,
            settings,
            steps=steps,
            consumer="mine",
            committer=committer,
            clock=FakeClock(),
            counters=self.counters,
        )
        self.closer = Closer(connection, keys, settings, steps, self.counters)
        self.store = PaneStore(connection, keys, steps)
        self._fill()

    def _fill(self) -> None:
        commands: list[list[str | int | bytes | float]] = []
        for second in range(SECONDS):
            for part in range(ENTRIES_A_SECOND):
                at_ms = self.start_ms + second * 1_000
                fields = request_batch([(at_ms + 10 + part, "/a", 200, 5.0)], seq=second * ENTRIES_A_SECOND + part + 1)
                entry_id = f"{at_ms + 250 * (part + 1)}-0"
                commands.append(
                    ["XADD", self.keys.events, entry_id, *(item for pair in fields.items() for item in pair)]
                )
        self.connection.pipeline(commands)
        self.connection.command("XGROUP", "CREATE", self.keys.events, AGGREGATOR_GROUP, "0")

    def read_some(self) -> bool:
        reply = self.connection.command(
            "XREADGROUP", "GROUP", AGGREGATOR_GROUP, "mine", "COUNT", ENTRIES_A_READ, "STREAMS", self.keys.events, ">"
        )
        entries = [] if reply is None else as_entries(as_list(as_list(reply)[0])[1])
        if entries:
            self.handler.handle(entries, is_redelivered=False)
        return bool(entries)

    def work_off(self, close: Callable[[], None]) -> None:
        while self.read_some():
            close()
        # What one tick does has a bound.
        for _ in range(2 * SECONDS):
            close()
            if not as_int(self.connection.command("ZCARD", self.keys.open)):
                return

    def close_by_the_log(self) -> None:
        self.handler.tick(0)

    def close_by_the_wall_clock(self) -> None:
        self.closer.advance(as_int(as_list(self.connection.command("TIME"))[0]) * 1_000)

    def requests(self) -> list[int]:
        panes = self.store.read(SERVICE, 1_000, self.start_ms, self.start_ms + SECONDS * 1_000)
        return [pane.pane.requests for pane in panes]

    def revised(self) -> int:
        """Return how many panes closed before all of their events had been seen."""
        panes = self.store.read(SERVICE, 1_000, self.start_ms, self.start_ms + SECONDS * 1_000)
        return sum(pane.revision > 0 for pane in panes)


def test_a_backlog_of_ten_minutes_closes_no_pane_early(real: Connection, keys: ShardKeys) -> None:
    """The watermark stays before the oldest entry that is not committed: every pane is whole when it closes."""
    backlog = Backlog(real, keys)
    backlog.work_off(backlog.close_by_the_log)
    assert backlog.requests() == [ENTRIES_A_SECOND] * SECONDS
    assert (backlog.revised(), backlog.counters["panes_revised"]) == (0, 0)


def test_the_wall_clock_closes_panes_of_a_backlog_early(real: Connection, keys: ShardKeys) -> None:
    """The control, which must fail: it takes for over what has not been read, and revises it afterwards."""
    backlog = Backlog(real, keys)
    backlog.work_off(backlog.close_by_the_wall_clock)
    assert backlog.requests() == [ENTRIES_A_SECOND] * SECONDS
    assert backlog.revised() > 10
