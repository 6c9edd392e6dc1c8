"""One entry of a stream as lines for a person, or as plain values for JSON.

Everything that came from outside (labels, names, reasons) passes ``one_line``: an escape sequence in it would
otherwise reach the terminal.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Final

import numpy as np
from rich.text import Text

from barograph_cli.ages import format_time
from barograph_cli.streams import StreamName
from barograph_core.decode import EventBatch, decode_batch
from barograph_core.errors import MalformedEventError
from barograph_core.events import ERROR_STATUS
from barograph_core.plain_text import one_line
from barograph_core.stream import Entry

MAX_SERIES_LINES: Final = 12
_TEXT_LIMIT: Final = 300
# Shown in the head of the line already, or packed.
_METRICS_SKIPPED: Final = frozenset({"type", "service", "data"})
_STATE_STYLES: Final = {"firing": "bold red", "pending": "yellow", "resolved": "bold green", "inactive": "dim"}
_RESULT_STYLES: Final = {"sent": "bold green", "retry": "yellow", "dead": "bold red", "suppressed": "dim"}


@dataclass(frozen=True, slots=True)
class Figures:
    """One measure of one series in one batch. ``n`` counts the events that have it."""

    n: int
    min: float
    avg: float
    max: float


@dataclass(frozen=True, slots=True)
class SeriesShare:
    """What one series has in one batch."""

    labels: tuple[str, ...]
    status: int | None
    n: int
    measures: Mapping[str, Figures]


def entry_lines(stream: StreamName, entry: Entry) -> list[Text]:
    """Return the entry as one line, with indented ones below it where there is more to tell."""
    if stream == "events":
        return _event_lines(entry)
    if stream == "metrics":
        return [_metrics_line(entry)]
    if stream == "alerts":
        return [_alert_line(entry)]
    if stream == "deliveries":
        return [_delivery_line(entry)]
    return [_dead_line(entry)]


def entry_document(stream: StreamName, entry: Entry) -> dict[str, object]:
    """Return the entry as plain values. Packed data comes decoded where it is an event batch, else as its size."""
    document: dict[str, object] = {"id": str(entry.id)}
    for name, value in entry.fields.items():
        if name == b"data":
            document["data_bytes"] = len(value)
        else:
            document[name.decode(errors="replace")] = value.decode(errors="replace")
    if stream == "events":
        try:
            document["series"] = [asdict(share) for share in _shares_of(decode_batch(entry.fields))]
        except MalformedEventError as error:
            document["malformed"] = error.reason
    return document


def field_text(entry: Entry, name: str, default: str = "") -> str:
    """Return a field, fit for a terminal."""
    raw = entry.fields.get(name.encode())
    return default if raw is None else one_line(raw.decode(errors="replace"), _TEXT_LIMIT)


def _head(entry: Entry) -> Text:
    return Text.assemble((format_time(entry.id.ms), "dim"), " ", (str(entry.id), "dim"), "  ")


def _event_lines(entry: Entry) -> list[Text]:
    head = _head(entry)
    try:
        batch = decode_batch(entry.fields)
    except MalformedEventError as error:
        return [head.append("malformed: ", "bold red").append(one_line(error.reason, _TEXT_LIMIT))]
    head.append(batch.kind.name, "bold cyan").append(f" {batch.service}", "bold")
    of_sample = "" if batch.weights is None else f" estimated from {batch.n}"
    head.append(f"  {batch.events} events{of_sample}").append(
        f"  {one_line(batch.instance, 100)} seq {batch.seq}", "dim"
    )
    lines = [head, *(_share_line(share) for share in islice(_shares_of(batch), MAX_SERIES_LINES))]
    if len(batch.labels) > MAX_SERIES_LINES:
        lines.append(Text(f"    … and {len(batch.labels) - MAX_SERIES_LINES} more series", "dim"))
    return lines


def _shares_of(batch: EventBatch) -> Iterator[SeriesShare]:
    """Return each label set of the batch with how many events it has and what its measures were."""
    batch = batch.expanded()
    for position, labels in enumerate(batch.labels):
        is_mine = batch.series == position
        figures: dict[str, Figures] = {}
        for measure, column in zip(batch.kind.measures, batch.columns, strict=True):
            values = np.empty(0) if column is None else column[is_mine & ~np.isnan(column)]
            if values.size:
                figures[measure.name] = Figures(
                    int(values.size), float(values.min()), float(values.mean()), float(values.max())
                )
        status = None if batch.status is None else int(batch.status[position])
        yield SeriesShare(labels, status, int(is_mine.sum()), figures)


def _share_line(share: SeriesShare) -> Text:
    line = Text("    ").append(" ".join(one_line(label, 80) for label in share.labels))
    if share.status is not None:
        line.append(f" {share.status}", "bold red" if share.status >= ERROR_STATUS else "green")
    line.append(f"  n={share.n}", "bold")
    for name, figures in share.measures.items():
        line.append(f"  {name} ", "dim").append(f"{figures.min:.4g} / {figures.avg:.4g} / {figures.max:.4g}")
    return line


def _metrics_line(entry: Entry) -> Text:
    kind = field_text(entry, "type", "?")
    line = _head(entry).append(f"{kind:<9}", "bold cyan" if kind == "closed" else "cyan")
    line.append(field_text(entry, "service"), "bold")
    for raw_name in entry.fields:
        name = one_line(raw_name.decode(errors="replace"), 40)
        value = field_text(entry, name)
        if name not in _METRICS_SKIPPED and value and (name, value) != ("estimated", "0"):
            is_bad = name in ("errors", "missing") and value != "0"
            line.append(f"  {name} ", "dim").append(value, "bold red" if is_bad else "")
    return line


def _alert_line(entry: Entry) -> Text:
    before, after = field_text(entry, "from"), field_text(entry, "to")
    line = _head(entry).append(f"{before} → ", "dim").append(f"{after:<9}", _STATE_STYLES.get(after, ""))
    line.append(f"{field_text(entry, 'severity'):<9}").append(field_text(entry, "rule"), "bold")
    line.append(f"  {field_text(entry, 'service')} {field_text(entry, 'labels')}")
    value, threshold = field_text(entry, "value"), field_text(entry, "threshold")
    if value:
        line.append("  value ", "dim").append(_short(value)).append(" limit ", "dim").append(_short(threshold))
    line.append(f"  {field_text(entry, 'summary')}")
    if field_text(entry, "notify") == "0" and field_text(entry, "reason"):
        line.append(f"  not sent: {field_text(entry, 'reason')}", "yellow")
    return line


def _delivery_line(entry: Entry) -> Text:
    result = field_text(entry, "result")
    line = _head(entry).append(f"{result:<11}", _RESULT_STYLES.get(result, ""))
    line.append(field_text(entry, "channel"), "bold").append(f"  attempt {field_text(entry, 'attempt')}")
    line.append(f"  transition {field_text(entry, 'transition')}", "dim")
    reason = field_text(entry, "reason")
    return line.append(f"  {reason}", "yellow") if reason else line


def _dead_line(entry: Entry) -> Text:
    line = _head(entry).append(field_text(entry, "dead_stage", "?"), "bold").append("  ")
    line.append(field_text(entry, "dead_reason", "no reason was given"), "bold red")
    line.append(f"  {field_text(entry, 'dead_stream')} {field_text(entry, 'dead_id')}", "dim")
    return line


def _short(number: str) -> str:
    try:
        return f"{float(number):.4g}"
    except ValueError:
        return number
