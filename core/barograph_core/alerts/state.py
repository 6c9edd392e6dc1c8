"""The alert state of one service as ``state:<service>`` holds it, and the changes made to it."""

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final, Self

from barograph_core.alerts.by_hand import expire_acknowledgement
from barograph_core.alerts.change import UNCHANGED, Change
from barograph_core.alerts.flapping.flaps import Flaps, incident_of
from barograph_core.alerts.record import AlertRecord, AlertState
from barograph_core.errors import MalformedEventError
from barograph_core.server.foreign_replies import as_count
from barograph_core.server.replies import as_text

# ``transition.lua`` and ``service.lua`` name the same fields.
_ALERT: Final = "alert:"
_FLAPS: Final = "flaps:"
_INHIBITED: Final = "inhibited:"
# Each moment reads again how often alerts have fired.
_REMEMBERED: Final = 16_384
_read_flaps = lru_cache(_REMEMBERED)(Flaps.from_json)


def alert_field(alert_id: str) -> str:
    """Return the field of ``state:<service>`` that holds the record of an alert."""
    return f"{_ALERT}{alert_id}"


def flaps_field(alert_id: str) -> str:
    """Return the field of ``state:<service>`` that holds how often an alert has fired lately."""
    return f"{_FLAPS}{alert_id}"


def inhibited_field(alert_id: str) -> str:
    """Return the field of ``state:<service>`` that says which alert holds an alert back, as notifiers write it."""
    return f"{_INHIBITED}{alert_id}"


def inhibited_text(inhibitor: str, episode_ms: int) -> str:
    """Return what stands in that field: the alert that holds back, and the episode that is held back."""
    return f"{inhibitor} {episode_ms}"


def alert_ids(fields: Iterable[str]) -> list[str]:
    """Return the ids of the alerts whose records lie in these fields of ``state:<service>``."""
    return [name.removeprefix(_ALERT) for name in fields if name.startswith(_ALERT)]


@dataclass(slots=True)
class ServiceState:
    """The alerts of one service.

    Attributes:
        version: Compare-and-set guard of the hash; ``0`` while there is none.
        closed_at_ms: End of the newest closed pane that was judged, ``None`` before the first.
        records: Alerts that are not inactive, by id.
        flaps: How often alerts have fired lately, by id, also of those that are inactive now.
        inhibited: Alert -> what notifiers have noted of who holds it back (``inhibited_text``).
        unreadable: Ids of records that cannot be read. They are kept, because a newer version may have written them.
    """

    version: str = "0"
    closed_at_ms: int | None = None
    records: dict[str, AlertRecord] = field(default_factory=dict[str, AlertRecord])
    flaps: dict[str, Flaps] = field(default_factory=dict[str, Flaps])
    inhibited: dict[str, str] = field(default_factory=dict[str, str])
    unreadable: list[str] = field(default_factory=list[str])

    @classmethod
    def from_hash(
        cls, fields: Mapping[str, bytes], read: Callable[[bytes], AlertRecord] = AlertRecord.from_json
    ) -> Self:
        """Read the hash; without fields, the service has no state.

        Args:
            fields: As the server has them.
            read: Reads a record; for those who remember the ones that they read.
        """
        closed_at = fields.get("closed_at")
        state = cls(as_text(fields.get("version", b"0")), as_count(closed_at) if closed_at else None)
        for alert in alert_ids(fields):
            try:
                state.records[alert] = read(fields[alert_field(alert)])
            except MalformedEventError:
                state.unreadable.append(alert)
        for name in fields:
            if name.startswith(_INHIBITED):
                state.inhibited[name.removeprefix(_INHIBITED)] = fields[name].decode(errors="replace")
            if name.startswith(_FLAPS):
                # What cannot be read is counted from again.
                with contextlib.suppress(MalformedEventError):
                    state.flaps[name.removeprefix(_FLAPS)] = _read_flaps(fields[name])
        return state

    def apply(self, change: Change) -> None:
        """Apply ``change`` to the records."""
        if change.record is None:
            self.records.pop(change.alert_id, None)
        else:
            self.records[change.alert_id] = change.record
        if change.flaps is None:
            self.flaps.pop(change.alert_id, None)
        elif change.flaps is not UNCHANGED:
            self.flaps[change.alert_id] = change.flaps

    def set_back(self, through_ms: int) -> list[Change]:
        """Return the changes that let the alerts go on from ``through_ms``, which is earlier than what was judged.

        The cursors of the panes were set back, because the server's clock had been ahead. What is noted of later
        times would mute every verdict until that time comes.
        """
        changes = [
            Change(alert_id=record.alert_id, record=earlier)
            for record in self.records.values()
            if (earlier := _set_back(record, through_ms)) != record
        ]
        for change in changes:
            self.apply(change)
        again = [
            Change(alert_id=alert, record=self.records.get(alert), flaps=fewer)
            for alert, flaps in self.flaps.items()
            if (fewer := flaps.set_back(through_ms)) != flaps
        ]
        for change in again:
            self.apply(change)
        return changes + again

    @property
    def is_empty(self) -> bool:
        """Say whether there is neither an alert nor a firing that still counts, so that time changes nothing."""
        return not self.records and not self.flaps

    @property
    def shown(self) -> list[AlertRecord]:
        """Return the records, each with the alert that holds it back if that still fires, or is not known here."""
        records = [*self.records.values()]
        return [self._with_inhibitor(record) for record in records] if self.inhibited else records

    def _with_inhibitor(self, record: AlertRecord) -> AlertRecord:
        inhibitor, _, episode = self.inhibited.get(record.alert_id, "").partition(" ")
        is_held = record.state is AlertState.FIRING and episode == str(record.told_episode_ms)
        known = self.records.get(inhibitor)
        is_over = known is not None and known.state is not AlertState.FIRING
        return replace(record, inhibited_by=(inhibitor,)) if inhibitor and is_held and not is_over else record

    @property
    def incidents(self) -> list[AlertRecord]:
        """Return the alerts that are pending or firing, and those that flap and are clear for now."""
        found = [record for record in self.records.values() if record.is_active]
        clear = (incident_of(self.records.get(alert), one) for alert, one in self.flaps.items() if one.last)
        return found + [record for record in clear if record is not None and record.alert_id not in self.records]

    @property
    def has_pending(self) -> bool:
        return any(record.state is AlertState.PENDING for record in self.records.values())

    @property
    def unannounced(self) -> list[AlertRecord]:
        """Return firing alerts that a cooldown held back from a channel, and that no one has acknowledged."""
        return [
            record
            for record in self.records.values()
            if record.state is AlertState.FIRING and not record.is_announced and record.ack is None
        ]

    def end_acknowledgements(self, now_ms: int) -> list[Change]:
        """Return the changes that end the acknowledgements whose time is up, and apply them to the records."""
        expired = [record for record in self.records.values() if record.ack and record.ack.has_expired(now_ms)]
        changes = [_expiry(record, now_ms) for record in expired]
        for change in changes:
            self.apply(change)
        return changes


def condensed(changes: Sequence[Change]) -> list[Change]:
    """Leave out changes without a transition that a later change of the same alert overwrites.

    A reminder overwrites nothing: the server drops it whole while it is not due.
    """
    last = {change.alert_id: index for index, change in enumerate(changes) if change.cooldown != "recall"}
    return [
        change
        for index, change in enumerate(changes)
        if change.transition is not None or change.flaps is not UNCHANGED or last[change.alert_id] == index
    ]


def _expiry(record: AlertRecord, now_ms: int) -> Change:
    after, entry = expire_acknowledgement(record, now_ms)
    return Change(alert_id=record.alert_id, record=after, transition=entry)


def _set_back(record: AlertRecord, through_ms: int) -> AlertRecord:
    def known(since_ms: int | None) -> int | None:
        return since_ms if since_ms is None or since_ms <= through_ms else None

    return replace(
        record,
        breached_to_ms=min(record.breached_to_ms, through_ms),
        begun_ms=None if record.begun_ms is None else min(record.begun_ms, through_ms),
        clear_since_ms=known(record.clear_since_ms),
        no_data_since_ms=known(record.no_data_since_ms),
        level_since_ms={severity: min(since_ms, through_ms) for severity, since_ms in record.level_since_ms.items()},
        levels_judged_ms=known(record.levels_judged_ms),
    )
