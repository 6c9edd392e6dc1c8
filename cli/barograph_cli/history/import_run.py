"""Writes rows as entries to a new prefix, under entry ids of their own time, and folds them into panes there."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from barograph_aggregator.settings import AggregatorSettings
from barograph_cli.failure import CommandError
from barograph_cli.history.rebuild.entry_maker import EntryMaker
from barograph_cli.history.rebuild.fold import Folded, Folder
from barograph_cli.history.rebuild.new_prefix import NewPrefix
from barograph_cli.history.rows.event_row import EventRow
from barograph_cli.history.rows.notes import Notes
from barograph_cli.history.rows.row_reading import KNOWN, BadRowError, Document, RowDefaults, advice_on, row_of
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.steps import Step
from barograph_core.text.timestamps import format_timestamp

_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that is not an event, and the reason.

    Attributes:
        line: Its number from 1 on, in a file.
        file: The file's name if there are several.
    """

    line: int
    reason: str
    file: str = ""

    @property
    def place(self) -> str:
        return f"{self.file}, line {self.line}" if self.file else f"line {self.line}"


@dataclass(slots=True)
class RowCount:
    """The numbers of good and bad rows, the first bad rows, and what the good ones are about.

    Attributes:
        services: Some of the services, if there are many.
        first_ms: Time of the oldest event.
        last_ms: Time of the newest event.
        was_stamped: Whether every good row named its entry.
        was_sorted: Whether the rows were put in order by time.
    """

    good: int = 0
    bad: int = 0
    first_bad: list[BadRow] = field(default_factory=list[BadRow])
    services: list[str] = field(default_factory=list[str])
    first_ms: int | None = None
    last_ms: int | None = None
    was_stamped: bool = True
    was_sorted: bool = False

    def add_good(self, row: EventRow) -> None:
        self.good += 1
        self.first_ms = row.time_ms if self.first_ms is None else min(self.first_ms, row.time_ms)
        self.last_ms = row.time_ms if self.last_ms is None else max(self.last_ms, row.time_ms)
        self.was_stamped &= row.entry_id is not None
        if row.service not in self.services and len(self.services) < _SHOWN:
            self.services.append(row.service)

    def add_bad(self, bad: BadRow) -> None:
        self.bad += 1
        if len(self.first_bad) < _SHOWN:
            self.first_bad.append(bad)


@dataclass(frozen=True, slots=True)
class RowReader:
    """Turns rows of files into events, and counts good and bad rows.

    Attributes:
        defaults: Values for rows that lack them.
        latest_ms: A row that arrived later comes from a wrong clock. If accepted, it would close every pane up to its
            time, and no row after it would count.
        is_strict: Stop at the first bad row.
        count: Counts of the rows read so far.
        notes: Gets the names of fields that are not read.
    """

    defaults: RowDefaults
    latest_ms: int
    is_strict: bool
    count: RowCount = field(default_factory=RowCount)
    notes: Notes = field(default_factory=Notes)

    def read(self, rows: Iterable[tuple[int, Document | BadRowError]], file: str = "") -> Iterator[EventRow]:
        """Yield the events of ``rows``, which are pairs of a line number and a row of ``file``.

        Raises:
            CommandError: A row is bad and ``is_strict`` is set.
        """
        for line, document in rows:
            try:
                event = self._event(document)
            except BadRowError as error:
                bad = BadRow(line, str(error), file)
                self.count.add_bad(bad)
                if self.is_strict:
                    raise CommandError(f"{bad.place}: {error}; {self.count.good} rows before it were good") from error
            else:
                yield event

    def _event(self, document: Document | BadRowError) -> EventRow:
        if isinstance(document, BadRowError):
            raise document
        row = row_of(document, self.defaults)
        if row.arrived_ms > self.latest_ms:
            name = "time" if row.entry_id is None else "entry_id"
            raise BadRowError(f"{name} is of {format_timestamp(row.arrived_ms)}, which is still to come")
        if not KNOWN.issuperset(document):
            for unknown in document.keys() - KNOWN:
                self.notes.add_unread(unknown, advice_on(unknown))
        self.count.add_good(row)
        return row


@dataclass(frozen=True, slots=True)
class Importer:
    """Imports the events of one file. Keeps one page of entries for each shard in memory.

    Attributes:
        settings: Decide which events are late and how many series are kept.
    """

    target: NewPrefix
    settings: AggregatorSettings
    steps: tuple[Step, ...]
    keeps_events: bool

    def run(self, events: Iterable[EventRow]) -> dict[str, Folded]:
        """Import ``events`` and return the counts of each shard.

        Raises:
            CommandError: Panes cannot be closed, or ``events`` raises it.
            BarographError: The server is unreachable or refuses. ``--resume`` continues.
        """
        folders = {keys.tag: self._folder(keys) for keys in self.target.layout.shards}
        try:
            self._import(events, folders)
        finally:
            folded = {tag: folder.close() for tag, folder in folders.items()}
        return folded

    def _folder(self, keys: ShardKeys) -> Folder:
        return Folder(self.target.url, keys, self.settings, self.steps, keeps_events=self.keeps_events)

    def _import(self, events: Iterable[EventRow], folders: dict[str, Folder]) -> None:
        makers = {tag: EntryMaker() for tag in folders}
        tags: dict[str, str] = {}
        for row in events:
            tag = tags.get(row.service) or tags.setdefault(row.service, self.target.layout.tag_of(row.service))
            for entry in makers[tag].add(row):
                folders[tag].add(entry)
        for tag, folder in folders.items():
            for entry in makers[tag].finish():
                folder.add(entry)
            folder.finish()
