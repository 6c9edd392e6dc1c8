"""Brings rows back as a stream: into a fresh prefix, under entry ids of their own time, folded into panes there."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from barograph_aggregator.settings import AggregatorSettings
from barograph_cli.failure import CommandError
from barograph_cli.history.entry_maker import EntryMaker
from barograph_cli.history.fold import Folder
from barograph_cli.history.folded import Folded
from barograph_cli.history.new_prefix import NewPrefix
from barograph_cli.history.row_reading import BadRowError, Document, RowDefaults, row_of
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
class Importer:
    """Imports the rows of one file. Holds a page of entries for each shard at a time.

    Attributes:
        defaults: For rows that do not say.
        settings: Decide what is late and how many series are kept.
        is_strict: Whether the first bad row ends it.
    """

    target: NewPrefix
    defaults: RowDefaults
    settings: AggregatorSettings
    steps: tuple[Step, ...]
    keeps_events: bool
    is_strict: bool

    def run(
        self, rows: Iterable[tuple[int, Document | BadRowError]], progress: Callable[[RowCount], None]
    ) -> tuple[RowCount, dict[str, Folded]]:
        """Import ``rows``, each with the number of its line.

        Returns:
            The count, and for each shard what became of its entries.

        Raises:
            CommandError: A row is bad and that is not to be; or panes cannot be closed.
            BarographError: The server is gone or refuses. ``--resume`` goes on.
        """
        folders = {keys.tag: self._folder(keys.tag) for keys in self.target.layout.shards}
        count = RowCount()
        try:
            self._import(rows, folders, count, progress)
        finally:
            folded = {tag: folder.close() for tag, folder in folders.items()}
        return count, folded

    def _folder(self, tag: str) -> Folder:
        (keys,) = (keys for keys in self.target.layout.shards if keys.tag == tag)
        return Folder(self.target.url, keys, self.settings, self.steps, keeps_events=self.keeps_events)

    def _import(
        self,
        rows: Iterable[tuple[int, Document | BadRowError]],
        folders: dict[str, Folder],
        count: RowCount,
        progress: Callable[[RowCount], None],
    ) -> None:
        makers = {tag: EntryMaker() for tag in folders}
        tags: dict[str, str] = {}
        for line, document in rows:
            try:
                if isinstance(document, BadRowError):
                    raise document
                row = row_of(document, self.defaults)
            except BadRowError as error:
                count.add_bad(line, error)
                if self.is_strict:
                    prefix = self.target.layout.prefix
                    raise CommandError(
                        f"line {line}: {error}; {count.good} rows before it are in {prefix!r}"
                    ) from error
                continue
            count.good += 1
            tag = tags.get(row.service) or tags.setdefault(row.service, self.target.layout.tag_of(row.service))
            for entry in makers[tag].add(row):
                folders[tag].add(entry)
            if count.good % _TELL_EVERY == 0:
                progress(count)
        for tag, folder in folders.items():
            for entry in makers[tag].finish():
                folder.add(entry)
            folder.finish()
