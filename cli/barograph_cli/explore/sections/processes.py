"""Processes and hosts: how they are now, and one measure of all of them over time."""

from typing import Final

import streamlit as st

from barograph_cli.explore.answers.figures import Question, Series, ask
from barograph_cli.explore.charts import series_chart
from barograph_cli.explore.rows import average_rows
from barograph_cli.explore.tables import Column, TableRow, show_table
from barograph_cli.explore.view import View, section, show_chart, show_empty

MEASURES: Final = {
    "cpu_percent": "CPU, %",
    "memory_mb": "Memory, MB",
    "memory_percent": "Memory, % of the host",
    "disk_percent": "Disk, % used",
    "threads": "Threads",
    "open_files": "Open files",
    "load_1m": "Load of 1 min",
    "disk_read_mb_per_s": "Disk read, MB/s",
    "disk_write_mb_per_s": "Disk written, MB/s",
    "network_sent_mb_per_s": "Network sent, MB/s",
    "network_received_mb_per_s": "Network received, MB/s",
    "gc_collections": "Garbage collections",
}
_COLUMNS: Final = (
    Column("instance", "Process or host"),
    Column("scope", "Kind"),
    Column("samples", "Samples", "count"),
    *(Column(measure, title, "figure") for measure, title in MEASURES.items()),
)
_WINDOW_S: Final = 60


_POINTS = (
    Column("at", "At", "time"),
    Column("instance", "Instance"),
    Column("scope", "Of"),
    Column("average", "Mean", "figure"),
    Column("maximum", "Highest", "figure"),
)


def show(view: View) -> None:
    """Show the section."""
    section(view, _show_table)
    section(view, _show_chart)


def _show_table(view: View) -> None:
    found = view.client.get("/current", [("service", view.service), ("window", str(_WINDOW_S))])
    rows: list[TableRow] = [
        {
            "instance": row.text("instance"),
            "scope": row.text("scope"),
            "samples": row.count("samples"),
            **{measure: row.number(measure) for measure in MEASURES},
        }
        for row in found.rows("system")
    ]
    if not rows:
        show_empty("No process of this service reported in its last minute.")
        return
    st.caption("Means of the last minute")
    show_table("processes", _COLUMNS, rows, view.zone)


def _show_chart(view: View) -> None:
    measure = st.selectbox("Over time", MEASURES, format_func=MEASURES.__getitem__, key="measure", width=320)
    asked = Question(view.service, view.time_range, "system", measure, ("instance", "scope"))
    answer = ask(view.client, asked)
    named = [(_name(series), series) for series in answer.series if any(p.average is not None for p in series.points)]
    if not named:
        show_empty("Nothing of this measure in this range.")
        return
    title = MEASURES[measure]
    chart = series_chart(view.palette, [name for name, _ in named], title, ",.4~g")
    show_chart("system", title, chart, average_rows(answer, named), note="mean of each point")
    with st.expander("The same figures as a table"):
        rows: list[TableRow] = [
            {**series.labels, "at": point.start_ms, "average": point.average, "maximum": point.maximum}
            for series in answer.series
            for point in series.points
        ]
        show_table(f"processes-{measure}", _POINTS, rows, view.zone)


def _name(series: Series) -> str:
    instance, scope = series.labels["instance"], series.labels["scope"]
    return f"{instance} (host)" if scope == "host" else instance
