"""The fields of a request in an access log, and the names under which tools write them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

# Field -> the names that mean it, the best one first. nginx's variables are among them, and its `$request_time` is in
# seconds. Of several that a file has the first counts: of nginx's `request` and `request_uri` the latter.
NAMES: Final[Mapping[str, Sequence[str]]] = {
    "time": (
        *("time", "timestamp", "@timestamp", "ts", "datetime", "time_iso8601", "time_local", "msec"),
        *("date", "request_timestamp"),
    ),
    "time_s": ("time_s", "timestamp_s"),
    "time_ms": ("time_ms", "timestamp_ms"),
    "time_us": ("time_us", "timestamp_us"),
    "duration_s": ("duration_s", "request_time", "request_time_s", "response_time_s", "latency_s", "elapsed_s"),
    "duration_ms": ("duration_ms", "request_time_ms", "response_time_ms", "latency_ms", "elapsed_ms", "took_ms"),
    "duration_us": ("duration_us", "request_time_us", "response_time_us", "latency_us", "elapsed_us"),
    "route": ("route",),
    "path": ("path", "request_uri", "uri", "request_path", "url_path", "url"),
    "request": ("request", "request_line"),
    "method": ("method", "request_method", "http_method", "verb"),
    "status": ("status", "status_code", "response_code", "response_status", "http_status"),
    "service": ("service",),
    "weight": ("weight",),
}
# Field -> what makes milliseconds of it. `time` tells its unit itself.
TIMES: Final[Mapping[str, float | None]] = {"time": None, "time_s": 1_000.0, "time_ms": 1.0, "time_us": 0.001}
DURATIONS: Final[Mapping[str, float]] = {"duration_s": 1_000.0, "duration_ms": 1.0, "duration_us": 0.001}
ROUTES: Final = ("route", "path", "request")
_LABEL: Final = "label."
# Names of durations that do not tell their unit.
_UNKNOWN_UNIT: Final = frozenset({"duration", "latency", "response_time", "elapsed", "took", "time_taken"})


@dataclass(frozen=True, slots=True)
class Template:
    """A route's template: ``/users/{id}`` stands for every path with one more segment after ``/users``."""

    text: str

    @property
    def pattern(self) -> str:
        """Return a regular expression that takes time linear in the path.

        A text between two parameters is looked for once, at its first place: where a later one fits, this one does too.
        """
        first, *others = map(re.escape, re.split(r"\{[^{}/]*\}", self.text))
        inner = [f"(?>[^/]+?{text})" for text in others[:-1]]
        return "".join([first, *inner, *(f"[^/]+{text}" for text in others[-1:])])


@dataclass(frozen=True, slots=True)
class LogColumns:
    """Where in a row the fields of a request are.

    Attributes:
        headers: Field -> its name in the rows. Fields that are not named here are looked for under ``NAMES``.
        templates: Paths that fit one become it, the first that fits; others stay as they are, without the query.
    """

    headers: Mapping[str, str]
    templates: Sequence[Template]


@dataclass(frozen=True, slots=True)
class FoundFields:
    """Where rows of one form have the fields of a request.

    Attributes:
        at: Field -> its name in the rows.
        labels: Label -> its name in the rows.
        time: The one of ``TIMES`` that counts.
        duration: The one of ``DURATIONS`` that counts, empty if there is none.
        route: The one of ``ROUTES`` that counts.
        unread: Names that may be a duration, of unknown unit.
    """

    at: Mapping[str, str]
    labels: Mapping[str, str]
    time: str
    duration: str
    route: str
    unread: tuple[str, ...]


def parse_column(text: str) -> tuple[str, str]:
    """Read ``FIELD=HEADER``.

    Raises:
        ValueError: It is no such thing, or there is no such field.
    """
    field, separator, header = text.partition("=")
    is_label = field.startswith(_LABEL) and len(field) > len(_LABEL)
    if not separator or not header or not (field in NAMES or is_label):
        raise ValueError(f"{text!r} is not FIELD=HEADER with one of {', '.join(NAMES)} or label.NAME")
    return field, header


def find_fields(names: Sequence[str], columns: LogColumns) -> FoundFields:
    """Find the fields of a request among ``names``, which are compared without regard to case.

    Raises:
        ValueError: A column that was named, or one that is needed, is not there; the message says which.
    """
    known = {name.lower(): name for name in reversed(names)}
    absent = [header for header in columns.headers.values() if header not in names]
    if absent:
        raise ValueError(f"there is no column {absent[0]!r}; there are {', '.join(names)}")
    own = {field: next((known[name] for name in those if name in known), None) for field, those in NAMES.items()}
    at = {field: name for field, name in own.items() if name is not None} | dict(columns.headers)
    # What was named wins over what was found.
    time = _one_of(TIMES, at, columns.headers)
    duration = _one_of(DURATIONS, at, columns.headers)
    route = next((field for field in (*columns.headers, *ROUTES) if field in ROUTES and field in at), "")
    needed = {"time": time, "path": route, "status": "status" in at, "method": route == "request" or "method" in at}
    for field, is_there in needed.items():
        if not is_there:
            others = " or ".join(dict.fromkeys((field, *(ROUTES if field == "path" else NAMES[field])[:3])))
            raise ValueError(f"no column is {others}: name it with --column {field}=HEADER")
    unread = () if duration else tuple(name for name in names if name.lower() in _UNKNOWN_UNIT)
    labels = {field.removeprefix(_LABEL): name for field, name in at.items() if field.startswith(_LABEL)}
    return FoundFields(at, labels, time, duration, route, unread)


def _one_of(fields: Mapping[str, object], at: Mapping[str, str], named: Mapping[str, str]) -> str:
    found = [field for field in fields if field in named] or [field for field in fields if field in at]
    if len(found) > 1:
        which = " and ".join(at[field] for field in found)
        raise ValueError(f"the file has {which}: name the one that counts with --column")
    return found[0] if found else ""
