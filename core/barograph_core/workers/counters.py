"""The counters and distributions of workers: their names, units and meanings in two tables."""

from collections.abc import Callable, Mapping
from typing import Final, Literal

MetricName = Literal[
    "entries_read",
    "entries_claimed",
    "entries_dead",
    "entries_lost",
    "entries_trimmed",
    "entries_trimmed_early",
    "events_lost",
    "events_committed",
    "events_late",
    "events_refused",
    "fence_rejections",
    "commits",
    "panes_closed",
    "panes_revised",
    "close_conflicts",
    "blocks_dropped",
    "series_refused",
    "evaluations",
    "evaluation_errors",
    "provisional_overturned",
    "transitions",
    "stale_states",
    "deliveries_sent",
    "deliveries_retried",
    "deliveries_dead",
    "deliveries_suppressed",
    "deliveries_held",
    "entries_passed_over",
    "template_errors",
    "reconnects",
    "loop_errors",
]

METRICS: Final[dict[MetricName, str]] = {
    "entries_read": "entries this worker read for the first time",
    "entries_claimed": "entries taken over from a consumer that had gone silent",
    "entries_dead": "entries moved to the dead-letter stream",
    "entries_lost": "entries that were trimmed, deleted or flushed before they were processed",
    "entries_trimmed": "processed entries dropped at the end of their retention",
    "entries_trimmed_early": "those of them that were dropped before their time, because the server was full",
    "events_lost": "events of the lost entries that barograph itself trimmed; unknown for others",
    "events_committed": "events whose effect on panes is durable",
    "events_late": "events beyond the allowed lateness, or too far in the future: counted and dropped",
    "events_refused": "events of new services beyond the service cap: counted and dropped",
    "fence_rejections": "entries that another consumer had claimed before this one could commit",
    "commits": "fenced commits that were applied",
    "panes_closed": "panes and roll-ups closed for the first time",
    "panes_revised": "panes and roll-ups closed again after late events",
    "close_conflicts": "closings that lost against another worker or a late commit",
    "blocks_dropped": "blocks of closed panes dropped before their time, to keep the store within its memory",
    "series_refused": "series folded into __other__ by the series cap",
    "evaluations": "rules evaluated over a window",
    "evaluation_errors": "rule evaluations that failed; such a rule never resolves",
    "provisional_overturned": "breaches seen in open panes that their closed panes did not have",
    "transitions": "alert transitions written",
    "stale_states": "evaluations thrown away because another alerter was first",
    "deliveries_sent": "notifications a channel took",
    "deliveries_retried": "attempts that will be made again",
    "deliveries_dead": "notifications given up",
    "deliveries_suppressed": "notifications that were not sent, with the reason on the deliveries stream",
    "template_errors": "summaries and messages that fell back to plain text",
    "entries_passed_over": "entries of the alerts stream that are about no single alert",
    "deliveries_held": "firings that a silence or an inhibition began to hold back",
    "reconnects": "times the server was unavailable",
    "loop_errors": "unexpected errors in a worker's loop",
}


DistributionName = Literal["commit_ms", "parts_per_pane"]

DISTRIBUTIONS: Final[dict[DistributionName, str]] = {
    "commit_ms": "time of one fenced commit, its round trip included",
    "parts_per_pane": "partial summaries that a closed pane was made from",
}
# Reported for each distribution, as `commit_ms_p99`: quantiles over its newest values, and count and sum over all.
QUANTILES: Final[dict[str, float]] = {"p50": 0.5, "p99": 0.99}
_NEWEST: Final = 1_024


class _Distribution:
    """The newest values of one distribution in a ring. Adding a value is O(1); quantiles sort."""

    __slots__ = ("_newest", "count", "total")

    def __init__(self) -> None:
        self._newest: list[float] = []
        self.count = 0
        self.total = 0.0

    def add(self, value: float) -> None:
        if len(self._newest) < _NEWEST:
            self._newest.append(value)
        else:
            self._newest[self.count % _NEWEST] = value
        self.count += 1
        self.total += value

    def facts(self) -> Mapping[str, float]:
        ordered = sorted(self._newest)
        last = len(ordered) - 1
        figures = {name: ordered[int(quantile * last)] for name, quantile in QUANTILES.items()}
        return figures | {"count": self.count, "sum": self.total}


class WorkerCounters:
    """Counts and distributions of one worker thread. Only that thread writes; a snapshot may lack the last step.

    Attributes:
        config_problem: Returns the mistakes for which a changed configuration file was refused; empty: it is in force.
    """

    def __init__(self, config_problem: Callable[[], str] | None = None) -> None:
        self.config_problem = config_problem
        self._counts: dict[MetricName, int] = dict.fromkeys(METRICS, 0)
        self._distributions: dict[DistributionName, _Distribution] = {}

    def add(self, name: MetricName, amount: int = 1) -> None:
        self._counts[name] += amount

    def observe(self, name: DistributionName, value: float) -> None:
        self._distributions.setdefault(name, _Distribution()).add(value)

    def __getitem__(self, name: MetricName) -> int:
        return self._counts[name]

    def snapshot(self) -> dict[str, float]:
        """Return the counts that are not zero, and ``_p50``, ``_p99``, ``_count`` and ``_sum`` of each distribution."""
        facts: dict[str, float] = {name: count for name, count in self._counts.items() if count}
        for name, distribution in list(self._distributions.items()):
            facts |= {f"{name}_{what}": round(figure, 3) for what, figure in distribution.facts().items()}
        return facts
