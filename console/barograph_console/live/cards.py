"""The cards of all services: what the topic ``*`` is about. For the feed's thread."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from barograph_console.live.messages import Message, json_of, members_of
from barograph_console.live.window import WINDOW_MS, MinuteWindow
from barograph_console.reading.first_pane import FirstPanes
from barograph_console.reading.panes import begin_reading
from barograph_console.rows.requests import Minute, minute_of, requests_of
from barograph_console.services.cards import AlertsOfService, Card, alerts_by_service, is_internal
from barograph_console.store.ports import Ports
from barograph_core.clock import Clock
from barograph_core.panes.pane import Pane

# Services whose figures are worked out a second: with more of them, each waits for its turn.
_A_SECOND: Final = 20


@dataclass(slots=True)
class _Held:
    """What is known of one service: its requests of the last minute, and the figures made of them last.

    Attributes:
        begun_ms: When the service was first seen, or the start of the minute that was read first.
    """

    window: MinuteWindow = field(default_factory=MinuteWindow)
    read_ms: int = 0
    begun_ms: int = 0
    minute: Minute | None = None


class Cards:
    """Keeps a card for each service."""

    def __init__(self, ports: Ports, clock: Clock, first_panes: FirstPanes, apdex_t_ms: float) -> None:
        self._ports = ports
        self._clock = clock
        self._first_panes = first_panes
        self._apdex_t_ms = apdex_t_ms
        self._held: dict[str, _Held] = {}

    def tick(self, now_ms: int) -> Message:
        """Return a tick with all cards, of which a bounded number is brought up to date.

        Raises:
            BarographError: The server is away.
        """
        return Message("tick", members_of({"at_ms": now_ms, "cards": self._current()}))

    def snapshot(self, now_ms: int) -> str:
        """Return all cards, as JSON.

        Raises:
            BarographError: The server is away.
        """
        return json_of({"at_ms": now_ms, "cards": self._current()})

    def _current(self) -> list[Card]:
        closed = self._ports.panes.services()
        self._held = {service: self._held.get(service) or _Held() for service in closed}
        behind = [service for service in closed if self._held[service].read_ms < closed[service]]
        for service in sorted(behind, key=lambda one: self._held[one].read_ms)[:_A_SECOND]:
            self._read(service, closed[service])
        return self._with_alerts(closed)

    def _with_alerts(self, closed: Mapping[str, int]) -> list[Card]:
        alerts = alerts_by_service(self._ports.alerts.records(list(closed)), self._ports.rules.read())
        return [
            Card(
                service=service,
                closed_through_ms=through_ms,
                is_internal=is_internal(service),
                minute=self._held[service].minute,
                worst_alert=alerts.get(service, AlertsOfService()).worst,
                firing=alerts.get(service, AlertsOfService()).firing,
            )
            for service, through_ms in closed.items()
        ]

    def _read(self, service: str, through_ms: int) -> None:
        held = self._held[service]
        reading = begin_reading(self._ports.panes, service, through_ms, self._clock)
        from_ms = max(held.read_ms, through_ms - WINDOW_MS)
        panes = self._ports.panes.read(service, reading.steps[0].step_ms, from_ms, through_ms)
        if not held.begun_ms:
            first_ms = next((stored.start_ms for stored in panes if not stored.pane.is_empty), None)
            held.begun_ms = through_ms - self._first_panes.covered_ms(
                reading, window_ms=WINDOW_MS, first_in_ms=first_ms
            )
        for stored in panes:
            requests = stored.pane.table("request")
            held.window.put(stored.start_ms, Pane.EMPTY if requests is None else Pane([requests]).whole())
        held.read_ms = through_ms
        row = requests_of(held.window.merged(through_ms))
        covered_ms = min(WINDOW_MS, through_ms - held.begun_ms)
        held.minute = minute_of(row, covered_ms=covered_ms, apdex_t_ms=self._apdex_t_ms, before=None)
