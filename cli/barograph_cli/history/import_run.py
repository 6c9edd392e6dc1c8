"""Brings rows back as a stream: into a fresh prefix, under entry ids of their own time, folded into panes there."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from barograph_aggregator.settings import AggregatorSettings
from barograph_cli.failure import CommandError
from barograph_cli.history.entry_maker import EntryMaker
from barograph_cli.history.event_row import EventRow
from barograph_cli.history.fold import Folder
from barograph_cli.history.folded import Folded
from barograph_cli.history.new_prefix import NewPrefix
from barograph_cli.history.row_reading import BadRowError, Document, RowDefaults, row_of
from barograph_core.keys import ShardKeys
from barograph_core.moments import format_moment
from barograph_core.steps import Step

_SHOWN: Final = 20
_TELL_EVERY: Final = 5_000


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that is no event, and why."""

    line: int
    reason: str


@dataclass(slots=True)
class RowCount:
    """How many rows there were, and the first of those that are no events."""

    good: int = 0
    bad: int = 0
    first_bad: list[BadRow] = field(default_factory=list[BadRow])

    def add_bad(self, line: int, error: BadRowError) -> None:
        self.bad += 1
        if len(self.first_bad) < _SHOWN:
            self.first_bad.append(BadRow(line, str(error)))


@dataclass(frozen=True, slots=True)
class RowReader:
    """Makes events of the rows of one file, and counts both kinds.

    Attributes:
        defaults: For rows that do not say.
        latest_ms: What arrived later is from a clock that was wrong. Taken in, it would close every pane up to then,
            and no row after it would count.
        is_strict: Whether the first bad row ends it.
        count: As far as rows were read.
    """

    defaults: RowDefaults
    latest_ms: int
    is_strict: bool
    count: RowCount = field(default_factory=RowCount)

    def read(self, rows: Iterable[tuple[int, Document | BadRowError]]) -> Iterator[EventRow]:
        """Yield the events of ``rows``, each of which bears the number of its line.

        Raises:
            CommandError: A row is bad and that is not to be.
        """
        for line, document in rows:
            try:
                event = self._event(document)
            except BadRowError as error:
                self.count.add_bad(line, error)
                if self.is_strict:
                    raise CommandError(f"line {line}: {error}; {self.count.good} rows before it were good") from error
            else:
                yield event

    def _event(self, document: Document | BadRowError) -> EventRow:
        if isinstance(document, BadRowError):
            raise document
        row = row_of(document, self.defaults)
        if row.arrived_ms > self.latest_ms:
            name = "time" if row.entry_id is None else "entry_id"
            raise BadRowError(f"{name} is of {format_moment(row.arrived_ms)}, which is still to come")
        self.count.good += 1
        return row


@dataclass(frozen=True, slots=True)
class Importer:
    """Imports the events of one file. Holds a page of entries for each shard at a time.

    Attributes:
        settings: Decide what is late and how many series are kept.
    """

    target: NewPrefix
    settings: AggregatorSettings
    steps: tuple[Step, ...]
    keeps_events: bool

    def run(self, events: Iterable[EventRow], progress: Callable[[], None]) -> dict[str, Folded]:
        """Import ``events`` and return for each shard what became of its entries.

        Raises:
            CommandError: Panes cannot be closed; or what ``events`` raise.
            BarographError: The server is gone or refuses. ``--resume`` goes on.
        """
        folders = {keys.tag: self._folder(keys) for keys in self.target.layout.shards}
        try:
            self._import(events, folders, progress)
        finally:
            folded = {tag: folder.close() for tag, folder in folders.items()}
        return folded

    def _folder(self, keys: ShardKeys) -> Folder:
        return Folder(self.target.url, keys, self.settings, self.steps, keeps_events=self.keeps_events)

    def _import(self, events: Iterable[EventRow], folders: dict[str, Folder], progress: Callable[[], None]) -> None:
        makers = {tag: EntryMaker() for tag in folders}
        tags: dict[str, str] = {}
        for number, row in enumerate(events, 1):
            tag = tags.get(row.service) or tags.setdefault(row.service, self.target.layout.tag_of(row.service))
            for entry in makers[tag].add(row):
                folders[tag].add(entry)
            if number % _TELL_EVERY == 0:
                progress()
        for tag, folder in folders.items():
            for entry in makers[tag].finish():
                folder.add(entry)
            folder.finish()
