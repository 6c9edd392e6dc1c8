"""One channel that delivers at once: which transitions it would have sent. As ``transition.lua`` decides for each."""

from dataclasses import dataclass

from barograph_core.alerts.change import Change
from barograph_core.alerts.record import AlertRecord, AlertState


@dataclass(frozen=True, slots=True)
class _Quiet:
    """The last delivery about an alert, and until when it mutes others; see ``shared_quiet.lua``."""

    until_ms: int
    rank: int
    cooldown_ms: int
    is_firing: bool


class Channel:
    """Keeps the cooldown of each alert, by event time."""

    def __init__(self, flap_wait_ms: int) -> None:
        self._flap_wait_ms = flap_wait_ms
        self._quiet: dict[str, _Quiet] = {}

    def sends(self, change: Change, now_ms: int) -> bool:
        """Say whether the entry of ``change`` goes out, and note it if so."""
        entry = change.transition
        if entry is None or entry.notify is False:
            return False
        held = self._quiet.get(change.alert_id)
        if entry.after is AlertState.RESOLVED:
            is_told = held is not None and held.is_firing
            if held is not None:
                self._quiet[change.alert_id] = _Quiet(held.until_ms, held.rank, held.cooldown_ms, is_firing=False)
            return is_told
        rank, cooldown_ms = entry.severity.rank, entry.cooldown_ms
        lasts = held is not None and held.until_ms > now_ms and held.cooldown_ms == cooldown_ms
        if held is not None and lasts and rank <= held.rank and change.cooldown == "announce":
            return False
        until_ms = held.until_ms if held is not None and lasts else now_ms + cooldown_ms
        self._quiet[change.alert_id] = _Quiet(until_ms, rank, cooldown_ms, is_firing=True)
        return True

    def free_ms(self, record: AlertRecord) -> int:
        """Return when a firing that was held back may be sent as a reminder."""
        held = self._quiet.get(record.alert_id)
        if held is None:
            return record.changed_at_ms
        if held.is_firing:
            return held.until_ms
        return min(held.until_ms, (record.fired_at_ms or 0) + self._flap_wait_ms)
