"""Rows with names, of which each may have other fields: events as they are, requests of access logs by their fields."""

from collections.abc import Mapping
from typing import Final, cast

from barograph_cli.history.rows.notes import Notes
from barograph_cli.history.rows.request_fields import LogColumns, find_fields
from barograph_cli.history.rows.request_row import RequestLayout
from barograph_cli.history.rows.row_reading import BadRowError, Document

# Sets of fields whose layout is remembered: a log has a few.
_MOST_LAYOUTS: Final = 1_000


class RequestDocuments:
    """Reads the rows of one file that have names. A row with the field ``kind`` is an event already."""

    def __init__(self, columns: LogColumns, notes: Notes) -> None:
        self._columns, self._notes = columns, notes
        self._layouts: dict[tuple[str, ...], RequestLayout | BadRowError] = {}

    def row_of(self, document: Document) -> Document | BadRowError:
        """Return the row of an event, or what is wrong with it."""
        if "kind" in document:
            return document
        # Caddy has the request as an object of its own.
        inner = document.get("request")
        if isinstance(inner, dict):
            document = {**document, **cast("Mapping[str, object]", inner)}
            del document["request"]
        names = tuple(document)
        layout = self._layouts.get(names)
        if layout is None:
            if len(self._layouts) >= _MOST_LAYOUTS:
                self._layouts.clear()
            layout = self._layouts[names] = self._layout(names)
        return layout if isinstance(layout, BadRowError) else layout.document(document)

    def _layout(self, names: tuple[str, ...]) -> RequestLayout | BadRowError:
        try:
            return RequestLayout(find_fields(names, self._columns), self._columns, self._notes)
        except ValueError as error:
            return BadRowError(f"the row is neither an event (it has no kind) nor a request: {error}")
