"""The console's answer about how the values of a measure are spread."""

from collections.abc import Sequence
from dataclasses import dataclass

from barograph_cli.explore.ranges import TimeRange
from barograph_cli.rest.client import ConsoleClient
from barograph_cli.rest.fields import Fields


@dataclass(frozen=True, slots=True)
class Spread:
    """One series: how many values lie in each bin."""

    labels: dict[str, str]
    counts: list[int]


@dataclass(frozen=True, slots=True)
class Distribution:
    """Histograms on one scale. ``edges`` has one more than each histogram has bins; none where there is no value."""

    edges: list[float]
    series: list[Spread]


def distribution(
    client: ConsoleClient, service: str, time_range: TimeRange, measure: str, by: Sequence[str]
) -> Distribution:
    """Return how the values of a measure of predictions are spread over the range."""
    asked = [("service", service), ("kind", "model"), ("measure", measure), ("by", ",".join(by))]
    found = client.get("/distribution", [*asked, *time_range.parameters()])
    edges = [float(edge) for edge in found.items("edges") if isinstance(edge, (int, float))]
    return Distribution(edges, [_spread(row) for row in found.rows("series")])


def _spread(row: Fields) -> Spread:
    return Spread(row.labels("labels"), [count for count in row.items("counts") if isinstance(count, int)])
