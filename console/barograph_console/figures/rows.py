"""The rows of ``/current``, and the figures of a whole service, out of one merged pane. Pure."""

from barograph_console.figures.models import EndpointRow, ModelRow, RequestFigures, SystemRow
from barograph_console.rows.figures import average_of, maximum_of, quantile_of, ratio_of
from barograph_core.panes.pane import Pane
from barograph_core.panes.summary import SeriesSummary


def request_figures(row: SeriesSummary | None, window_ms: int) -> RequestFigures:
    """Return the figures of the requests in ``row``; of none when it is ``None``."""
    duration = row.measures.get("duration_ms") if row else None
    requests, errors = (row.count, row.errors) if row else (0, 0)
    return RequestFigures(
        requests=requests,
        rps=ratio_of(requests * 1_000, window_ms) or 0.0,
        errors=errors,
        error_rate=ratio_of(errors, requests),
        avg_ms=average_of(duration),
        p50_ms=quantile_of(duration, 0.5),
        p95_ms=quantile_of(duration, 0.95),
        p99_ms=quantile_of(duration, 0.99),
        max_ms=maximum_of(duration),
        status={str(code): count for code, count in sorted(row.status.items())} if row else {},
        estimated=row is not None and row.estimated > 0,
    )


def whole_service(pane: Pane, window_ms: int) -> RequestFigures:
    """Return the figures of all requests of a service."""
    rows = pane.group("request")
    return request_figures(rows[0] if rows else None, window_ms)


def endpoint_rows(pane: Pane, window_ms: int) -> list[EndpointRow]:
    """Return one row for each route and method, the busiest first."""
    rows = [
        EndpointRow(route=row.labels[0], method=row.labels[1], **request_figures(row, window_ms).model_dump())
        for row in pane.group("request", ("route", "method"))
    ]
    return sorted(rows, key=lambda row: (-row.requests, row.route, row.method))


def model_rows(pane: Pane) -> list[ModelRow]:
    """Return one row for each version of each model."""
    return [_model_row(row) for row in pane.group("model", ("model", "version"))]


def _model_row(row: SeriesSummary) -> ModelRow:
    latency, error = row.measures.get("latency_ms"), row.measures.get("absolute_error")
    return ModelRow(
        model=row.labels[0],
        version=row.labels[1],
        events=row.count,
        latency_avg_ms=average_of(latency),
        latency_p50_ms=quantile_of(latency, 0.5),
        latency_p95_ms=quantile_of(latency, 0.95),
        latency_p99_ms=quantile_of(latency, 0.99),
        confidence=average_of(row.measures.get("confidence")),
        prediction=average_of(row.measures.get("prediction")),
        mae=average_of(error),
        labelled=error.count if error else 0,
        errors=row.errors,
        error_rate=ratio_of(row.errors, row.outcomes),
    )


def system_rows(pane: Pane) -> list[SystemRow]:
    """Return one row for each process and each host."""
    return [_system_row(row) for row in pane.group("system", ("instance", "scope"))]


def _system_row(row: SeriesSummary) -> SystemRow:
    measures = row.measures
    return SystemRow(
        instance=row.labels[0],
        scope=row.labels[1],
        samples=row.count,
        memory_mb=average_of(measures.get("memory_mb")),
        memory_mb_max=maximum_of(measures.get("memory_mb")),
        cpu_percent=average_of(measures.get("cpu_percent")),
        cpu_percent_max=maximum_of(measures.get("cpu_percent")),
        memory_percent=average_of(measures.get("memory_percent")),
        disk_percent=average_of(measures.get("disk_percent")),
        threads=average_of(measures.get("threads")),
        open_files=average_of(measures.get("open_files")),
        disk_read_mb_per_s=average_of(measures.get("disk_read_mb_per_s")),
        disk_write_mb_per_s=average_of(measures.get("disk_write_mb_per_s")),
        network_sent_mb_per_s=average_of(measures.get("network_sent_mb_per_s")),
        network_received_mb_per_s=average_of(measures.get("network_received_mb_per_s")),
        load_1m=average_of(measures.get("load_1m")),
        gc_collections=average_of(measures.get("gc_collections")),
    )
