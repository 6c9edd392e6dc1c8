"""Turns answers into the rows of charts. Pure."""

from collections.abc import Sequence

from barograph_cli.explore.answers.alerts import Episodes
from barograph_cli.explore.answers.figures import Answer, Point, Series

Row = dict[str, object]


def request_rows(answer: Answer, points: Sequence[Point]) -> list[Row]:
    """Return a row for each point of requests, with empty rows in gaps and at the ends of the range."""
    rows: list[Row] = [_request_row(answer, point) for point in points]
    return with_gaps(answer, rows)


def _request_row(answer: Answer, point: Point) -> Row:
    return {
        "t": float(point.start_ms),
        "requests": float(point.events),
        "per_minute": point.events * 60 / answer.span_s(point),
        "errors": float(point.errors),
        "error_ratio": point.error_ratio,
        "p50": point.p50,
        "p95": point.p95,
        "p99": point.p99,
    }


def average_rows(answer: Answer, named: Sequence[tuple[str, Series]]) -> list[Row]:
    """Return a row for each point of each series with the mean of its measure.

    Args:
        answer: Of which the series are.
        named: What each series is called in the chart.
    """
    rows: list[Row] = []
    for name, series in named:
        own: list[Row] = [
            {
                "t": float(point.start_ms),
                "average": point.average,
                "maximum": point.maximum,
                "count": float(point.count),
            }
            for point in series.points
        ]
        rows += [{**row, "series": name} for row in with_gaps(answer, own)]
    return rows


def failure_rows(answer: Answer, named: Sequence[tuple[str, Series]]) -> list[Row]:
    """Return a row for each point of each series with the share of predictions that failed."""
    rows: list[Row] = []
    for name, series in named:
        own: list[Row] = [
            {"t": float(point.start_ms), "error_ratio": point.error_ratio, "count": float(point.errors)}
            for point in series.points
        ]
        rows += [{**row, "series": name} for row in with_gaps(answer, own)]
    return rows


def with_gaps(answer: Answer, rows: Sequence[Row]) -> list[Row]:
    """Add rows without figures: where points are missing, so that lines break; and at the ends of the range.

    The ends lie in the data and not in the chart, so that the chart stays the same when the range moves on.
    """
    step_ms = float(answer.step_ms or answer.to_ms - answer.from_ms)
    found: list[Row] = [{"t": float(answer.from_ms)}]
    last: float | None = None
    for row in rows:
        start = row["t"]
        if isinstance(start, float):
            if last is not None and start - last > step_ms:
                found.append({"t": last + step_ms})
            last = start
        found.append(row)
    return [*found, {"t": float(answer.to_ms)}]


def episode_rows(found: Episodes) -> list[Row]:
    """Return the spans in which alerts were pending or firing, cut to the range."""
    rows: list[Row] = []
    for episode in found.episodes:
        end_ms = found.to_ms if episode.end_ms is None else episode.end_ms
        spans = [("firing", episode.firing_ms, end_ms)]
        if episode.pending_ms is not None:
            spans.append(("pending", episode.pending_ms, end_ms if episode.firing_ms is None else episode.firing_ms))
        for state, start_ms, until_ms in spans:
            if start_ms is not None and until_ms > found.from_ms:
                rows.append(
                    {
                        "rule": episode.rule,
                        "severity": episode.severity,
                        "state": state,
                        "t": float(max(start_ms, found.from_ms)),
                        "end": float(min(until_ms, found.to_ms)),
                        "minutes": (until_ms - start_ms) / 60_000,
                    }
                )
    return rows


def histogram_rows(named: Sequence[tuple[str, Sequence[int]]], edges: Sequence[float]) -> list[Row]:
    """Return the bins of all histograms, each as shares of its own sum.

    Args:
        named: What each histogram is called in the chart, and its counts.
        edges: One more than each histogram has bins.
    """
    return [
        {"series": name, "low": low, "high": high, "share": count / sum(counts)}
        for name, counts in named
        if sum(counts)
        for low, high, count in zip(edges, edges[1:], counts, strict=False)
    ]
