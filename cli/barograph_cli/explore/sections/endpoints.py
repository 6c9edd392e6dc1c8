"""Endpoints: one row each over the range, and the charts of the one that is chosen."""

import streamlit as st

from barograph_cli.explore.answers.figures import ONE_POINT, Answer, Question, Series, ask
from barograph_cli.explore.sections.requests import show_strips
from barograph_cli.explore.tables import Column, TableRow, matching, show_table
from barograph_cli.explore.view import View, section, show_empty

_COLUMNS = (
    Column("method", "Method"),
    Column("route", "Route"),
    Column("requests", "Requests", "count"),
    Column("share_ratio", "Share", "ratio", "of all requests in the range"),
    Column("errors", "Errors", "count"),
    Column("error_ratio", "Failed", "ratio"),
    Column("p50_ms", "p50", "ms"),
    Column("p95_ms", "p95", "ms"),
    Column("p99_ms", "p99", "ms"),
    Column("max_ms", "Longest", "ms"),
    Column("time_ratio", "Share of time", "ratio", "of all time that requests took in the range"),
)


def show(view: View) -> None:
    """Show the section."""
    section(view, _show_table)


def _show_table(view: View) -> None:
    asked = Question(view.service, view.time_range, by=("method", "route"), step=ONE_POINT)
    rows = endpoint_rows(ask(view.client, asked))
    if not rows:
        show_empty("No request in this range.")
        return
    words = st.text_input("Filter", key="endpoints-filter", placeholder="part of a method or route", width=320)
    found = matching(rows, words)
    st.caption(f"{len(found)} of {len(rows)} endpoints, the one that takes most time first")
    show_table("endpoints", _COLUMNS, found, view.zone)
    chosen = st.selectbox(
        "Charts of one endpoint",
        sorted(f"{row['method']} {row['route']}" for row in rows),
        index=None,
        key="endpoint",
        placeholder="Choose an endpoint",
        width=480,
    )
    if chosen:
        method, _, route = chosen.partition(" ")
        show_strips(view, (("method", method), ("route", route)), "endpoint")


def endpoint_rows(answer: Answer) -> list[TableRow]:
    """Return a row for each endpoint of an answer with one point a series, the one that takes most time first."""
    points = [point for series in answer.series for point in series.points]
    requests, time_ms = sum(point.events for point in points) or 1, sum(point.total for point in points) or 1.0
    rows = [_row(series, requests, time_ms) for series in answer.series]
    return [row for _, row in sorted(rows, key=lambda pair: -pair[0])]


def _row(series: Series, requests: int, time_ms: float) -> tuple[float, TableRow]:
    point = series.points[0]
    return point.total, {
        "method": series.labels["method"],
        "route": series.labels["route"],
        "requests": point.events,
        "share_ratio": point.events / requests,
        "errors": point.errors,
        "error_ratio": point.error_ratio,
        "p50_ms": point.p50,
        "p95_ms": point.p95,
        "p99_ms": point.p99,
        "max_ms": point.maximum,
        "time_ratio": point.total / time_ms,
    }
