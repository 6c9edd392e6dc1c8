"""Routes about alerts: those active, their history, their number, and resolving one by hand."""

from collections.abc import Callable
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query

from barograph_console import models
from barograph_console.alert_view import active_rows, alert_row, history_row, summarise
from barograph_console.ports import AlertConflictError, AlertNotFoundError, Ports
from barograph_console.problems import ApiError, ErrorBody
from barograph_core.clock import Clock
from barograph_core.stream import EntryId

_DAY_MS: Final = 86_400_000
# The server refuses an id beyond it, and would be blamed for the caller's mistake.
_LARGEST_PART: Final = 2**64 - 1


class AlertRoutes:
    """Answers questions about alerts, and resolves them."""

    def __init__(self, ports: Ports, clock: Clock, may_change: Callable[..., None]) -> None:
        self._ports = ports
        self._clock = clock
        self.router = APIRouter(prefix="/alerts", tags=["alerts"])
        self.router.add_api_route("", self.active, summary="Alerts that are pending or firing")
        self.router.add_api_route("/history", self.history, summary="The alerts stream, newest first")
        self.router.add_api_route("/summary", self.summary, summary="How many alerts there are")
        self.router.add_api_route(
            "/{alert_id}/resolve",
            self.resolve,
            methods=["POST"],
            dependencies=[Depends(may_change)],
            summary="End an alert by hand; it stays quiet until the condition has been clear once",
            responses={404: {"model": ErrorBody}, 409: {"model": ErrorBody}},
        )

    def active(
        self, service: Annotated[str, Query(description="only of this service", max_length=64)] = ""
    ) -> models.Alerts:
        return models.Alerts(
            at_ms=self._clock.now_ms(), alerts=active_rows(self._ports.alerts.records(self._services(service)))
        )

    def history(
        self,
        limit: Annotated[int, Query(ge=1, le=500, description="more only where entries have the same id")] = 100,
        before: Annotated[str, Query(description="an entry id, or a time in ms; only older entries")] = "",
        service: Annotated[str, Query(description="only of this service", max_length=64)] = "",
    ) -> models.History:
        page = self._ports.alerts.history(before=_parse_before(before), limit=limit, service=service)
        return models.History(
            entries=[history_row(entry) for entry in page.entries],
            next_before=None if page.next_before is None else str(page.next_before),
        )

    def summary(self) -> models.AlertSummary:
        now_ms = self._clock.now_ms()
        records = self._ports.alerts.records(self._services(""))
        return summarise(now_ms, records, self._ports.alerts.count_since(now_ms - _DAY_MS))

    def resolve(
        self, alert_id: Annotated[str, Path(pattern=r"^[0-9a-f]{16}$")], body: models.ResolveRequest
    ) -> models.Resolved:
        try:
            record, transition = self._ports.alerts.resolve(alert_id, body.actor, self._clock.now_ms())
        except AlertNotFoundError as error:
            raise ApiError(404, "unknown_alert", str(error.args[0])) from error
        except AlertConflictError as error:
            raise ApiError(409, "conflict", str(error)) from error
        return models.Resolved(transition=transition.transition, alert=alert_row(record))

    def _services(self, service: str) -> list[str]:
        known = list(self._ports.panes.services())
        return [name for name in known if name == service] if service else known


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
