"""The parameters of questions about figures, and what they ask. Pure."""

from typing import Annotated, Final

from fastapi import Query

from barograph_console.figures.points import DEFAULT_QUANTILES, Question, check_labels, check_measure, check_status
from barograph_console.figures.query_answer import AUTO, TimeRange
from barograph_console.figures.query_parameters import parse_quantiles, parse_step_ms
from barograph_console.reading.query_plan import QueryError
from barograph_core.events.kinds import KINDS
from barograph_core.text.timestamps import parse_timestamp

# The enum is for programs that read the description. A wrong kind is refused with a sentence that names the others.
KindName = Annotated[str, Query(description="kind of the events", json_schema_extra={"enum": list(KINDS)})]
WindowS = Annotated[int, Query(ge=1, le=900, description="length of the window in seconds")]
MAX_BY: Final = 4
MAX_WHERE: Final = 10


def parse_question(kind: str, measure: str, by: str, where: list[str], quantiles: str) -> Question:
    """Return what is asked of a range.

    Raises:
        QueryError: Something asked for cannot be, or there is too much of it.
    """
    known, name = check_measure(kind, measure)
    labels = tuple(dict.fromkeys(part.strip() for part in by.split(",") if part.strip()))
    if len(labels) > MAX_BY:
        raise QueryError("too_many_labels", f"by takes up to {MAX_BY} labels, not {len(labels)}")
    if len(where) > MAX_WHERE:
        raise QueryError("too_many_filters", f"where may be given up to {MAX_WHERE} times, not {len(where)}")
    filters = _parse_filters(where)
    check_labels(known, (*labels, *filters))
    check_status(known, filters)
    return Question(known, name, labels, filters, _parse_quantiles(quantiles))


def parse_range(from_: str, to: str, step: str, now_ms: int) -> TimeRange:
    """Return the range that is asked for.

    Raises:
        QueryError: ``invalid_parameter``.
    """
    try:
        step_ms = parse_step_ms(step) if step else AUTO
        return TimeRange(parse_timestamp(from_, now_ms), parse_timestamp(to, now_ms), step_ms)
    except ValueError as error:
        raise QueryError("invalid_parameter", str(error)) from error


def _parse_quantiles(text: str) -> dict[str, float]:
    try:
        return {**DEFAULT_QUANTILES, **parse_quantiles(text)}
    except ValueError as error:
        raise QueryError("invalid_parameter", str(error)) from error


def _parse_filters(texts: list[str]) -> dict[str, str]:
    filters: dict[str, str] = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator or not name:
            raise QueryError("invalid_filter", f"where {text[:80]!r} is not of the form label=value")
        if filters.get(name, value) != value:
            raise QueryError("invalid_filter", f"where asks two values of {name[:80]!r}; no series has both")
        filters[name] = value
    return filters
