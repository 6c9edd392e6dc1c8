"""Models: the versions side by side, their errors and failures over time, and how their values are spread."""

from typing import Final

import streamlit as st

from barograph_cli.explore.answers.distribution import Distribution, distribution
from barograph_cli.explore.answers.figures import ONE_POINT, Answer, Question, ask
from barograph_cli.explore.charts import histogram_chart, series_chart
from barograph_cli.explore.rows import average_rows, failure_rows, histogram_rows
from barograph_cli.explore.tables import Column, TableRow, show_table
from barograph_cli.explore.view import View, section, show_chart, show_empty

_COLUMNS = (
    Column("model", "Model"),
    Column("version", "Version"),
    Column("predictions", "Predictions", "count"),
    Column("share_ratio", "Share", "ratio", "of the predictions of this model"),
    Column("labelled", "Labelled", "count", "predictions whose truth is known"),
    Column("labelled_ratio", "of all", "ratio"),
    Column("mae", "MAE", "figure", "mean absolute error of the labelled predictions"),
    Column("p95_error", "p95 of error", "figure"),
    Column("confidence", "Confidence", "figure", "mean"),
    Column("latency_p95_ms", "p95 of latency", "ms"),
    Column("errors", "Errors", "count", "predictions that failed"),
    Column("error_ratio", "Failed", "ratio", "of the predictions that say whether they failed"),
)
_POINTS = (
    Column("at", "At", "time"),
    Column("model", "Model"),
    Column("version", "Version"),
    Column("predictions", "Predictions", "count"),
    Column("labelled", "Labelled", "count"),
    Column("mae", "MAE", "figure"),
    Column("errors", "Errors", "count"),
    Column("error_ratio", "Failed", "ratio"),
)
_DISTRIBUTION = (
    Column("model", "Model"),
    Column("version", "Version"),
    Column("from", "From", "figure"),
    Column("to", "To", "figure"),
    Column("count", "Predictions", "count"),
    Column("share_ratio", "Share", "ratio", "of the predictions of this version"),
)
_BY = ("model", "version")
_MEASURES: Final = {
    "prediction": "Prediction",
    "confidence": "Confidence",
    "absolute_error": "Absolute error",
    "latency_ms": "Latency, ms",
}


def show(view: View) -> None:
    """Show the section."""
    section(view, _show_table)
    section(view, _show_over_time)
    section(view, _show_distribution)


def _show_table(view: View) -> None:
    rows = model_rows(*(_ask(view, measure, ONE_POINT) for measure in ("absolute_error", "confidence", "latency_ms")))
    if not rows:
        show_empty("No prediction in this range.")
        return
    show_table("models", _COLUMNS, rows, view.zone)


def _ask(view: View, measure: str, step: str = "") -> Answer:
    return ask(view.client, Question(view.service, view.time_range, "model", measure, _BY, step=step))


def model_rows(errors: Answer, confidences: Answer, latencies: Answer) -> list[TableRow]:
    """Return a row for each version, by model, the version with most predictions first.

    Each answer has one point a series.
    """
    confidence_of, latency_of = (
        {tuple(series.labels.items()): series.points[0] for series in answer.series}
        for answer in (confidences, latencies)
    )
    totals: dict[str, int] = {}
    for series in errors.series:
        totals[series.labels["model"]] = totals.get(series.labels["model"], 0) + series.points[0].events
    rows: list[tuple[tuple[str, int, str], TableRow]] = []
    for series in errors.series:
        point, (model, version) = series.points[0], (series.labels["model"], series.labels["version"])
        confidence = confidence_of.get(tuple(series.labels.items()))
        latency = latency_of.get(tuple(series.labels.items()))
        row: TableRow = {
            "model": model,
            "version": version,
            "predictions": point.events,
            "share_ratio": point.events / totals[model] if totals[model] else None,
            "labelled": point.count,
            "labelled_ratio": point.count / point.events if point.events else None,
            "mae": point.average,
            "p95_error": point.p95,
            "confidence": confidence.average if confidence else None,
            "latency_p95_ms": latency.p95 if latency else None,
            "errors": point.errors,
            "error_ratio": point.error_ratio,
        }
        rows.append(((model, -point.events, version), row))
    return [row for _, row in sorted(rows, key=lambda pair: pair[0])]


def _show_over_time(view: View) -> None:
    """Show errors and failures over time, and the same points as a table: all of one answer."""
    answer = _ask(view, "absolute_error")
    labelled = [(_name(one.labels), one) for one in answer.series if any(p.average is not None for p in one.points)]
    failing = [(_name(one.labels), one) for one in answer.series if any(p.error_ratio is not None for p in one.points)]
    if labelled:
        chart = series_chart(view.palette, [name for name, _ in labelled], "Mean absolute error", ",.4~g")
        show_chart("mae", "Mean absolute error, by version", chart, average_rows(answer, labelled))
    if failing:
        chart = series_chart(view.palette, [name for name, _ in failing], "Failed", ".2~%", field="error_ratio")
        show_chart("failed", "Failed predictions, by version", chart, failure_rows(answer, failing))
    if answer.series:
        with st.expander("The same figures as a table"):
            show_table("models-over-time", _POINTS, point_rows(answer), view.zone)


def point_rows(answer: Answer) -> list[TableRow]:
    """Return a row for each point of each version."""
    return [
        {
            **series.labels,
            "at": point.start_ms,
            "predictions": point.events,
            "labelled": point.count,
            "mae": point.average,
            "errors": point.errors,
            "error_ratio": point.error_ratio,
        }
        for series in answer.series
        for point in series.points
    ]


def _name(labels: dict[str, str]) -> str:
    return f"{labels['model']} {labels['version']}"


def _show_distribution(view: View) -> None:
    measure = st.selectbox(
        "Distribution of", _MEASURES, key="distribution", format_func=_MEASURES.__getitem__, width=320
    )
    found = distribution(view.client, view.service, view.time_range, measure, _BY)
    rows = histogram_rows([(_name(one.labels), one.counts) for one in found.series], found.edges)
    title = _MEASURES[measure]
    if not rows:
        st.caption(f"No prediction of this range states a value: {title.lower()}.")
        return
    names = list(dict.fromkeys(str(row["series"]) for row in rows))
    show_chart("distribution", f"{title}, by version", histogram_chart(view.palette, names, title.lower()), rows)
    show_table(f"distribution-{measure}", _DISTRIBUTION, distribution_rows(found), view.zone)


def distribution_rows(found: Distribution) -> list[TableRow]:
    """Return a row for each bin of each version that holds a value."""
    return [
        {**one.labels, "from": low, "to": high, "count": count, "share_ratio": count / sum(one.counts)}
        for one in found.series
        for low, high, count in zip(found.edges, found.edges[1:], one.counts, strict=False)
        if count
    ]
