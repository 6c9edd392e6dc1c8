"""The console's answers as the page uses them, and the requests that read them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from barograph_cli.explore.ranges import TimeRange
from barograph_cli.rest.client import ConsoleClient
from barograph_cli.rest.fields import Fields
from barograph_core.keyspace.keys import is_own_service

ONE_POINT: Final = "all"


@dataclass(frozen=True, slots=True)
class Point:
    """Figures of one span of time.

    Attributes:
        start_ms: Its beginning.
        events: Events, with the measure or without; ``count`` those with it, which the figures are made of.
    """

    start_ms: int
    events: int
    errors: int
    count: int
    total: float
    error_ratio: float | None
    average: float | None
    maximum: float | None
    p50: float | None
    p95: float | None
    p99: float | None
    is_estimated: bool


@dataclass(frozen=True, slots=True)
class Series:
    labels: dict[str, str]
    points: list[Point]


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a question.

    Attributes:
        step_ms: Length of a point, ``None`` for one point over the range.
        from_ms: Where the first point may begin; ``to_ms`` where the last one ends.
        covered_from_ms: What lies before it may have expired.
        closed_through_ms: Nothing after it is known yet.
        missing: The most instances that were missing at any time of the range.
    """

    step_ms: int | None
    from_ms: int
    to_ms: int
    covered_from_ms: int
    closed_through_ms: int
    missing: int
    series: list[Series]

    def span_s(self, point: Point) -> float:
        """Return how many seconds of a point are covered: the first and the last may be cut."""
        end_ms = self.to_ms if self.step_ms is None else point.start_ms + self.step_ms
        covered_ms = min(end_ms, self.to_ms) - max(point.start_ms, self.from_ms, self.covered_from_ms)
        return max(covered_ms, 1) / 1_000


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about a service.

    Attributes:
        kind: Of events; ``measure`` one of its measures, the first one if empty.
        by: Labels that tell the series of the answer apart.
        where: Labels that an event must have to be counted.
        step: Seconds, ``all`` for one point over the range, or empty for one that suits the range.
    """

    service: str
    time_range: TimeRange
    kind: str = "request"
    measure: str = ""
    by: tuple[str, ...] = ()
    where: tuple[tuple[str, str], ...] = ()
    step: str = ""

    def parameters(self) -> list[tuple[str, str]]:
        """Return the question as parameters of a request."""
        return [
            ("service", self.service),
            ("kind", self.kind),
            ("measure", self.measure),
            *self.time_range.parameters(),
            ("step", self.step),
            ("by", ",".join(self.by)),
            *(("where", f"{label}={value}") for label, value in self.where),
        ]


def ask(client: ConsoleClient, question: Question) -> Answer:
    """Return the answer to a question, in one request."""
    fields = client.get("/query", question.parameters())
    return Answer(
        step_ms=fields.moment("step_ms"),
        from_ms=fields.count("from_ms"),
        to_ms=fields.count("to_ms"),
        covered_from_ms=fields.count("covered_from_ms"),
        closed_through_ms=fields.count("closed_through_ms"),
        missing=fields.count("missing"),
        series=[
            Series(series.labels("labels"), [_point(point) for point in series.rows("points")])
            for series in fields.rows("series")
        ],
    )


def _point(fields: Fields) -> Point:
    return Point(
        start_ms=fields.count("t"),
        events=fields.count("events"),
        errors=fields.count("errors"),
        count=fields.count("count"),
        total=fields.number("sum") or 0.0,
        error_ratio=fields.number("error_rate"),
        average=fields.number("avg"),
        maximum=fields.number("max"),
        p50=fields.number("p50"),
        p95=fields.number("p95"),
        p99=fields.number("p99"),
        is_estimated=bool(fields.values.get("estimated")),
    )


def service_names(client: ConsoleClient) -> list[str]:
    """Return the services, by name; that of the pipeline itself comes last."""
    names = [row.text("service") for row in client.get("/services").rows("services")]
    return sorted(names, key=lambda name: (is_pipeline(name), name))


def is_pipeline(service: str) -> bool:
    """Say whether the pipeline reports on itself under this name; further shards have a suffix."""
    return is_own_service(service)


def only_series(answers: Sequence[Series]) -> Point | None:
    """Return the point of an answer that has at most one, ``None`` when nothing was stored."""
    return answers[0].points[0] if answers and answers[0].points else None
