"""The plain-text figures of a closed pane, so that ``redis-cli XRANGE`` tells how the service is."""

from barograph_core.pane import Pane
from barograph_core.stream import Value


def closed_fields(pane: Pane, step_ms: int) -> list[Value]:
    """Return the fields of a ``closed`` entry from ``requests`` on (DESIGN section 4).

    ``estimated`` is how many of the requests came in sampled records: 0 says that every figure is exact.

    Percentiles are empty when no request came. ``data`` is the pane with all series of a kind merged, so
    that its size does not depend on the number of series.
    """
    fields: list[Value] = [
        "requests",
        pane.requests,
        "errors",
        pane.errors,
        "estimated",
        pane.estimated,
        "rps",
        _number(pane.requests * 1_000 / step_ms),
        "error_rate",
        _number(pane.errors / pane.requests) if pane.requests else "",
    ]
    rows = pane.group("request")
    durations = rows[0].measures.get("duration_ms") if rows else None
    for name, quantile in (("p50_ms", 0.5), ("p95_ms", 0.95), ("p99_ms", 0.99)):
        fields += [name, _number(durations.quantile(quantile)) if durations and durations.count else ""]
    return [*fields, "data", pane.whole().pack()]


def _number(value: float) -> str:
    return f"{value:.6g}"
