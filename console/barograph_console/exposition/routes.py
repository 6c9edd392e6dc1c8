"""``/metrics``: the pipeline's own figures, the last closed minute, alerts, and the console itself."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from barograph_console.exposition.minute_samples import MINUTE_MS, ServiceMinute, minute_samples
from barograph_console.exposition.text_format import CONTENT_TYPES, expose, wanted_format
from barograph_console.reading.first_pane import FirstPanes
from barograph_console.reading.panes import begin_reading
from barograph_console.reading.windows import WindowReader
from barograph_console.serving.memo import Memo
from barograph_console.settings import ConsoleSettings
from barograph_console.slos.book import SloBook
from barograph_console.slos.samples import slo_samples
from barograph_console.store.ports import Ports
from barograph_core.clock import Clock
from barograph_core.pipeline.samples import Family, Sample, samples
from barograph_core.store.cover import floor_to

# A service whose last closed minute is older is silent: its figures would be those of the past.
_SILENT_MS: Final = 5 * MINUTE_MS
# Minutes that are held, one for each service: nothing is read twice, however many scrapers there are.
_HELD: Final = 2_000

ALERTS: Final = Family("barograph_alerts", "gauge", "alerts that are pending or firing")
CLOSED_AGE: Final = Family(
    "barograph_service_closed_age_seconds", "gauge", "how far back the newest closed pane of a service ends"
)
CLIENTS: Final = Family("barograph_console_clients", "gauge", "live connections to this console")
BUILD: Final = Family("barograph_build_info", "gauge", "always 1; the version of this console is a label")
ALERTMANAGER: Final = Family(
    "alertmanager_build_info", "gauge", "always 1; the version of Alertmanager whose interface is served is a label"
)


class ExpositionRoutes:
    """Serves the figures. What they mean stands next to them, in the answer itself."""

    def __init__(
        self,
        ports: Ports,
        settings: ConsoleSettings,
        clock: Clock,
        slos: SloBook,
        clients: Callable[[], int],
        alertmanager: str,
    ) -> None:
        """Make the route.

        Args:
            ports: The store.
            settings: Of the console.
            clock: The present.
            slos: The objectives of all services.
            clients: Returns how many live connections there are.
            alertmanager: Version of Alertmanager whose interface the console serves.
        """
        self._ports = ports
        self._clock = clock
        self._slos = slos
        self._clients = clients
        self._alertmanager = alertmanager
        self._apdex_t_ms = settings.apdex_t_ms
        self._windows = WindowReader(ports.panes)
        self._first_panes = FirstPanes(ports.panes, clock)
        self._minutes = Memo[ServiceMinute](clock, bound=_HELD)
        self.router = APIRouter(tags=["health"])
        self.router.add_api_route(
            "/metrics",
            self.metrics,
            response_class=Response,
            responses={200: {"content": {content_type: {} for content_type in CONTENT_TYPES.values()}}},
            operation_id="getMetrics",
            summary="All figures for Prometheus",
        )

    def metrics(self, request: Request) -> Response:
        format_ = wanted_format(request.headers.get("accept", ""))
        found = [sample for status in self._ports.pipeline.read() for sample in samples(status)]
        found += self._own()
        headers = {"Content-Type": CONTENT_TYPES[format_], "Vary": "Accept"}
        return Response(expose(found, format_), headers=headers)

    def _own(self) -> Iterator[Sample]:
        now_ms = self._clock.now_ms()
        closed = self._ports.panes.services()
        yield from minute_samples(self._read_minutes(closed, now_ms), self._apdex_t_ms)
        yield from slo_samples(self._slos.statuses())
        records = self._ports.alerts.records(list(closed))
        counts = Counter(
            (record.service, record.rule, record.severity.value, record.state.value)
            for record in records
            if record.is_active
        )
        for (service, rule, severity, state), count in sorted(counts.items()):
            yield Sample(ALERTS, {"service": service, "rule": rule, "severity": severity, "state": state}, count)
        for service, through_ms in closed.items():
            yield Sample(CLOSED_AGE, {"service": service}, max(0, now_ms - through_ms) / 1_000)
        yield Sample(CLIENTS, {}, self._clients())
        yield Sample(BUILD, {"version": metadata.version("barograph")}, 1)
        # karma asks for the version before anything else.
        yield Sample(ALERTMANAGER, {"version": self._alertmanager}, 1)

    def _read_minutes(self, closed: Mapping[str, int], now_ms: int) -> list[ServiceMinute]:
        minutes: list[ServiceMinute] = []
        for service, through_ms in closed.items():
            to_ms = floor_to(through_ms, MINUTE_MS)
            if to_ms > 0 and now_ms - to_ms <= _SILENT_MS:
                minutes.append(
                    self._minutes.get((service, to_ms), self._reading(service, to_ms, through_ms), max_age_ms=MINUTE_MS)
                )
        return minutes

    def _reading(self, service: str, to_ms: int, closed_ms: int) -> Callable[[], ServiceMinute]:
        def read() -> ServiceMinute:
            reading = begin_reading(self._ports.panes, service, closed_ms, self._clock)
            pane = self._windows.read(reading, to_ms=to_ms, window_ms=MINUTE_MS)
            covered_ms = MINUTE_MS
            if not pane.is_empty:
                covered_ms = self._first_panes.covered_of_whole_ms(reading, to_ms=to_ms, window_ms=MINUTE_MS)
            return ServiceMinute(service, pane, covered_ms)

        return read
