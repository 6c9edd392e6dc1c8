"""Replays the logs of all shards into a new prefix, shard by shard, and says what came of each."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from barograph_aggregator.settings import AggregatorSettings
from barograph_aggregator.span import Span
from barograph_cli.history.fold import Folder
from barograph_cli.history.folded import Folded
from barograph_cli.history.log_reader import BEGINNING, read_extent, read_log
from barograph_cli.history.new_prefix import NewPrefix
from barograph_cli.history.replay_job import ReplayJob
from barograph_cli.history.selection import LogEntry, Selection, read_deleted
from barograph_cli.history.series_decisions import SeriesCopy
from barograph_cli.history.stretch import Lost, Stretch
from barograph_core.clock import SystemClock
from barograph_core.keys import ShardKeys
from barograph_core.steps import Step
from barograph_core.stream import Connection, as_int

# Share of all the work that is done, and the time of the log that it has come to.
Progress = Callable[[float, int], None]


@dataclass(frozen=True, slots=True)
class ShardReplay:
    """What came of one shard.

    Attributes:
        not_written: Panes that may lack events.
        revisable_from_ms: Panes from here on may get late events yet, here and on the live prefix.
        places_freed_ms: When series of a full list last gave their places up, if within the range: which series
            counted as ``__other__`` before that nobody knows any more.
        decided_anew: Services whose list of series is gone, and that have more series than are kept.
    """

    shard: str
    stretch: Stretch
    folded: Folded
    not_written: tuple[Lost, ...]
    revisable_from_ms: int | None
    places_freed_ms: int | None
    decided_anew: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Replay:
    """A replay with everything that it needs."""

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
            progress: Told how far it has come.

        Raises:
            BarographError: A server is gone or refuses, the log was trimmed meanwhile, or panes cannot be closed.
                ``--resume`` goes on.
        """
        reports: list[ShardReplay] = []
        for index, (source_keys, target_keys) in enumerate(zip(self.shards, self.target.layout.shards, strict=True)):
            stretch = self.job.stretches[source_keys.tag]

            def advance(at_ms: int, *, index: int = index, stretch: Stretch = stretch) -> None:
                first, length = stretch.read_from.ms, max(stretch.read_to.ms - stretch.read_from.ms, 1)
                progress((index + min(max(at_ms - first, 0) / length, 1.0)) / len(self.shards), at_ms)

            reports.append(self._replay(source_keys, target_keys, stretch, now_ms, advance))
        return reports

    def _replay(
        self,
        source_keys: ShardKeys,
        target_keys: ShardKeys,
        stretch: Stretch,
        now_ms: int,
        advance: Callable[[int], None],
    ) -> ShardReplay:
        connection = self.target.connection
        copy = SeriesCopy(self.source, source_keys, connection, target_keys, SystemClock())
        span = Span(stretch.from_ms, stretch.to_ms)
        folder = Folder(
            self.target.url,
            target_keys,
            self.settings,
            self.steps,
            span=span,
            keeps_events=self.keeps_events,
        )
        try:
            for entry in copy.before(self._selected(source_keys, target_keys, stretch)):
                if folder.add(entry):
                    advance(entry.id.ms)
            folder.finish()
        finally:
            folded = folder.close()
        freed = self.source.command("HGET", source_keys.progress, "places_freed_ms")
        freed_ms = None if freed is None or as_int(freed) <= stretch.from_ms else as_int(freed)
        revisable_ms = now_ms - self.settings.allowed_lateness_ms
        return ShardReplay(
            shard=source_keys.tag,
            stretch=stretch,
            folded=folded,
            not_written=tuple(stretch.lost(self.steps)),
            revisable_from_ms=revisable_ms if revisable_ms < stretch.to_ms else None,
            places_freed_ms=freed_ms,
            decided_anew=tuple(copy.decided_anew(self.settings.series_cap)),
        )

    def _selected(self, source_keys: ShardKeys, target_keys: ShardKeys, stretch: Stretch) -> Iterator[LogEntry]:
        if stretch.from_ms >= stretch.to_ms:
            return iter(())
        written = read_extent(self.target.connection, target_keys.events).last
        selection = Selection(
            frozenset(self.job.services), stretch.from_ms, stretch.to_ms, read_deleted(self.source, source_keys)
        )
        pages = read_log(
            self.source,
            source_keys.events,
            stretch.read_from,
            stretch.read_to,
            after=None if written == BEGINNING else written,
        )
        return selection.of(chain.from_iterable(pages))
