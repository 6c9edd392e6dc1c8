"""What the console's answers say of one service, row by row: figures, alerts, the pipeline. Names are safe to print."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, cast

from barograph_cli.rest.fields import Fields
from barograph_core.text.one_line import one_line

# Begins the rule of an alert that another program pushed. Silences name it without that.
_PUSHED: Final = "ext/"


@dataclass(frozen=True, slots=True)
class Minute:
    """Requests of the newest closed minute, ``covered_ms`` of which the service was there."""

    requests: int
    covered_ms: int
    errors: int
    error_ratio: float | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    apdex: float | None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One route with its method, over the newest closed minute."""

    name: str
    requests: int
    error_ratio: float | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


@dataclass(frozen=True, slots=True)
class Model:
    """One version of a model, over the newest closed minute. ``share_ratio``: of the predictions of the model."""

    name: str
    share_ratio: float | None
    mae: float | None
    confidence: float | None
    p95_ms: float | None
    error_ratio: float | None


@dataclass(frozen=True, slots=True)
class Part:
    """A label set, and the share of an alert's events that it has."""

    labels: Mapping[str, str]
    share_ratio: float


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert that is pending or firing.

    ``standing``: ``silenced`` and ``acknowledged`` tell firing ones apart. ``matched``: what exactly this alert is
    silenced by, as the console names it, not to be printed.
    """

    id: str
    rule: str
    severity: str
    standing: str
    labels: Mapping[str, str]
    summary: str
    why: str
    begun_ms: int
    acked_by: str
    parts: tuple[Part, ...] = ()
    matched: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Marker:
    """A moment at which something was done to the service.

    Attributes:
        kind: ``release``, or a word such as ``deploy``.
    """

    at_ms: int
    title: str
    kind: str = "release"


@dataclass(frozen=True, slots=True)
class Stage:
    name: str
    state: str
    workers: int


@dataclass(frozen=True, slots=True)
class Pipeline:
    """How the pipeline does. ``is_accounted``: whether its entries add up."""

    behind_ms: int
    dropped: int
    is_accounted: bool
    dead: int
    lost: int
    known_producers: int
    missing_producers: int
    stages: tuple[Stage, ...]


def read_point(value: object) -> float | None:
    """Return one value of a series, ``None`` where there is none."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def read_minute(given: Fields) -> Minute:
    """Read the figures of a minute."""
    return Minute(
        requests=given.count("requests"),
        covered_ms=given.count("covered_ms"),
        errors=given.count("errors"),
        error_ratio=given.number("error_ratio"),
        p50_ms=given.number("p50_ms"),
        p95_ms=given.number("p95_ms"),
        p99_ms=given.number("p99_ms"),
        apdex=given.number("apdex"),
    )


def read_endpoints(given: Fields) -> list[Endpoint]:
    """Read the table of endpoints."""
    columns = [str(name) for name in given.items("columns")]
    found = [cast("list[object]", row) for row in given.items("rows") if isinstance(row, list)]
    rows = [Fields(dict(zip(columns, row, strict=False))) for row in found]
    return [
        Endpoint(
            name=one_line(f"{row.text('method')} {row.text('route')}".strip(), 200),
            requests=row.count("requests"),
            error_ratio=_ratio(row.count("errors"), row.count("requests")),
            p50_ms=row.number("p50_ms"),
            p95_ms=row.number("p95_ms"),
            p99_ms=row.number("p99_ms"),
        )
        for row in rows
    ]


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def read_model(row: Fields) -> Model:
    """Read a row of the table of models."""
    return Model(
        name=one_line(f"{row.text('model')} {row.text('version')}".strip(), 200),
        share_ratio=row.number("share_ratio"),
        mae=row.number("mae"),
        confidence=row.number("confidence"),
        p95_ms=row.number("p95_ms"),
        error_ratio=row.number("error_ratio"),
    )


def read_alert(row: Fields) -> Alert:
    """Read the row of an alert."""
    state = row.text("state")
    ack = Fields.of(row.values.get("ack"))
    is_quiet = bool(row.items("silenced_by") or row.items("inhibited_by"))
    standing = state if state != "firing" else "silenced" if is_quiet else "acknowledged" if ack else "firing"
    parts = [Part(_safe(part.labels("labels")), part.number("share_ratio") or 0.0) for part in row.rows("contributors")]
    return Alert(
        id=row.text("id"),
        rule=one_line(row.text("rule"), 80),
        severity=row.text("severity"),
        standing=standing,
        labels=_safe(row.labels("labels")),
        summary=one_line(row.text("summary")),
        why=one_line(row.text("why")),
        begun_ms=row.moment("fired_at_ms") or row.count("started_at_ms"),
        acked_by=one_line(ack.text("actor"), 40) if ack else "",
        parts=tuple(parts),
        matched={
            "alertname": row.text("rule").removeprefix(_PUSHED),
            "service": row.text("service"),
            **row.labels("labels"),
        },
    )


def _safe(labels: Mapping[str, str]) -> dict[str, str]:
    return {one_line(name, 40): one_line(value, 80) for name, value in labels.items()}


def read_marker(row: Fields) -> Marker:
    """Read a marker."""
    return Marker(row.count("at_ms"), one_line(row.text("title"), 60), one_line(row.text("kind"), 32) or "release")


def read_pipeline(given: Fields) -> Pipeline:
    """Read how the pipeline does."""
    producers = given.inner("producers")
    stages = [Stage(row.text("stage"), row.text("state"), row.count("workers")) for row in given.rows("stages")]
    return Pipeline(
        behind_ms=given.count("behind_ms"),
        dropped=given.count("dropped"),
        is_accounted=bool(given.values.get("is_accounted")),
        dead=given.count("dead"),
        lost=given.count("lost"),
        known_producers=producers.count("known"),
        missing_producers=producers.count("missing"),
        stages=tuple(stages),
    )
