"""Tables: what is shown, and the same rows as CSV."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import TYPE_CHECKING, Final, Literal

import streamlit as st

from barograph_cli.explore.numbers import NOTHING
from barograph_cli.explore.ranges import moment
from barograph_core.text.timestamps import format_timestamp

if TYPE_CHECKING:
    from streamlit.elements.lib.column_types import ColumnConfig

Kind = Literal["text", "count", "ratio", "figure", "ms", "time"]
Value = str | int | float | None
TableRow = Mapping[str, Value]

# A spreadsheet takes a text that begins with one of these for a formula, and labels of events are anybody's text.
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")
_LONGEST: Final = 12
_ROW_PX: Final = 35


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        key: Of its values in the rows, and its head in the CSV.
        title: Its head on the page.
        kind: How its values are written: ``ratio`` 0 to 1, ``ms`` a duration, ``time`` ms since the epoch.
    """

    key: str
    title: str
    kind: Kind = "text"
    help: str | None = None


def show_table(name: str, columns: Sequence[Column], rows: Sequence[TableRow], zone: tzinfo) -> None:
    """Show a table, and below it the button that downloads it.

    Args:
        name: Of the file, without ``.csv``; no other table of a section has it.
        columns: From left to right.
        rows: In the order in which they are shown.
        zone: In which times are shown; the CSV has them in UTC.
    """
    shown = [{column.key: _shown(column, row.get(column.key), zone) for column in columns} for row in rows]
    st.dataframe(
        shown,
        key=f"table-{name}",
        hide_index=True,
        height=_ROW_PX * (min(max(len(rows), 1), _LONGEST) + 1) + 2,
        column_order=[column.key for column in columns],
        column_config={column.key: _config(column, zone) for column in columns},
        placeholder=NOTHING,
    )
    st.download_button(
        f"Download {name}.csv",
        # Made when it is asked for: otherwise the server would keep a file of each refresh.
        lambda: csv_text(columns, rows).encode(),
        file_name=f"{name}.csv",
        mime="text/csv",
        key=f"csv-{name}",
        icon=":material/download:",
        type="tertiary",
        on_click="ignore",
        disabled=not rows,
    )


def csv_text(columns: Sequence[Column], rows: Sequence[TableRow]) -> str:
    """Return a table as CSV (RFC 4180): numbers in full, times as ISO 8601 in UTC, nothing where nothing is known."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow([column.key for column in columns])
    for row in rows:
        writer.writerow([_written(column, row.get(column.key)) for column in columns])
    return buffer.getvalue()


def _written(column: Column, value: Value) -> Value:
    if column.kind == "time" and isinstance(value, int):
        return format_timestamp(value)
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return f"'{value}"
    return value


def _shown(column: Column, value: Value, zone: tzinfo) -> object:
    return moment(value, zone) if column.kind == "time" and isinstance(value, int) else None if value == "" else value


def _config(column: Column, zone: tzinfo) -> "ColumnConfig":
    title, help_ = column.title, column.help
    match column.kind:
        case "text":
            return st.column_config.TextColumn(title, help=help_)
        case "count":
            return st.column_config.NumberColumn(title, help=help_, format="localized")
        case "ratio":
            return st.column_config.NumberColumn(title, help=help_, format="percent")
        case "figure":
            return st.column_config.NumberColumn(title, help=help_, format="localized")
        case "ms":
            return st.column_config.NumberColumn(title, help=help_, format="%.2f ms")
        case "time":
            return st.column_config.DatetimeColumn(title, help=help_, format="D MMM, HH:mm:ss", timezone=str(zone))


def matching(rows: Sequence[TableRow], words: str) -> list[TableRow]:
    """Return the rows that have every word in some text of theirs, in capitals or not."""
    wanted = words.casefold().split()
    return [row for row in rows if all(word in _text_of(row) for word in wanted)]


def _text_of(row: TableRow) -> str:
    return "\n".join(value for value in row.values() if isinstance(value, str)).casefold()
