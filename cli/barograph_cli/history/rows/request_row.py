"""One row of an access log, of whatever form, as the row of a request event."""

import math
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from barograph_cli.history.rows.moments import moment_ms
from barograph_cli.history.rows.notes import Notes
from barograph_cli.history.rows.request_fields import DURATIONS, TIMES, FoundFields, LogColumns
from barograph_cli.history.rows.row_reading import BadRowError, Document, shown
from barograph_core.events.kinds import MAX_LABEL_BYTES, OTHER_LABEL

# As the producer's middleware names the route of a request that no route answers.
UNMATCHED: Final = "__unmatched__"
# `GET /a?x=1 HTTP/1.1`; HTTP/0.9 has no version.
_REQUEST_LINE: Final = re.compile(r"([A-Za-z][A-Za-z_-]{0,31}) (\S.*?)(?: HTTP/\d(?:\.\d)?)?\Z", re.DOTALL)
# What nginx writes of several upstreams: times of attempts, of which none is the request's.
_ATTEMPTS: Final = re.compile(r"(?:-|\d+(?:\.\d+)?)(?:\s*[,:]\s*(?:-|\d+(?:\.\d+)?))+\Z", re.ASCII)


class RequestLayout:
    """Makes rows of request events of rows that have the same fields."""

    def __init__(self, fields: FoundFields, columns: LogColumns, notes: Notes) -> None:
        self._fields, self._notes = fields, notes
        self._patterns = [(re.compile(one.pattern), one.text) for one in columns.templates]
        for name in fields.unread:
            notes.add_unread(name, f"its unit is not known: --column duration_ms={name}, or _s, or _us")

    def document(self, row: Mapping[str, object]) -> Document | BadRowError:
        """Return the row of the event, or what is wrong with it."""
        at = self._fields.at
        try:
            method, path = self._request(row)
            labels = {"route": self._label(self._route(path)), "method": self._label(method)}
            labels |= {label: self._label(_text(row.get(name))) for label, name in self._fields.labels.items()}
            document: dict[str, object] = {
                "kind": "request",
                "time_ms": self._time_ms(row),
                "labels": labels,
                "status": _status(row.get(at["status"])),
                "duration_ms": self._duration_ms(row),
            }
            if "service" in at:
                document["service"] = _text(row.get(at["service"])) or None
            if "weight" in at:
                document["weight"] = round(_number(row.get(at["weight"]), "weight"))
        except BadRowError as error:
            return error
        return document

    def _request(self, row: Mapping[str, object]) -> tuple[str, str]:
        at = self._fields.at
        method = _text(row.get(at["method"])).upper() if "method" in at else ""
        text = _text(row.get(at[self._fields.route]))
        if self._fields.route != "request":
            return method, text
        found = _REQUEST_LINE.match(text)
        if found is None:
            # Apache's %U is a path; anything else is no request: it counts all the same, since it got an answer.
            return method or OTHER_LABEL, text if text.startswith("/") else UNMATCHED
        return method or found[1].upper(), found[2]

    def _route(self, text: str) -> str:
        if self._fields.route == "route":
            path = text
        else:
            # A proxy logs whole URLs.
            path = _path_of(text) if "://" in text[:16] else text
            path = path.partition("?")[0]
        return next((template for pattern, template in self._patterns if pattern.fullmatch(path)), path)

    def _label(self, text: str) -> str:
        """Cut a label as the producer does: a long path must not lose its request."""
        if len(text) * 4 <= MAX_LABEL_BYTES:
            return text
        data = text.encode(errors="replace")
        if len(data) <= MAX_LABEL_BYTES:
            return text
        self._notes.labels_cut += 1
        return data[:MAX_LABEL_BYTES].decode(errors="ignore")

    def _time_ms(self, row: Mapping[str, object]) -> int:
        field = self._fields.time
        value, factor = row.get(self._fields.at[field]), TIMES[field]
        if factor is not None:
            return round(_number(value, field) * factor)
        try:
            return moment_ms(value)
        except (ValueError, OverflowError):
            raise BadRowError(f"time is {shown(value)}, not a time such as 2026-03-01T12:00:00Z") from None

    def _duration_ms(self, row: Mapping[str, object]) -> float | None:
        """Return the duration, ``None`` where the log has none.

        A request that failed often has none: a dash, nothing, -1 (load balancers), or a list of attempts (nginx).
        """
        field = self._fields.duration
        value = row.get(self._fields.at[field]) if field else None
        if isinstance(value, str) and (value.strip() in ("", "-") or _ATTEMPTS.match(value.strip())):
            return None
        if value is None:
            return None
        number = _number(value, field)
        return number * DURATIONS[field] if number >= 0 else None


def _path_of(url: str) -> str:
    try:
        return urlsplit(url).path or "/"
    except ValueError:
        return url


def _status(value: object) -> object:
    """Return a whole number as such, anything else as it is: it is bad, and is named so."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    text = value.strip() if isinstance(value, str) else ""
    # Some tools make floats of whole numbers where one is missing.
    text = text.removesuffix(".0")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 3 else value


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise BadRowError(f"{shown(value)} is not text")


def _number(value: object, field: str) -> float:
    try:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    # Also false for NaN.
    if not abs(number) < 1e150:
        raise BadRowError(f"{field} is {shown(value)}, not a number")
    return number
