"""The alert state of one service as ``state:<service>`` holds it, and the changes made to it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from barograph_core.alert_changes import Change
from barograph_core.alerts import AlertRecord, AlertState
from barograph_core.errors import MalformedEventError

_ALERT: Final = "alert:"


@dataclass(slots=True)
class ServiceState:
    """What is known of a service's alerts.

    Attributes:
        version: Compare-and-set guard of the hash; ``0`` while there is none.
        closed_at_ms: End of the newest closed pane that was judged, ``None`` before the first.
        records: Alerts that are not inactive, by id.
        unreadable: Ids of records that cannot be read (kept as they are; a newer version may have written them).
    """

    version: str = "0"
    closed_at_ms: int | None = None
    records: dict[str, AlertRecord] = field(default_factory=dict[str, AlertRecord])
    unreadable: list[str] = field(default_factory=list[str])

    @classmethod
    def from_hash(cls, fields: Mapping[str, bytes]) -> Self:
        """Read the hash; empty fields are a service without state."""
        closed_at = fields.get("closed_at")
        state = cls(fields.get("version", b"0").decode(), int(closed_at) if closed_at else None)
        for name, text in fields.items():
            if not name.startswith(_ALERT):
                continue
            try:
                state.records[name[len(_ALERT) :]] = AlertRecord.from_json(text)
            except MalformedEventError:
                state.unreadable.append(name[len(_ALERT) :])
        return state

    def of_rule(self, rule: str) -> Iterator[AlertRecord]:
        return (record for record in self.records.values() if record.rule == rule)

    def apply(self, change: Change) -> None:
        """Bring the records up to date with ``change``."""
        if change.record is None:
            self.records.pop(change.alert_id, None)
        else:
            self.records[change.alert_id] = change.record

    @property
    def has_pending(self) -> bool:
        return any(record.state is AlertState.PENDING for record in self.records.values())

    @property
    def unannounced(self) -> list[AlertRecord]:
        """Return firing alerts whose notification the cooldown held back."""
        return [
            record for record in self.records.values() if record.state is AlertState.FIRING and not record.is_announced
        ]


def condensed(changes: Sequence[Change]) -> list[Change]:
    """Leave out what a later change of the same alert overwrites and nobody is told of.

    A reminder overwrites nothing: the server drops it whole while it is not due.
    """
    last = {change.alert_id: index for index, change in enumerate(changes) if change.cooldown != "remind"}
    return [
        change
        for index, change in enumerate(changes)
        if change.transition is not None or last[change.alert_id] == index
    ]
