"""The forms of an answer to a query: points, columns or CSV, with the fields that are asked. Pure."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic_core import to_json

from barograph_console.reading.query_plan import QueryError
from barograph_console.serving.problems import did_you_mean, suggestions_for

FormatName = Literal["points", "columns", "csv"]
_TIME = "t"


@dataclass(frozen=True, slots=True)
class SeriesColumns:
    """One series as columns of equal length, by the names of a point's fields."""

    labels: Mapping[str, str]
    columns: Mapping[str, Sequence[object]]


def select_fields(names: Sequence[str], asked: str) -> list[str]:
    """Return the fields of an answer: those that are asked, in that order, or all; the time always stands first.

    Raises:
        QueryError: ``unknown_field``.
    """
    wanted = [part.strip() for part in asked.split(",") if part.strip()]
    for name in wanted:
        if name not in names:
            message = f"a point has no field {name[:60]!r}, only {', '.join(names)}"
            raise QueryError("unknown_field", f"{message}{did_you_mean(suggestions_for(name, names))}")
    return [_TIME, *dict.fromkeys(name for name in wanted if name != _TIME)] if wanted else list(names)


def busiest(series: Sequence[SeriesColumns], top: int | None) -> list[SeriesColumns]:
    """Return the ``top`` series with most events, all when ``None``; in the order in which they are."""
    if top is None or top >= len(series):
        return list(series)
    ranked = sorted(range(len(series)), key=lambda at: (-_events(series[at]), at))[:top]
    return [series[at] for at in sorted(ranked)]


def _events(series: SeriesColumns) -> int:
    return sum(count for count in series.columns["events"] if isinstance(count, int))


def as_points(series: SeriesColumns, fields: Sequence[str]) -> dict[str, object]:
    """Return a series with its points one by one."""
    rows = zip(*(series.columns[name] for name in fields), strict=True)
    return {"labels": series.labels, "points": [dict(zip(fields, row, strict=True)) for row in rows]}


def as_columns(series: SeriesColumns, fields: Sequence[str]) -> dict[str, object]:
    """Return a series with one array for each field: a fifth of the bytes of its points."""
    return {"labels": series.labels, "columns": {name: series.columns[name] for name in fields}}


def encode(
    head: Mapping[str, object], series: Sequence[SeriesColumns], fields: Sequence[str], form: FormatName
) -> bytes:
    """Return the body of an answer.

    Args:
        head: What stands next to the series; a table has no place for it.
        series: The series.
        fields: As ``select_fields`` returned them.
        form: How they are written.
    """
    if form == "csv":
        return _table(series, fields).encode()
    write = as_columns if form == "columns" else as_points
    return to_json({**head, "series": [write(one, fields) for one in series]})


def _table(series: Sequence[SeriesColumns], fields: Sequence[str]) -> str:
    labels = list(series[0].labels) if series else []
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([*labels, *fields])
    for one in series:
        values = [one.labels[name] for name in labels]
        writer.writerows([*values, *row] for row in zip(*(one.columns[name] for name in fields), strict=True))
    return text.getvalue()
