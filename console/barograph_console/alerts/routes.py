"""Routes about alerts: those active, their history, and their number."""

from collections.abc import Iterable
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query

from barograph_console.alerts import models
from barograph_console.alerts.episodes import Episodes, episodes_of
from barograph_console.alerts.silence_rows import active_silences
from barograph_console.alerts.view import active_rows, delivery_row, history_row, silence_change_row, summarise
from barograph_console.serving.problems import ApiError
from barograph_console.store.ports import AlertEntry, HistoryFilter, Ports
from barograph_console.store.services import closed_through
from barograph_core.clock import Clock
from barograph_core.server.replies import EntryId
from barograph_core.text.timestamps import parse_timestamp

_DAY_MS: Final = 86_400_000
# The server refuses an id beyond it, and would be blamed for the caller's mistake.
_LARGEST_PART: Final = 2**64 - 1


# Entries of one alert that are looked through: thousands of episodes are not read for one page.
_ENTRIES: Final = 500
ServiceFilter = Annotated[str, Query(description="only of this service", max_length=64)]
AlertId = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$", description="id of the alert")]
AlertFilter = Annotated[str, Query(pattern=r"^([0-9a-f]{16})?$", description="only of the alert with this id")]


class AlertRoutes:
    """Answers questions about alerts."""

    def __init__(self, ports: Ports, clock: Clock) -> None:
        self._ports = ports
        self._clock = clock
        self.router = APIRouter(tags=["alerts"])
        for path, route, name, summary in (
            ("/alerts", self.active, "getAlerts", "Alerts that are pending or firing"),
            ("/alerts/history", self.history, "getAlertHistory", "The alerts stream, newest first"),
            ("/alerts/summary", self.summary, "getAlertSummary", "How many alerts there are"),
            ("/alerts/episodes", self.episodes, "getEpisodes", "From the first breach to the end, by their start"),
            ("/deliveries", self.deliveries, "getDeliveries", "The record of what was sent, newest first"),
        ):
            self.router.add_api_route(path, route, operation_id=name, summary=summary)

    def active(
        self, service: Annotated[str, Query(description="only of this service", max_length=64)] = ""
    ) -> models.Alerts:
        now_ms = self._clock.now_ms()
        records, silences = self._ports.alerts.records(self._services(service)), self._ports.silences.all()
        rows = active_rows(records, self._ports.rules.read(), active_silences(silences, now_ms))
        return models.Alerts(at_ms=now_ms, alerts=rows)

    def history(
        self,
        limit: Annotated[int, Query(ge=1, le=500, description="more only where entries have the same id")] = 100,
        before: Annotated[str, Query(description="an entry id, or a time in ms; only older entries")] = "",
        service: ServiceFilter = "",
        rule: Annotated[str, Query(description="only of this rule", max_length=128)] = "",
        alert_id: AlertFilter = "",
        actor: Annotated[str, Query(description="only what this person did", max_length=128)] = "",
        from_: Annotated[str, Query(alias="from", description="only from then on: -1h, or as in queries")] = "",
        to: Annotated[str, Query(description="only before then")] = "",
    ) -> models.History:
        self._services(service)
        only = HistoryFilter(rule, alert_id, actor, self._moment(from_) or 0)
        ends = [end for end in (_parse_before(before), _id_at(self._moment(to))) if end is not None]
        page = self._ports.alerts.history(before=min(ends, default=None), limit=limit, service=service, only=only)
        return models.History(
            entries=[history_row(entry) for entry in page.entries],
            silences=[silence_change_row(change) for change in page.silences],
            next_before=None if page.next_before is None else str(page.next_before),
        )

    def episodes(
        self,
        service: Annotated[str, Query(description="name of the service", max_length=64)],
        from_: Annotated[str, Query(alias="from", description="as in queries")] = "-24h",
        to: Annotated[str, Query(description="as in queries; excluded")] = "now",
    ) -> Episodes:
        closed_through(self._ports.panes, service)
        from_ms, to_ms = self._moment(from_) or 0, self._moment(to) or 0
        entries = self._ports.alerts.between(service, from_ms, to_ms)
        records = self._ports.alerts.records([service])
        return Episodes(service, episodes_of([entry.transition for entry in entries], records))

    def deliveries(
        self,
        alert_id: AlertFilter = "",
        channel: Annotated[str, Query(description="only of this channel", max_length=64)] = "",
        before: Annotated[str, Query(description="an entry id, or a time in ms; only older entries")] = "",
        limit: Annotated[int, Query(ge=1, le=500, description="more only where entries have the same id")] = 100,
    ) -> models.Deliveries:
        transitions = None
        if alert_id:
            only = HistoryFilter(alert_id=alert_id)
            transitions = ids_of(self._ports.alerts.history(before=None, limit=_ENTRIES, service="", only=only).entries)
        page = self._ports.alerts.deliveries(
            transitions=transitions, channel=channel, before=_parse_before(before), limit=limit
        )
        return models.Deliveries(
            deliveries=[delivery_row(one) for one in page.deliveries],
            next_before=None if page.next_before is None else str(page.next_before),
        )

    def _moment(self, text: str) -> int | None:
        try:
            return parse_timestamp(text, self._clock.now_ms()) if text else None
        except ValueError as error:
            raise ApiError(422, "invalid_parameter", str(error)) from error

    def summary(self) -> models.AlertSummary:
        now_ms = self._clock.now_ms()
        records = self._ports.alerts.records(self._services(""))
        return summarise(now_ms, records, self._ports.alerts.count_since(now_ms - _DAY_MS))

    def _services(self, service: str) -> list[str]:
        """Return the services to read: the one that is named, or all.

        Raises:
            UnknownServiceError: There is no service of that name.
        """
        if service:
            closed_through(self._ports.panes, service)
            return [service]
        return list(self._ports.panes.services())


def ids_of(entries: Iterable[AlertEntry]) -> frozenset[str]:
    """Return the ids of the transitions of ``entries``."""
    return frozenset(entry.transition.transition for entry in entries)


def _id_at(moment_ms: int | None) -> EntryId | None:
    return None if moment_ms is None else EntryId(moment_ms, 0)


def _parse_before(text: str) -> EntryId | None:
    if not text:
        return None
    try:
        if len(text) > 40 or not text.replace("-", "", 1).isascii() or not text.replace("-", "", 1).isdigit():
            raise ValueError(text)
        entry_id = EntryId.parse(text)
        if max(entry_id) > _LARGEST_PART:
            raise ValueError(text)
        return entry_id
    except ValueError:
        raise ApiError(
            422, "invalid_parameter", f"before {text[:40]!r} is neither an entry id nor a time in ms"
        ) from None
