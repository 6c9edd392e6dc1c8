"""What the workers count about themselves: names, units and meanings in one table."""

from typing import Final, Literal

MetricName = Literal[
    "entries_read",
    "entries_claimed",
    "entries_dead",
    "entries_lost",
    "events_committed",
    "events_late",
    "fence_rejections",
    "commits",
    "panes_closed",
    "panes_revised",
    "close_conflicts",
    "series_refused",
    "evaluations",
    "evaluation_errors",
    "transitions",
    "stale_states",
    "deliveries_sent",
    "deliveries_retried",
    "deliveries_dead",
    "deliveries_suppressed",
    "template_errors",
    "reconnects",
    "loop_errors",
]

METRICS: Final[dict[MetricName, str]] = {
    "entries_read": "entries this worker read for the first time",
    "entries_claimed": "entries taken over from a consumer that had gone quiet",
    "entries_dead": "entries moved to the dead-letter stream",
    "entries_lost": "entries that were trimmed before they were processed",
    "events_committed": "events whose effect on panes is durable",
    "events_late": "events beyond the allowed lateness, or too far in the future: counted and dropped",
    "fence_rejections": "entries that another consumer had claimed before this one could commit",
    "commits": "fenced commits that were applied",
    "panes_closed": "panes and roll-ups closed for the first time",
    "panes_revised": "panes and roll-ups closed again after late events",
    "close_conflicts": "closings that lost against another worker or a late commit",
    "series_refused": "series folded into __other__ by the series cap",
    "evaluations": "rules evaluated over a window",
    "evaluation_errors": "rule evaluations that failed; such a rule never resolves",
    "transitions": "alert transitions written",
    "stale_states": "evaluations thrown away because another alerter was first",
    "deliveries_sent": "notifications a channel took",
    "deliveries_retried": "attempts that will be made again",
    "deliveries_dead": "notifications given up",
    "deliveries_suppressed": "notifications that were not sent, with the reason on the deliveries stream",
    "template_errors": "summaries that fell back to plain text",
    "reconnects": "times the server was unavailable",
    "loop_errors": "unexpected errors in a worker's loop",
}


class Counters:
    """Counts of one worker thread. Written by that thread alone; a snapshot may be a step behind."""

    def __init__(self) -> None:
        self._counts: dict[MetricName, int] = dict.fromkeys(METRICS, 0)

    def add(self, name: MetricName, amount: int = 1) -> None:
        self._counts[name] += amount

    def __getitem__(self, name: MetricName) -> int:
        return self._counts[name]

    def snapshot(self) -> dict[MetricName, int]:
        """Return the counts that are not zero."""
        return {name: count for name, count in self._counts.items() if count}
