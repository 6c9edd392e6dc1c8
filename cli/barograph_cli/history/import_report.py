"""The report of an import, for people and as JSON."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Final

from barograph_aggregator.settings import AggregatorSettings
from barograph_cli.history.import_run import RowCount
from barograph_cli.history.rebuild.fold import Folded
from barograph_cli.history.rows.notes import Notes
from barograph_console.settings import ConsoleSettings
from barograph_core.text.durations import format_duration
from barograph_core.text.one_line import one_line
from barograph_core.text.timestamps import format_timestamp

# Where a console listens that is started without options.
_CONSOLE_URL: Final = f"http://127.0.0.1:{ConsoleSettings().port}"


def report_document(prefix: str, count: RowCount, notes: Notes, folded: Mapping[str, Folded]) -> dict[str, object]:
    """Return everything that was counted, as values for JSON."""
    shards = {tag: asdict(one) for tag, one in folded.items()}
    return {"prefix": prefix, **asdict(count), **asdict(notes), "shards": shards}


def report_lines(prefix: str, count: RowCount, notes: Notes, folded: Mapping[str, Folded]) -> list[str]:
    """Return the report for people: first what was made of the rows, then what became of others."""
    entries = sum(one.entries for one in folded.values())
    panes = sum(one.panes for one in folded.values())
    made = f"{entries} entries closed {panes} panes and roll-ups in {prefix}"
    if not folded:
        made = f"nothing was written to {prefix}"
    lines = [f"{count.good} rows of events, {count.bad} bad rows; {made}"]
    lines += [f"  {bad.place}: {one_line(bad.reason)}" for bad in count.first_bad]
    if count.bad > len(count.first_bad):
        lines.append(f"  and {count.bad - len(count.first_bad)} more")
    if count.was_sorted:
        lines.append("  the rows were not in order by time, and were put in order")
    if notes.labels_cut:
        lines.append(f"  {notes.labels_cut} labels longer than 256 bytes were cut")
    for name, advice in notes.unread.items():
        lines.append(f"  not read: {one_line(name, 80)!r}{f' ({advice})' if advice else ''}")
    refused = sum(one.series_refused for one in folded.values())
    if refused:
        lines.append(
            f"  {refused} series beyond --series-cap count as __other__: --route '/users/{{id}}' makes many paths one"
        )
    dropped = sum(one.blocks_dropped for one in folded.values())
    if dropped:
        lines.append(f"  {dropped} blocks of panes were dropped again to stay within store_memory_bytes")
    if folded and count.first_ms is not None and count.last_ms is not None:
        services = ", ".join(sorted(count.services)[:5]) + (", …" if len(count.services) > 5 else "")
        lines.append(f"{services} from {format_timestamp(count.first_ms)} to {format_timestamp(count.last_ms)}")
        lines.append(f"see it: barograph console --prefix {prefix}, which shows the end of the log, or all of it at")
        lines.append(f"  {page_url(count.services[0], count.first_ms, count.last_ms)}")
    return lines


def page_url(service: str, first_ms: int, last_ms: int) -> str:
    """Return where a console on this machine shows a range of a service."""
    from_ms, to_ms = first_ms // 1_000 * 1_000, (last_ms // 1_000 + 1) * 1_000
    return f"{_CONSOLE_URL}/?service={service}&from={format_timestamp(from_ms)}&to={format_timestamp(to_ms)}"


def lost_lines(count: RowCount, folded: Mapping[str, Folded], settings: AggregatorSettings) -> list[str]:
    """Return, for standard error, which good rows did not count."""
    lines: list[str] = []
    late = sum(one.events_late for one in folded.values())
    if late:
        bound = format_duration(settings.allowed_lateness_ms)
        mend = "" if count.was_stamped else "; standard input must be in order, oldest first: a file need not be"
        lines.append(f"{late} events did not count: they came more than {bound} after their time, or too early{mend}")
    dead = sum(one.entries_dead for one in folded.values())
    if dead:
        lines.append(f"{dead} entries could not be folded: barograph dead list shows them")
    return lines
