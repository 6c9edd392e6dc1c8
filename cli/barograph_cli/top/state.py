"""What is known of one service: an overview, and the live messages folded into it. A repeat changes nothing."""

from dataclasses import dataclass
from typing import Final, Literal

from barograph_cli.rest.fields import Fields
from barograph_cli.top.rows import (
    Alert,
    Endpoint,
    Marker,
    Minute,
    Model,
    Pipeline,
    read_alert,
    read_endpoints,
    read_marker,
    read_minute,
    read_model,
    read_pipeline,
    read_point,
)

Outcome = Literal["same", "changed", "gap"]
_SERIES: Final = ("requests", "errors", "p95_ms")
_MARKERS: Final = 200
_ACTIVE: Final = frozenset({"pending", "firing"})


@dataclass(slots=True)
class ServiceState:
    """One service. Times are ms since the epoch.

    Attributes:
        epoch: Of the live messages that continue ``seq``.
        step_ms: Length of a point; ``from_ms`` where the first one of ``series`` begins.
        series: A value for each point, ``None`` where there was no request.
        rules: How many rules watch the service; ``None`` where no alerter published any.
    """

    service: str
    epoch: str
    seq: int
    closed_through_ms: int
    from_ms: int
    step_ms: int
    series: dict[str, list[float | None]]
    minute: Minute
    endpoints: list[Endpoint]
    models: list[Model]
    alerts: dict[str, Alert]
    markers: list[Marker]
    rules: int | None
    pipeline: Pipeline

    @classmethod
    def of(cls, overview: Fields) -> "ServiceState":
        """Return the state that an overview tells.

        Raises:
            ConsoleError: The overview has another form.
        """
        red = overview.inner("red")
        return cls(
            service=overview.text("service"),
            epoch=overview.text("epoch"),
            seq=overview.count("seq"),
            closed_through_ms=overview.count("closed_through_ms"),
            from_ms=overview.count("from_ms"),
            step_ms=overview.count("step_ms"),
            series={name: [read_point(value) for value in red.items(name)] for name in _SERIES},
            minute=read_minute(overview.inner("minute")),
            endpoints=read_endpoints(overview.inner("endpoints")),
            models=[read_model(row) for row in overview.rows("models")],
            alerts={alert.id: alert for alert in map(read_alert, overview.rows("alerts"))},
            markers=[read_marker(row) for row in overview.rows("markers")],
            rules=overview.moment("rules"),
            pipeline=read_pipeline(overview.inner("pipeline")),
        )

    def fold(self, message: Fields) -> Outcome:
        """Take in one live message; ``gap`` when one before it is missing, so that the overview is to be read again.

        Raises:
            ConsoleError: The message has another form.
        """
        kind = message.text("type")
        seq = message.values.get("seq")
        if kind == "reset":
            return "gap"
        if not isinstance(seq, int) or seq < self.seq or (kind != "snapshot" and seq == self.seq):
            return "same"
        if kind == "snapshot":
            self._take(message.inner("state"))
        elif seq != self.seq + 1:
            return "gap"
        elif kind == "alert":
            self._take_alert(message.inner("alert"))
        elif kind == "marker":
            self._take_marker(read_marker(message.inner("marker")))
        else:
            self._take(message)
        self.seq = seq
        return "changed"

    def _take(self, given: Fields) -> None:
        """Take what a tick or a snapshot tells; what it leaves out did not change."""
        has = given.values.__contains__
        if has("closed_through_ms"):
            self.closed_through_ms = given.count("closed_through_ms")
        if has("pipeline"):
            self.pipeline = read_pipeline(given.inner("pipeline"))
        if has("minute"):
            self.minute = read_minute(given.inner("minute"))
        if has("endpoints") and "rows" in given.inner("endpoints").values:
            self.endpoints = read_endpoints(given.inner("endpoints"))
        if has("models"):
            self.models = [read_model(row) for row in given.rows("models")]
        if has("alerts"):
            self.alerts = {alert.id: alert for alert in map(read_alert, given.rows("alerts"))}
        if has("points"):
            self._set_point(given.inner("points"))

    def _set_point(self, points: Fields) -> None:
        """Replace the newest point, and move the window on when it is a new one."""
        if str(self.step_ms) not in points.values:
            return
        point = points.inner(str(self.step_ms))
        place = (point.count("t") - self.from_ms) // self.step_ms
        length = len(self.series["requests"])
        moved = min(length, max(0, place - length + 1))
        for name, values in self.series.items():
            values[:] = [*values[moved:], *[None] * moved]
            if 0 <= place - moved < length:
                values[place - moved] = point.number(name)
        self.from_ms += max(0, place - length + 1) * self.step_ms

    def _take_alert(self, row: Fields) -> None:
        if row.text("state") in _ACTIVE:
            alert = read_alert(row)
            self.alerts[alert.id] = alert
        else:
            self.alerts.pop(row.text("id"), None)

    def _take_marker(self, marker: Marker) -> None:
        if marker not in self.markers:
            self.markers = [*self.markers, marker][-_MARKERS:]
