"""The route ``/alerts/{alert_id}``."""

from collections.abc import Sequence
from typing import Final

from fastapi import APIRouter

from barograph_console.alerts.routes import AlertId, ids_of
from barograph_console.alerts.silence_rows import active_silences
from barograph_console.alerts.view import alert_row, transition_row
from barograph_console.detail.document import Found, alert_detail
from barograph_console.detail.models import AlertDetail
from barograph_console.detail.rule_reader import AlertSpan, RuleReader
from barograph_console.figures.query_answer import QueryReader
from barograph_console.markers.reader import MarkerReader
from barograph_console.reading.panes import begin_reading
from barograph_console.serving.problems import ApiError
from barograph_console.serving.ready import WorkLimit
from barograph_console.settings import ConsoleSettings
from barograph_console.store.ports import AlertEntry, HistoryFilter, Ports
from barograph_core.alerts.record import AlertRecord, AlertState
from barograph_core.clock import Clock

# Entries of one alert that are looked through: thousands of episodes are not read for one page.
_ENTRIES: Final = 500


class DetailRoutes:
    """Answers with one alert in full. Not from ready bytes: what a person did a moment ago must stand in it."""

    def __init__(self, ports: Ports, settings: ConsoleSettings, clock: Clock, limit: WorkLimit) -> None:
        self._ports = ports
        self._clock = clock
        self._limit = limit
        queries = QueryReader(ports.panes, max_series=settings.max_series, max_points=settings.max_points)
        self._rules = RuleReader(ports.panes, queries)
        self._markers = MarkerReader(ports, clock)
        self.router = APIRouter(tags=["alerts"])
        self.router.add_api_route(
            "/alerts/{alert_id}", self.detail, operation_id="getAlert", summary="One alert in full"
        )

    def detail(self, alert_id: AlertId) -> AlertDetail:
        record = self._ports.alerts.find(alert_id)
        page = self._ports.alerts.history(
            before=None, limit=_ENTRIES, service=record.service if record else "", only=HistoryFilter(alert_id=alert_id)
        )
        entries = page.entries[::-1]
        if record is None and not entries:
            raise ApiError(404, "unknown_alert", f"there is no alert {alert_id!r}")
        sent = self._ports.alerts.deliveries(transitions=ids_of(entries), channel="", before=None, limit=_ENTRIES)
        return alert_detail(self._find(record, entries), entries, sent.deliveries)

    def _find(self, record: AlertRecord | None, entries: Sequence[AlertEntry]) -> Found:
        published = self._ports.rules.read()
        silences = active_silences(self._ports.silences.all(), self._clock.now_ms())
        if record is None:
            row = transition_row(entries[-1].transition, published)
        else:
            row = alert_row(record, published, silences)
        rule = None if published is None else published.find(row.rule)
        quiet_until_ms = None
        if record is not None and record.state is AlertState.FIRING and not record.is_announced:
            quiet_until_ms = self._ports.alerts.quiet_until(record.service, record.alert_id)
        closed_ms = self._ports.panes.services().get(row.service)
        told = record or entries[-1].transition
        if closed_ms is None:
            return Found(row, rule, {}, None, quiet_until_ms, told.annotations, told.source_url)
        reading = begin_reading(self._ports.panes, row.service, closed_ms, self._clock)
        markers = self._markers.read(reading)
        if rule is None:
            return Found(row, rule, {}, None, quiet_until_ms, told.annotations, told.source_url, markers)
        alert = AlertSpan(
            labels=row.labels,
            started_ms=row.started_at_ms,
            breached_ms=row.changed_at_ms if record is None else record.breached_to_ms,
            ended_ms=row.changed_at_ms if row.state in ("resolved", "inactive") else None,
        )
        with self._limit:
            values = self._rules.values(reading, rule, alert) if record is not None else {}
            series = self._rules.series(reading, rule, alert)
        return Found(row, rule, values, series, quiet_until_ms, markers=markers)
