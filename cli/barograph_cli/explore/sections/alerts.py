"""Alerts: those that are active, when each was on, and everything that changed."""

from collections.abc import Sequence
from typing import Final

import streamlit as st

from barograph_cli.explore.answers.alerts import (
    SEVERITIES,
    ActiveAlert,
    AlertChange,
    Episode,
    active_alerts,
    alert_episodes,
    alert_history,
)
from barograph_cli.explore.charts import episode_chart
from barograph_cli.explore.rows import episode_rows
from barograph_cli.explore.tables import Column, TableRow, matching, show_table
from barograph_cli.explore.view import View, section, show_chart, show_title
from barograph_core.clock import SystemClock

_ACTIVE: Final = (
    Column("state", "State"),
    Column("severity", "Severity"),
    Column("rule", "Rule"),
    Column("started_at", "Since", "time", "when the breach began"),
    Column("fired_at", "Fired", "time"),
    Column("value", "Value", "figure"),
    Column("threshold", "Threshold", "figure"),
    Column("labels", "Labels"),
    Column("summary", "Summary"),
)
_HISTORY: Final = (
    Column("at", "At", "time"),
    Column("to", "Became"),
    Column("from", "Was"),
    Column("severity", "Severity"),
    Column("rule", "Rule"),
    Column("labels", "Labels"),
    Column("summary", "Summary"),
    Column("value", "Value", "figure"),
    Column("threshold", "Threshold", "figure"),
    Column("reason", "Reason"),
    Column("actor", "By"),
)
_EPISODES: Final = (
    Column("rule", "Rule"),
    Column("severity", "Severity"),
    Column("pending_at", "Pending", "time"),
    Column("firing_at", "Firing", "time"),
    Column("ended_at", "Ended", "time"),
    Column("minutes", "Minutes firing", "figure"),
    Column("acked_at", "Acknowledged", "time"),
    Column("actor", "Resolved by"),
    Column("labels", "Labels"),
    Column("summary", "Summary"),
)
_STATES: Final = ("firing", "pending", "resolved", "inactive")


def show(view: View) -> None:
    """Show the section."""
    section(view, _show_active)
    section(view, _show_episodes)
    section(view, _show_history)


def _show_active(view: View) -> None:
    show_title("Active")
    alerts = active_alerts(view.client, view.service)
    if not alerts:
        st.success("No alert is pending or firing.", icon=":material/check_circle:")
        return
    show_table("alerts", _ACTIVE, [_active_row(alert) for alert in alerts], view.zone)


def _active_row(alert: ActiveAlert) -> TableRow:
    return {
        "state": alert.state,
        "severity": alert.severity,
        "rule": alert.rule,
        "labels": alert.labels,
        "summary": alert.summary,
        "value": alert.value,
        "threshold": alert.threshold,
        "started_at": alert.started_ms,
        "fired_at": alert.fired_ms,
    }


def _show_episodes(view: View) -> None:
    found = alert_episodes(view.client, view.service, view.time_range, SystemClock().now_ms())
    rows = episode_rows(found)
    if not rows:
        return
    rules = sorted({str(row["rule"]) for row in rows})
    show_chart("episodes", "When they were on", episode_chart(view.palette, rules), rows, note="faint: pending")
    show_table("alert-episodes", _EPISODES, [_episode_row(one, found.to_ms) for one in found.newest_first()], view.zone)


def _episode_row(episode: Episode, to_ms: int) -> TableRow:
    firing_ms = episode.firing_ms
    return {
        "rule": episode.rule,
        "severity": episode.severity,
        "labels": episode.labels,
        "summary": episode.summary,
        "pending_at": episode.pending_ms,
        "firing_at": firing_ms,
        "ended_at": episode.end_ms,
        "minutes": None if firing_ms is None else round(((episode.end_ms or to_ms) - firing_ms) / 60_000, 2),
        "acked_at": episode.acked_ms,
        "actor": episode.actor,
    }


def _show_history(view: View) -> None:
    show_title("History")
    history = alert_history(view.client, view.service)
    severities, states, words = _filters()
    rows = history_rows(history.changes, severities, states)
    found = matching(rows, words)
    older = "" if history.is_whole else "; there are older ones"
    st.caption(f"{len(found)} of the newest {len(history.changes)} changes{older}")
    show_table("alert-history", _HISTORY, found, view.zone)


def _filters() -> tuple[Sequence[str], Sequence[str], str]:
    left, middle, right = st.columns([2, 2, 1.5])
    severities = left.pills("Severity", SEVERITIES, selection_mode="multi", key="history-severities")
    states = middle.pills("Became", _STATES, selection_mode="multi", key="history-states")
    words = right.text_input("Filter", key="history-filter", placeholder="rule, label, summary or person")
    return severities, states, words


def history_rows(changes: Sequence[AlertChange], severities: Sequence[str], states: Sequence[str]) -> list[TableRow]:
    """Return a row for each change that has one of the severities and became one of the states; none means all."""
    return [
        {
            "at": change.at_ms,
            "to": change.after,
            "from": change.before,
            "severity": change.severity,
            "rule": change.rule,
            "labels": change.labels,
            "summary": change.summary,
            "value": change.value,
            "threshold": change.threshold,
            "reason": change.reason,
            "actor": change.actor,
        }
        for change in changes
        if (not severities or change.severity in severities) and (not states or change.after in states)
    ]
