"""Writes a log under its own entry ids to a new prefix, and folds it there as aggregators fold a live log.

The entries go through the group, the fence, the series cap and the closing of the live pipeline. Only the watermark
follows the entry ids instead of the server's clock. A killed run resumes after the newest entry written.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

from barograph_aggregator.close.pane_span import EVERYTHING, PaneSpan
from barograph_aggregator.commit.commit import FencedCommitter
from barograph_aggregator.settings import AggregatorSettings
from barograph_aggregator.worker import AggregatorHandler
from barograph_cli.failure import CommandError
from barograph_cli.history.log.reader import read_extent
from barograph_cli.history.log.selection import LogEntry
from barograph_cli.options import open_connection
from barograph_core.clock import SystemClock
from barograph_core.keyspace.keys import AGGREGATOR_GROUP, ShardKeys
from barograph_core.pipeline.account import COUNT_LIMIT
from barograph_core.server.link import Value
from barograph_core.server.replies import Entry, EntryId, as_int, as_list
from barograph_core.steps import Step
from barograph_core.workers.consumer import Consumer, ConsumerSettings
from barograph_core.workers.counters import WorkerCounters
from barograph_core.workers.process import consumer_name


@dataclass(frozen=True, slots=True)
class Folded:
    """The counts of one shard in one run.

    Attributes:
        entries: Entries written by this run; a resumed run does not count those before it.
        panes: Panes and roll-ups closed for the first time; ``panes_revised`` counts every further closing.
        blocks_dropped: Blocks of closed panes dropped to stay within the store's memory.
    """

    entries: int
    events: int
    events_late: int
    entries_dead: int
    panes: int
    panes_revised: int
    series_refused: int
    blocks_dropped: int

    @classmethod
    def of(cls, entries: int, counts: WorkerCounters) -> "Folded":
        """Return the counts of the fold's worker."""
        return cls(
            entries=entries,
            events=counts["events_committed"],
            events_late=counts["events_late"],
            entries_dead=counts["entries_dead"],
            panes=counts["panes_closed"],
            panes_revised=counts["panes_revised"],
            series_refused=counts["series_refused"],
            blocks_dropped=counts["blocks_dropped"],
        )


# Entries written in one round trip; entries of 1,000 events have some 10 kB.
_WRITTEN_AT_ONCE: Final = 100
_FOLDED_AT_ONCE: Final = 1_000
# Time without progress after which to give up. Longer than the claim and the closing lease of a killed run last.
_PATIENCE_MS: Final = 15_000
_PAUSE_S: Final = 0.05
# No other worker uses this prefix: pending entries are from a run that was killed.
_CLAIM_IDLE_MS: Final = 100


class _Commits:
    """The handler of the aggregator without its ticks: the folder decides when panes close."""

    def __init__(self, handler: AggregatorHandler) -> None:
        self._handler = handler

    def handle(self, entries: Sequence[Entry], *, is_redelivered: bool) -> None:
        self._handler.handle(entries, is_redelivered=is_redelivered)

    def tick(self, now_ms: int) -> None:
        pass


class Folder:
    """Folds the log of one shard. For one thread."""

    def __init__(
        self,
        url: str,
        keys: ShardKeys,
        settings: AggregatorSettings,
        steps: Sequence[Step],
        *,
        span: PaneSpan = EVERYTHING,
        keeps_events: bool = False,
    ) -> None:
        """Take a shard of a prefix that no one else works on.

        Args:
            url: URL of its server, which has the function library.
            keys: Keys of the shard.
            settings: Settings of the log's aggregators: they decide which events are late and how many series are kept.
            steps: Steps of the panes.
            span: Range of complete panes; others are not written.
            keeps_events: Leave entries on the stream once they are folded.
        """
        connection = open_connection(url, "barograph-fold")
        self._connection, self._keys, self._settings = connection, keys, settings
        self._clock, self._counters = SystemClock(), WorkerCounters()
        self._keeps_events = keeps_events
        # Limit of the event time between the opening of panes and their closing. It is shorter than a coarser step, so
        # that the fine pane of a late event is still kept (`parse_keep`).
        self._page_ms = steps[0].span_ms // 2
        self._name = consumer_name()
        self._handler = self._make_handler(steps, span)
        self._consumer = self._make_consumer()
        self._entries = 0
        self._page: list[LogEntry] = []
        self._pause = threading.Event()
        self._written = self._begin()
        self._fold_written(self._written)

    def _make_handler(self, steps: Sequence[Step], span: PaneSpan) -> AggregatorHandler:
        committer = FencedCommitter(
            self._connection,
            self._keys,
            group=AGGREGATOR_GROUP,
            consumer=self._name,
            step_ms=steps[0].step_ms,
            keep_metrics_ms=self._settings.keep_metrics_ms,
        )
        return AggregatorHandler(
            self._connection,
            self._keys,
            self._settings,
            steps=steps,
            consumer=self._name,
            committer=committer,
            clock=self._clock,
            counters=self._counters,
            span=span,
        )

    def _make_consumer(self) -> Consumer:
        return Consumer(
            self._connection,
            stage="aggregator",
            stream=self._keys.events,
            group=AGGREGATOR_GROUP,
            name=self._name,
            keys=self._keys,
            handler=_Commits(self._handler),
            clock=self._clock,
            counters=self._counters,
            settings=ConsumerSettings(
                count=self._settings.commit_entries, tick_ms=self._settings.tick_ms, claim_idle_ms=_CLAIM_IDLE_MS
            ),
        )

    def add(self, entry: LogEntry) -> bool:
        """Take the next entry, whose id must be higher than before; say whether the waiting entries were folded.

        Raises:
            CommandError: Entries cannot be folded, or panes cannot be closed.
            BarographError: The server is unreachable or refuses. Adding the same entries again continues the work.
        """
        if entry.id <= self._written:
            return False
        is_full = len(self._page) == _FOLDED_AT_ONCE
        is_due = is_full or (self._page and entry.id.ms - self._page[0].id.ms > self._page_ms)
        if is_due:
            self._fold_page()
        self._page.append(entry)
        return bool(is_due)

    def finish(self) -> None:
        """Fold the waiting entries, and close every pane and roll-up that has ended by now.

        Raises:
            BarographError: As ``add``.
        """
        self._fold_page()
        now_ms = self._clock.now_ms()
        self._close_panes([self._keys.open, self._keys.rollups], now_ms)
        # Set the watermark to where that of a live log would be.
        self._connection.command("HSET", self._keys.progress, "watermark_ms", now_ms)

    def close(self) -> Folded:
        """Remove the worker's name from the list, close the connection and return the counts."""
        stopped = threading.Event()
        stopped.set()
        self._consumer.run(stopped)
        return Folded.of(self._entries, self._counters)

    def _begin(self) -> EntryId:
        """Create the group, and return the newest entry that is already written."""
        is_there = as_int(self._connection.command("EXISTS", self._keys.events))
        if not is_there or not as_list(self._connection.command("XINFO", "GROUPS", self._keys.events)):
            self._connection.command("XGROUP", "CREATE", self._keys.events, AGGREGATOR_GROUP, "0", "MKSTREAM")
        return read_extent(self._connection, self._keys.events).last

    def _fold_page(self) -> None:
        page, self._page = self._page, []
        for at in range(0, len(page), _WRITTEN_AT_ONCE):
            commands: list[list[Value]] = []
            for entry in page[at : at + _WRITTEN_AT_ONCE]:
                pairs: Iterable[tuple[Value, Value]] = entry.fields.items()
                commands.append(["XADD", self._keys.events, str(entry.id), *chain.from_iterable(pairs)])
            self._connection.pipeline(commands)
        self._entries += len(page)
        if page:
            self._fold_written(page[-1].id)

    def _fold_written(self, last: EntryId) -> None:
        """Fold the written entries up to ``last``, and close the panes before it."""
        self._until_none(self._count_unfolded, self._consumer.make_pass, "entries cannot be folded")
        # Like a live watermark: the next entry may have the same millisecond as this one.
        # Ids may be ahead of every clock; the watermark never is.
        watermark_ms = max(0, min(last.ms, self._clock.now_ms()) - self._settings.grace_ms)
        self._close_panes([self._keys.open], watermark_ms)
        if not self._keeps_events:
            self._connection.command("XTRIM", self._keys.events, "MAXLEN", 0)

    def _close_panes(self, queues: Sequence[str], watermark_ms: int) -> None:
        def advance() -> None:
            deletions = self._connection.command("HGET", self._keys.progress, "deletions")
            known = 0 if deletions is None else as_int(deletions)
            self._handler.close_panes(self._clock.monotonic_ms(), watermark_ms, known)

        def count_due() -> int:
            commands: list[list[Value]] = [["ZCOUNT", queue, "-inf", watermark_ms] for queue in queues]
            return sum(map(as_int, self._connection.pipeline(commands)))

        advance()
        self._until_none(count_due, advance, "panes cannot be closed")

    def _until_none(self, count: Callable[[], int], work: Callable[[], None], complaint: str) -> None:
        """Work until ``count`` returns 0.

        Raises:
            CommandError: The count has not fallen for 15 s.
        """
        least = count()
        progress_ms = self._clock.monotonic_ms()
        while least:
            work()
            left = count()
            if left < least:
                least, progress_ms = left, self._clock.monotonic_ms()
            elif self._clock.monotonic_ms() - progress_ms > _PATIENCE_MS:
                raise CommandError(f"{left} {complaint} in prefix {self._keys.prefix!r}; the log above says why")
            else:
                self._pause.wait(_PAUSE_S)

    def _count_unfolded(self) -> int:
        """Return the number of entries that are written but not folded, as far as they were counted."""
        figures = as_list(
            self._connection.call(
                "baro_account_1", [self._keys.events, self._keys.progress], [AGGREGATOR_GROUP, COUNT_LIMIT]
            )
        )
        _, _, _, _, pending, unread, *_ = figures
        return as_int(pending) + as_int(unread)
