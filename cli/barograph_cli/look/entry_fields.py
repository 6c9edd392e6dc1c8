"""Fields of an entry, and the begin of its line, fit for a terminal."""

from typing import Final

from rich.text import Text

from barograph_core.server.replies import Entry
from barograph_core.text.ages import format_time
from barograph_core.text.one_line import one_line

TEXT_LIMIT: Final = 300


def field_text(entry: Entry, name: str, default: str = "") -> str:
    """Return a field, fit for a terminal."""
    raw = entry.fields.get(name.encode())
    return default if raw is None else one_line(raw.decode(errors="replace"), TEXT_LIMIT)


def head_of(entry: Entry) -> Text:
    """Return the begin of an entry's line: time and id."""
    return Text.assemble((format_time(entry.id.ms), "dim"), " ", (str(entry.id), "dim"), "  ")
