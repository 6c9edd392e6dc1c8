"""The quantities of conditions, as the console computes them: of a merged window, and as a field of a query. Pure.

An alerter judges by the same numbers; a test compares the two.
"""

import re
from dataclasses import dataclass
from typing import Final, Self

from barograph_core.events.kinds import Kind
from barograph_core.objectives.event_test import EventTest, EventTestError
from barograph_core.panes.summary import SeriesSummary, Summary

_STATUS: Final = re.compile(r"status\[(\d{1,3})\]\Z", re.ASCII)
_PERCENTILE: Final = re.compile(r"p(\d{1,3})(?:_(\d{1,4}))?\Z", re.ASCII)
_SHARE: Final = re.compile(r"share\[\"([^\"]+)\"\]\Z", re.ASCII)
_PLAIN: Final = ("count", "rate", "errors", "error_rate")
_STATISTICS: Final = ("avg", "min", "max", "sum", "stddev", "count")
# Names of the fields of a point that are other than those of the quantity.
_FIELDS: Final = {"count": "events", "rate": "events", "errors": "errors", "error_rate": "error_rate"}


@dataclass(frozen=True, slots=True)
class Quantity:
    """Something that a condition compares.

    Attributes:
        plain: ``count``, ``rate``, ``errors``, ``error_rate``, ``status`` or ``share``; empty for that of a measure.
        code: Of ``status``.
        test: Of ``share``: which events count.
        measure: Name of the measure; empty for a plain one.
        statistic: Of the measure: ``avg``, ``p95``.
        quantile: 0 to 1 where the statistic is a percentile.
    """

    plain: str = ""
    code: int = 0
    test: EventTest | None = None
    measure: str = ""
    statistic: str = ""
    quantile: float | None = None

    @classmethod
    def parse(cls, text: str, kind: Kind) -> Self | None:
        """Return what a condition on events of ``kind`` writes as ``text``, ``None`` for an unknown quantity."""
        status = _STATUS.match(text)
        if status is not None:
            return cls(plain="status", code=int(status[1]))
        share = _SHARE.match(text)
        if share is not None:
            try:
                return cls(plain="share", test=EventTest.parse(share[1], kind))
            except EventTestError:
                return None
        if text in _PLAIN:
            return cls(plain=text)
        measure, _, statistic = text.partition(".")
        if statistic in _STATISTICS:
            return cls(measure=measure, statistic=statistic)
        percentile = _PERCENTILE.match(statistic)
        if percentile is None:
            return None
        quantile = float(f"{percentile[1]}.{percentile[2] or 0}") / 100
        return cls(measure=measure, statistic=statistic, quantile=quantile) if quantile <= 1 else None

    @property
    def field(self) -> str:
        """Return the field of a point that has it; empty where a query does not give it."""
        if self.plain:
            return "" if self.test else _FIELDS.get(self.plain, "events")
        return "" if self.statistic == "stddev" else self.statistic

    def value(self, row: SeriesSummary | None, window_ms: int) -> float | None:
        """Return its value in a window, ``None`` where there is no data for it.

        Args:
            row: The events of the window as one series; ``None`` when there were none.
            window_ms: Length of the window.
        """
        if self.plain:
            return self._of_events(row, window_ms)
        summary = None if row is None else row.measures.get(self.measure)
        if self.statistic == "count":
            return float(summary.count) if summary else 0.0
        return None if summary is None or not summary.count else self._of_values(summary)

    def _of_events(self, row: SeriesSummary | None, window_ms: int) -> float | None:
        if self.plain == "error_rate":
            return None if row is None or not row.outcomes else row.errors / row.outcomes
        if self.test is not None:
            counted = None if row is None else self.test.count(row)
            return counted.passed / counted.total if counted and counted.total else None
        if row is None:
            return 0.0
        if self.plain == "rate":
            return row.count * 1_000 / window_ms
        return float({"count": row.count, "errors": row.errors, "status": row.status.get(self.code, 0)}[self.plain])

    def _of_values(self, summary: Summary) -> float:
        if self.quantile is not None:
            return summary.quantile(self.quantile)
        name = {"avg": "average", "min": "minimum", "max": "maximum"}.get(self.statistic, self.statistic)
        return float(getattr(summary, name))
