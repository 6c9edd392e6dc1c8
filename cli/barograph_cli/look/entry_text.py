"""Renders one entry of a stream as lines for a person, or as plain values for JSON.

Everything that came from outside (labels, names, reasons) passes ``one_line``: an escape sequence in it would
otherwise reach the terminal.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Final

import numpy as np
from rich.text import Text

from barograph_cli.look.alert_line import alert_line
from barograph_cli.look.entry_fields import TEXT_LIMIT, field_text, head_of
from barograph_core.decode.batch import EventBatch, decode_batch
from barograph_core.errors import MalformedEventError
from barograph_core.events.kinds import ERROR_STATUS
from barograph_core.keyspace.keys import StreamName
from barograph_core.server.replies import Entry
from barograph_core.text.one_line import one_line

MAX_SERIES_LINES: Final = 12
# Shown in the head of the line already, or packed.
_METRICS_SKIPPED: Final = frozenset({"type", "service", "data"})
_RESULT_STYLES: Final = {
    "sent": "bold green",
    "retry": "yellow",
    "held": "cyan",
    "dead": "bold red",
    "suppressed": "dim",
}


@dataclass(frozen=True, slots=True)
class Figures:
    """One measure of one series in one batch. ``n`` counts the events that have it."""

    n: int
    min: float
    avg: float
    max: float


@dataclass(frozen=True, slots=True)
class SeriesShare:
    """The events of one series in one batch."""

    labels: tuple[str, ...]
    status: int | None
    n: int
    measures: Mapping[str, Figures]


def entry_lines(stream: StreamName, entry: Entry) -> list[Text]:
    """Return the entry as one line, with indented lines below it for details."""
    if stream == "events":
        return _event_lines(entry)
    if stream == "metrics":
        return [_metrics_line(entry)]
    if stream == "alerts":
        return [alert_line(entry)]
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


def _event_lines(entry: Entry) -> list[Text]:
    head = head_of(entry)
    try:
        batch = decode_batch(entry.fields)
    except MalformedEventError as error:
        return [head.append("malformed: ", "bold red").append(one_line(error.reason, TEXT_LIMIT))]
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
    line = head_of(entry).append(f"{kind:<9}", "bold cyan" if kind == "closed" else "cyan")
    line.append(field_text(entry, "service"), "bold")
    for raw_name in entry.fields:
        name = one_line(raw_name.decode(errors="replace"), 40)
        value = field_text(entry, name)
        if name not in _METRICS_SKIPPED and value and (name, value) != ("estimated", "0"):
            is_bad = name in ("errors", "missing") and value != "0"
            line.append(f"  {name} ", "dim").append(value, "bold red" if is_bad else "")
    return line


def _delivery_line(entry: Entry) -> Text:
    result = field_text(entry, "result")
    line = head_of(entry).append(f"{result:<11}", _RESULT_STYLES.get(result, ""))
    line.append(field_text(entry, "channel"), "bold").append(f"  attempt {field_text(entry, 'attempt')}")
    line.append(f"  transition {field_text(entry, 'transition')}", "dim")
    reason = field_text(entry, "reason")
    return line.append(f"  {reason}", "yellow") if reason else line


def _dead_line(entry: Entry) -> Text:
    line = head_of(entry).append(field_text(entry, "dead_stage", "?"), "bold").append("  ")
    line.append(field_text(entry, "dead_reason", "no reason was given"), "bold red")
    line.append(f"  {field_text(entry, 'dead_stream')} {field_text(entry, 'dead_id')}", "dim")
    return line
