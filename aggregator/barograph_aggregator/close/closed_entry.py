"""The plain-text figures of a closed pane, so that ``redis-cli XRANGE`` shows the state of the service."""

from barograph_core.panes.pane import Pane
from barograph_core.server.link import Value


def closed_fields(whole: Pane, step_ms: int) -> list[Value]:
    """Return the fields of a ``closed`` entry from ``requests`` on (DESIGN section 4).

    ``estimated`` is the number of requests that came in sampled records: at 0 every figure is exact. Percentiles are
    empty without requests. ``data`` is the packed ``whole``.

    Args:
        whole: The pane with all series of a kind merged, so that its size does not depend on the number of series.
        step_ms: Length of the pane.
    """
    rows = whole.series("request")
    requests, errors, estimated = (rows[0].count, rows[0].errors, rows[0].estimated) if rows else (0, 0, 0)
    fields: list[Value] = [
        "requests",
        requests,
        "errors",
        errors,
        "estimated",
        estimated,
        "rps",
        _number(requests * 1_000 / step_ms),
        "error_rate",
        _number(errors / requests) if requests else "",
    ]
    durations = rows[0].measures.get("duration_ms") if rows else None
    for name, quantile in (("p50_ms", 0.5), ("p95_ms", 0.95), ("p99_ms", 0.99)):
        fields += [name, _number(durations.quantile(quantile)) if durations and durations.count else ""]
    return [*fields, "data", whole.pack()]


def _number(value: float) -> str:
    return f"{value:.6g}"
