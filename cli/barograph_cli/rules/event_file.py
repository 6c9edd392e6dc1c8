"""The events of a file as recordings of services: an export, or whatever ``barograph import`` reads."""

from barograph_alerter.trial.event_fold import EventFold
from barograph_alerter.trial.recording import Recording, Region
from barograph_cli.failure import USAGE, CommandError
from barograph_cli.history.import_input import ImportInput
from barograph_cli.history.rows.notes import Notes
from barograph_cli.history.rows.request_fields import LogColumns
from barograph_cli.history.rows.row_reading import BadRowError, Document, RowDefaults, row_of
from barograph_core.events.encode import LabelSet
from barograph_core.store.cover import ceil_to, floor_to


def read_recordings(name: str, from_ms: int | None, to_ms: int | None) -> list[Recording]:
    """Return what the file holds of each service.

    Args:
        name: A file or folder, or ``-``. Rows that name no service are of one named like it.
        from_ms: Beginning of the time that is judged; ``None``: that of the first event. Earlier events count as parts
            of windows.
        to_ms: Its end; ``None``: that of the last event.

    Raises:
        CommandError: The file cannot be read, or a row is no event.
    """
    fold = EventFold()
    source = ImportInput(name, None, LogColumns({}, ()), Notes())
    defaults = RowDefaults(source.stem, "trial")
    times = [
        _add(fold, f"{file or name}: row {number}", document, defaults)
        for file, rows in source.read(lambda _: None)
        for number, document in rows
    ]
    if not times:
        raise CommandError(f"{name} holds no events", USAGE)
    begin_ms = floor_to(min(times), EventFold.STEP_MS) if from_ms is None else ceil_to(from_ms, EventFold.STEP_MS)
    end_ms = floor_to(max(times), EventFold.STEP_MS) + EventFold.STEP_MS if to_ms is None else to_ms
    region = Region(EventFold.STEP_MS, begin_ms, floor_to(end_ms, EventFold.STEP_MS))
    return [Recording(service, panes, [region]) for service, panes in fold.panes().items()]


def _add(fold: EventFold, place: str, document: Document | BadRowError, defaults: RowDefaults) -> int:
    """Add one row to ``fold``, and return its time."""
    try:
        if isinstance(document, BadRowError):
            raise document
        row = row_of(document, defaults)
    except BadRowError as error:
        raise CommandError(f"{place}: {error}", USAGE) from error
    fixed = len(row.kind.labels)
    status = () if row.status is None else (row.status,)
    counted = row.counted_labels
    labels: LabelSet = (*counted[:fixed], *status, *counted[fixed:])
    fold.add(row.service, row.kind, labels, row.time_ms, row.values, row.weight)
    return row.time_ms
