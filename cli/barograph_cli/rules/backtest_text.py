"""The result of a backtest for people."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from statistics import median
from typing import Final

from rich.console import Console
from rich.table import Table

from barograph_alerter.trial.episodes import Episode
from barograph_alerter.trial.recording import Recording
from barograph_alerter.trial.report import RuleReport
from barograph_core.text.ages import format_age
from barograph_core.text.durations import format_duration
from barograph_core.text.one_line import one_line

_MOST_EPISODES: Final = 10
_PIPE_WIDTH: Final = 200


def print_reports(reports: Sequence[RuleReport], recordings: Sequence[Recording]) -> None:
    """Print the table of all rules, then what needs words."""
    # In a pipe no one sees where a column is cut.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)
    services = ", ".join(sorted(one.service for one in recordings)[:5])
    more = f" and {len(recordings) - 5} more" if len(recordings) > 5 else ""
    from_ms, to_ms = min(one.from_ms for one in reports), max(one.to_ms for one in reports)
    console.print(f"{services}{more}: {_time(from_ms)} to {_time(to_ms)} ({format_age(to_ms - from_ms)})", markup=False)
    console.print(_table(reports))
    if len(reports) == 1:
        _print_episodes(console, reports[0].episodes)
    for report in reports:
        _print_notes(console, report)


def _table(reports: Sequence[RuleReport]) -> Table:
    table = Table(box=None, pad_edge=False)
    titles = ["rule", "episodes", "sent", "sent/day", "flaps", "firing"]
    if reports[0].threshold is not None:
        titles.insert(1, "threshold")
    if reports[0].score is not None:
        titles += ["hits", "misses", "delay", "outside"]
    for title in titles:
        table.add_column(title, header_style="dim", justify="left" if title == "rule" else "right", no_wrap=True)
    for one in reports:
        counts = one.tally
        row = [one.rule, *([] if one.threshold is None else [f"{one.threshold:g}"])]
        row += [str(counts.episodes), str(counts.sent), f"{counts.sent_per_day:.1f}", str(counts.flaps)]
        row.append(format_age(counts.firing_ms) if counts.firing_ms else "-")
        if one.score is not None:
            delay = format_age(median(one.score.delays_ms)) if one.score.delays_ms else "-"
            row += [str(one.score.hits), str(one.score.misses), delay, str(one.score.outside)]
        table.add_row(*row)
    return table


def _print_episodes(console: Console, episodes: Sequence[Episode]) -> None:
    for one in episodes[:_MOST_EPISODES]:
        lasted = "to the end" if one.resolved_ms is None else f"for {format_age(one.resolved_ms - one.fired_ms)}"
        labels = " ".join(f"{name}={value}" for name, value in one.labels.items())
        value = "" if one.value is None else f", {one.value:.6g}"
        text = f"  {_time(one.fired_ms)} {lasted}: {one.service} {labels}".rstrip()
        console.print(one_line(f"{text} ({one.severity.value}{value})"), markup=False)
    if len(episodes) > _MOST_EPISODES:
        console.print(f"  … and {len(episodes) - _MOST_EPISODES} more; --json has them all")


def _print_notes(console: Console, report: RuleReport) -> None:
    for service, region in report.not_judged:
        span = f"{_time(region.from_ms)} to {_time(region.to_ms)}"
        reason = f"its windows are no whole panes of {format_duration(region.step_ms)}, the finest that are there"
        mend = "take an export by --input, or keep finer panes for longer ([server] keep)"
        console.print(f"{report.rule}: not judged on {service} {span}: {reason}; {mend}", markup=False)
    if report.failed:
        console.print(f"{report.rule}: {report.failed} verdicts failed; the log says why", markup=False)
    for one in report.differences or ():
        labels = " ".join(f"{name}={value}" for name, value in one.labels.items())
        side = "fired then, not here" if one.only == "recorded" else "fires here, not then"
        text = f"{report.rule}: {_time(one.began_ms)} {one.service} {labels}".rstrip()
        console.print(one_line(f"{text} {side}: {one.reason}"), markup=False)
    if report.differences == ():
        console.print(f"{report.rule}: as the recorded alerts have it", markup=False)


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1_000, UTC).strftime("%Y-%m-%d %H:%M:%S")
