"""Renders an entry of the alerts stream as one line: a transition, a flag, a change of a silence, or a marker."""

import json
from typing import Final

from rich.text import Text

from barograph_cli.look.entry_fields import TEXT_LIMIT, field_text, head_of
from barograph_core.server.replies import Entry
from barograph_core.silences.silence import matchers_from_plain
from barograph_core.text.one_line import one_line
from barograph_core.text.timestamps import format_timestamp

_STATE_STYLES: Final = {"firing": "bold red", "pending": "yellow", "resolved": "bold green", "inactive": "dim"}


def alert_line(entry: Entry) -> Text:
    """Return the entry as one line. One of a kind that only a newer version knows is shown by its fields."""
    kind = field_text(entry, "kind")
    if not kind:
        is_state = field_text(entry, "from") != field_text(entry, "to")
        return _transition_line(entry) if is_state or not field_text(entry, "flag") else _flag_line(entry)
    line = head_of(entry).append(f"{kind} {field_text(entry, 'change')}  ", "bold cyan")
    if kind == "marker":
        return _marker_line(head_of(entry), entry)
    if kind == "silence":
        return _with_words(_silence_line(line, entry), entry)
    for name in entry.fields:
        text = one_line(name.decode(errors="replace"), 40)
        if text not in ("kind", "change"):
            line.append(f"{text} ", "dim").append(f"{field_text(entry, text)}  ")
    return line


def _transition_line(entry: Entry) -> Text:
    before, after = field_text(entry, "from"), field_text(entry, "to")
    line = head_of(entry).append(f"{before} → ", "dim").append(f"{after:<9}", _STATE_STYLES.get(after, ""))
    _append_alert(line, entry)
    value, threshold = field_text(entry, "value"), field_text(entry, "threshold")
    if value:
        line.append("  value ", "dim").append(_short(value)).append(" limit ", "dim").append(_short(threshold))
    if field_text(entry, "flag"):
        line.append(f"  {field_text(entry, 'flag').replace('_', ' ')}", "bold cyan")
    line.append(f"  {field_text(entry, 'summary')}")
    if field_text(entry, "notify") == "0" and field_text(entry, "reason"):
        line.append(f"  not sent: {field_text(entry, 'reason')}", "yellow")
    return _with_words(line, entry)


def _flag_line(entry: Entry) -> Text:
    line = head_of(entry).append(f"{field_text(entry, 'flag'):<14}", "bold cyan")
    _append_alert(line, entry)
    if field_text(entry, "reason"):
        line.append(f"  {field_text(entry, 'reason')}", "yellow")
    return _with_words(line, entry)


def _marker_line(line: Text, entry: Entry) -> Text:
    line.append(f"{field_text(entry, 'marker')}  ", "bold cyan").append(field_text(entry, "title"), "bold")
    line.append(f"  {field_text(entry, 'service')}")
    if url := field_text(entry, "url"):
        line.append(f"  {url}", "dim")
    return _with_words(line, entry)


def _silence_line(line: Text, entry: Entry) -> Text:
    line.append(_matchers_text(entry), "bold")
    line.append(f"  {field_text(entry, 'silence_id')}", "dim")
    if field_text(entry, "reason"):
        line.append(f"  {field_text(entry, 'reason')}", "yellow")
    return line


def _append_alert(line: Text, entry: Entry) -> None:
    line.append(f"{field_text(entry, 'severity'):<9}").append(field_text(entry, "rule"), "bold")
    line.append(f"  {field_text(entry, 'service')} {field_text(entry, 'labels')}")


def _with_words(line: Text, entry: Entry) -> Text:
    """Append until when, by whom and why, as far as the entry says so."""
    until = field_text(entry, "until_ms") or field_text(entry, "ends_ms")
    if until.isdigit():
        line.append("  until ", "dim").append(format_timestamp(int(until)))
    if actor := field_text(entry, "actor"):
        line.append("  by ", "dim").append(actor, "bold")
    if note := field_text(entry, "note"):
        line.append(f": {note}")
    return line


def _matchers_text(entry: Entry) -> str:
    """Return ``route="/a", service=~"shop-.*"``; the field itself where it is no list of matchers."""
    try:
        found = matchers_from_plain(json.loads(entry.fields.get(b"matchers", b"")))
    except (ValueError, KeyError, TypeError):
        return field_text(entry, "matchers")
    return one_line(", ".join(map(str, found)), TEXT_LIMIT)


def _short(number: str) -> str:
    try:
        return f"{float(number):.4g}"
    except ValueError:
        return number
