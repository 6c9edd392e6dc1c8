"""Follows the drill's errors over the streams, by the server's clock."""

from collections.abc import Callable
from dataclasses import dataclass, field

from barograph_core.alerts.record import AlertState
from barograph_core.alerts.transition import Transition
from barograph_core.errors import MalformedEventError
from barograph_core.keyspace.keys import NOTIFIER_GROUP, ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import Entry, as_entries, as_facts, as_int, as_list, as_text

_PAGE = 500


@dataclass(frozen=True, slots=True)
class ChannelOutcome:
    """What a channel did with the drill's alert.

    Attributes:
        after_ms: Time since the first error.
    """

    result: str
    reason: str
    after_ms: int

    @property
    def is_final(self) -> bool:
        return self.result != "retry"


@dataclass(slots=True)
class DrillRecord:
    """What was seen so far; times in ms since the first error, ``None`` while a stage has not been reached.

    Attributes:
        appended_ms: The first batch on the events stream.
        counted_ms: The first pane with it on the metrics stream.
        fired_ms: The alert on the alerts stream.
        alert: That alert.
        channels: The outcome of each channel that has a group.
    """

    appended_ms: int | None = None
    counted_ms: int | None = None
    fired_ms: int | None = None
    alert: Transition | None = None
    channels: dict[str, ChannelOutcome | None] = field(default_factory=dict[str, ChannelOutcome | None])

    @property
    def is_complete(self) -> bool:
        """Say whether every channel has an outcome that will not change."""
        return self.alert is not None and all(one is not None and one.is_final for one in self.channels.values())

    @property
    def is_told(self) -> bool:
        """Say whether a channel took the alert, and none gave it up or is still at it."""
        results = [one.result if one else "" for one in self.channels.values()]
        return "sent" in results and set(results) <= {"sent", "suppressed"}


class Watch:
    """Reads the streams of the drill's shard from ``begin_ms`` on, without a consumer group."""

    def __init__(self, connection: Connection, keys: ShardKeys, service: str, begin_ms: int) -> None:
        self._connection = connection
        self._keys = keys
        self._service = service.encode()
        self._begin_ms = begin_ms
        self._read_to: dict[str, str] = {}
        self._transitions: set[bytes] = set()
        self._kept: list[tuple[Entry, int]] = []
        self.record = DrillRecord(channels=dict.fromkeys(self._channels()))

    def look(self) -> DrillRecord:
        """Read what is new, and return what is known."""
        for stream, take in (
            (self._keys.events, self._take_event),
            (self._keys.metrics, self._take_pane),
            # Before the alerts, so that the alert of each is read by the end of this look.
            (self._keys.deliveries, self._keep_delivery),
            (self._keys.alerts, self._take_alert),
        ):
            self._read(stream, take)
        while self._kept:
            self._take_delivery(*self._kept.pop(0))
        return self.record

    def _channels(self) -> list[str]:
        if not as_int(self._connection.command("EXISTS", self._keys.alerts)):
            return []
        groups = as_list(self._connection.command("XINFO", "GROUPS", self._keys.alerts))
        names = [as_text(as_facts(one)["name"]) for one in groups]
        return sorted(name.removeprefix(NOTIFIER_GROUP) for name in names if name.startswith(NOTIFIER_GROUP))

    def _read(self, stream: str, take: Callable[[Entry, int], None]) -> None:
        begin = self._read_to.get(stream, str(self._begin_ms))
        while entries := as_entries(self._connection.command("XRANGE", stream, begin, "+", "COUNT", _PAGE)):
            for entry in entries:
                take(entry, max(0, entry.id.ms - self._begin_ms))
            begin = self._read_to[stream] = f"({entries[-1].id}"

    def _is_ours(self, entry: Entry) -> bool:
        return entry.fields.get(b"service") == self._service

    def _take_event(self, entry: Entry, after_ms: int) -> None:
        if self.record.appended_ms is None and self._is_ours(entry):
            self.record.appended_ms = after_ms

    def _take_pane(self, entry: Entry, after_ms: int) -> None:
        if self.record.counted_ms is None and self._is_ours(entry):
            self.record.counted_ms = after_ms

    def _take_alert(self, entry: Entry, after_ms: int) -> None:
        if not self._is_ours(entry):
            return
        try:
            transition = Transition.from_fields(entry.fields)
        except MalformedEventError:
            return
        if transition.after is AlertState.FIRING:
            self._transitions.add(transition.transition.encode())
            if self.record.alert is None:
                self.record.alert, self.record.fired_ms = transition, after_ms

    def _keep_delivery(self, entry: Entry, after_ms: int) -> None:
        self._kept.append((entry, after_ms))

    def _take_delivery(self, entry: Entry, after_ms: int) -> None:
        channel, result, reason = (
            entry.fields.get(name, b"").decode(errors="replace") for name in (b"channel", b"result", b"reason")
        )
        known = self.record.channels.get(channel)
        if entry.fields.get(b"transition") not in self._transitions or (known and known.result == "sent"):
            return
        self.record.channels[channel] = ChannelOutcome(result, reason, after_ms)
