"""Replays the logs of all shards into a new prefix, shard by shard, and reports on each."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from barograph_aggregator.close.pane_span import PaneSpan
from barograph_aggregator.settings import AggregatorSettings
from barograph_cli.history.log.complete_range import CompleteRange, Lost
from barograph_cli.history.log.reader import BEGINNING, read_extent, read_log
from barograph_cli.history.log.selection import LogEntry, Selection
from barograph_cli.history.rebuild.fold import Folded, Folder
from barograph_cli.history.rebuild.new_prefix import NewPrefix
from barograph_cli.history.rebuild.series_decisions import SeriesCopy
from barograph_cli.history.replay_job import ReplayJob
from barograph_core.clock import SystemClock
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_int
from barograph_core.services.ending import read_deleted
from barograph_core.steps import Step

# Takes the share of the work that is done, and the time up to which the log is replayed.
Progress = Callable[[float, int], None]


@dataclass(frozen=True, slots=True)
class ShardReplay:
    """The result for one shard.

    Attributes:
        not_written: Panes that may lack events.
        revisable_from_ms: Panes from here on may still receive late events, in both prefixes.
        places_freed_ms: When series of a full list last gave up their places, if within the range. It is unknown which
            series counted as ``__other__`` before that.
        decided_anew: Services whose list of series is gone and that have more series than are kept.
    """

    shard: str
    complete: CompleteRange
    folded: Folded
    not_written: tuple[Lost, ...]
    revisable_from_ms: int | None
    places_freed_ms: int | None
    decided_anew: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Replay:
    """Replays the job of a new prefix."""

    source: Connection
    shards: Sequence[ShardKeys]
    target: NewPrefix
    job: ReplayJob
    settings: AggregatorSettings
    steps: Sequence[Step]
    keeps_events: bool

    def run(self, now_ms: int, progress: Progress) -> list[ShardReplay]:
        """Replay every shard.

        Args:
            now_ms: The source's clock.
            progress: Called as the replay advances.

        Raises:
            BarographError: A server is unreachable or refuses, the log was trimmed meanwhile, or panes cannot be
                closed. ``--resume`` continues.
        """
        reports: list[ShardReplay] = []
        for index, (source_keys, target_keys) in enumerate(zip(self.shards, self.target.layout.shards, strict=True)):
            complete = self.job.ranges[source_keys.tag]

            def advance(at_ms: int, *, index: int = index, complete: CompleteRange = complete) -> None:
                first, length = complete.read_from.ms, max(complete.read_to.ms - complete.read_from.ms, 1)
                progress((index + min(max(at_ms - first, 0) / length, 1.0)) / len(self.shards), at_ms)

            reports.append(self._replay(source_keys, target_keys, complete, now_ms, advance))
        return reports

    def _replay(
        self,
        source_keys: ShardKeys,
        target_keys: ShardKeys,
        complete: CompleteRange,
        now_ms: int,
        advance: Callable[[int], None],
    ) -> ShardReplay:
        connection = self.target.connection
        copy = SeriesCopy(self.source, source_keys, connection, target_keys, SystemClock())
        span = PaneSpan(complete.from_ms, complete.to_ms)
        folder = Folder(
            self.target.url,
            target_keys,
            self.settings,
            self.steps,
            span=span,
            keeps_events=self.keeps_events,
        )
        try:
            for entry in copy.before(self._selected(source_keys, target_keys, complete)):
                if folder.add(entry):
                    advance(entry.id.ms)
            folder.finish()
        finally:
            folded = folder.close()
        freed = self.source.command("HGET", source_keys.progress, "places_freed_ms")
        freed_ms = None if freed is None or as_int(freed) <= complete.from_ms else as_int(freed)
        revisable_ms = now_ms - self.settings.allowed_lateness_ms
        return ShardReplay(
            shard=source_keys.tag,
            complete=complete,
            folded=folded,
            not_written=tuple(complete.lost(self.steps)),
            revisable_from_ms=revisable_ms if revisable_ms < complete.to_ms else None,
            places_freed_ms=freed_ms,
            decided_anew=tuple(copy.decided_anew(self.settings.series_cap)),
        )

    def _selected(self, source_keys: ShardKeys, target_keys: ShardKeys, complete: CompleteRange) -> Iterator[LogEntry]:
        if complete.from_ms >= complete.to_ms:
            return iter(())
        written = read_extent(self.target.connection, target_keys.events).last
        selection = Selection(
            frozenset(self.job.services), complete.from_ms, complete.to_ms, read_deleted(self.source, source_keys)
        )
        pages = read_log(
            self.source,
            source_keys.events,
            complete.read_from,
            complete.read_to,
            after=None if written == BEGINNING else written,
        )
        return selection.of(chain.from_iterable(pages))
