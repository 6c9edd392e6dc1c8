"""Requests: the figures of the range, and how they went over time."""

from typing import Final

import streamlit as st

from barograph_cli.explore.answers.figures import ONE_POINT, Answer, Question, ask, only_series
from barograph_cli.explore.charts import duration_chart, error_chart, rate_chart
from barograph_cli.explore.numbers import duration, percent
from barograph_cli.explore.ranges import moment
from barograph_cli.explore.rows import request_rows
from barograph_cli.explore.tables import Column, TableRow, show_table
from barograph_cli.explore.view import View, section, show_chart, show_empty

# Side by side on a desk, two by two on a phone.
_FIGURE_PX: Final = 142

Where = tuple[tuple[str, str], ...]

_POINT_COLUMNS = (
    Column("at", "At", "time"),
    Column("requests", "Requests", "count"),
    Column("errors", "Errors", "count"),
    Column("error_ratio", "Failed", "ratio"),
    Column("p50_ms", "p50", "ms"),
    Column("p95_ms", "p95", "ms"),
    Column("p99_ms", "p99", "ms"),
    Column("max_ms", "Longest", "ms"),
)


def show(view: View) -> None:
    """Show the section."""
    section(view, _show_figures)
    section(view, lambda same: show_strips(same, (), "requests"))


def _show_figures(view: View) -> None:
    answer = ask(view.client, Question(view.service, view.time_range, step=ONE_POINT))
    point = only_series(answer.series)
    if point is None:
        show_empty("No request in this range.")
        return
    figures = (
        ("Requests", f"{point.events:,}"),
        ("Errors", f"{point.errors:,}"),
        ("Failed", percent(point.error_ratio)),
        ("p50", duration(point.p50)),
        ("p95", duration(point.p95)),
        ("p99", duration(point.p99)),
    )
    with st.container(horizontal=True, gap="small"):
        for label, value in figures:
            st.metric(label, value, border=True, width=_FIGURE_PX)
    closed = moment(min(answer.to_ms, answer.closed_through_ms), view.zone)
    st.caption(f"All requests through {closed:%d %b %H:%M:%S} are counted.")
    if point.is_estimated:
        st.caption("Sampled requests are among these: the figures are estimates.")


def show_strips(view: View, where: Where, name: str) -> None:
    """Show rate, errors and durations over time, and the same points as a table: all of one answer."""
    answer = ask(view.client, Question(view.service, view.time_range, where=where))
    points = answer.series[0].points if answer.series else []
    if not points:
        show_empty("No request in this range.")
        return
    rows = request_rows(answer, points)
    show_chart(f"{name}-rate", "Requests per minute", rate_chart(view.palette), rows, note=_step_note(answer))
    show_chart(f"{name}-errors", "Errors, % of requests", error_chart(view.palette), rows)
    show_chart(f"{name}-duration", "Duration, ms", duration_chart(view.palette), rows)
    if answer.missing:
        st.caption(f"Up to {answer.missing} producers were missing at times: the figures then are partial.")
    with st.expander("The same figures as a table"):
        table: list[TableRow] = [
            {
                "at": point.start_ms,
                "requests": point.events,
                "errors": point.errors,
                "error_ratio": point.error_ratio,
                "p50_ms": point.p50,
                "p95_ms": point.p95,
                "p99_ms": point.p99,
                "max_ms": point.maximum,
            }
            for point in points
        ]
        show_table(name, _POINT_COLUMNS, table, view.zone)


def _step_note(answer: Answer) -> str:
    step_s = (answer.step_ms or 0) / 1_000
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if step_s >= size:
            return f"one point is {step_s / size:g} {unit}"
    return f"one point is {step_s:g} s"
