"""Decides at the moment of sending whether a firing is held back, and refreshes one that is let go."""

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from barograph_core.alerts.flapping.incident import read_incident
from barograph_core.alerts.record import AlertRecord
from barograph_core.alerts.state import alert_field, inhibited_field, inhibited_text
from barograph_core.alerts.transition import Transition, transition_of
from barograph_core.clock import Clock
from barograph_core.errors import BarographError, MalformedEventError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_int
from barograph_core.silences.silence import labels_of
from barograph_core.silences.store import HeldSilence, SilenceStore
from barograph_notifier.muting.firing import FiringAlerts
from barograph_notifier.muting.inhibition import FiringAlert, Inhibition, inhibitor_of
from barograph_notifier.muting.mute import Mute
from barograph_notifier.outbox.queue_plan import ESCALATED, REASON_REPEAT, Candidate
from barograph_notifier.outbox.results import DeliveryResult

SILENCED: Final = "silenced"
INHIBITED: Final = "inhibited"
ACKNOWLEDGED: Final = "acknowledged"
# Of a step of an escalation, or a repetition, whose episode has ended.
OVER: Final = "superseded"
REASONS_RELEASED: Final = {SILENCED: "silence_ended", INHIBITED: "inhibition_ended"}
# What is told only as long as no one has acknowledged the alert.
_UNTIL_TAKEN_ON: Final = frozenset({ESCALATED, REASON_REPEAT})
# What is held back is looked at again after this time, though nothing said that it may go.
_LOOK_AGAIN_MS: Final = 60_000


class Muting:
    """Answers for one sender, from what holds when it asks. For one thread."""

    def __init__(
        self, connection: Connection, keys: ShardKeys, clock: Clock, inhibitions: Sequence[Inhibition] = ()
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._clock = clock
        self._inhibitions = tuple(inhibitions)
        self._is_within_service = all(one.is_within_service for one in self._inhibitions)
        self._store = SilenceStore(connection, keys)
        self._firing = FiringAlerts(connection, keys, clock, self._may_inhibit)
        self._silences: list[HeldSilence] | None = None

    def begin(self) -> None:
        """Forget what was read before: a pass decides by what holds now."""
        self._silences = None
        self._firing.begin()

    def mute_of(self, transition: Transition) -> Mute | None:
        """Return what holds ``transition``, a firing, back."""
        now_ms = self._clock.now_ms()
        if transition.reason in _UNTIL_TAKEN_ON and (mute := self._taken_on(transition, now_ms)):
            return mute
        names = labels_of(transition)
        for held in self._active_silences(now_ms):
            if held.silence.mutes(names):
                ends_ms = held.silence.ends_ms
                until_ms = now_ms + _LOOK_AGAIN_MS if ends_ms is None else min(ends_ms, now_ms + _LOOK_AGAIN_MS)
                return Mute(f"{SILENCED} {held.silence.silence_id}", until_ms)
        target = FiringAlert(transition.alert_id, names, dict(transition.labels))
        inhibitor = self._inhibitor(target, transition.service)
        return None if inhibitor is None else Mute(f"{INHIBITED} {inhibitor.alert_id}", now_ms + _LOOK_AGAIN_MS)

    def _taken_on(self, transition: Transition, now_ms: int) -> Mute | None:
        """Return what holds a step of an escalation or a repetition back: who has taken the alert on, or its end."""
        record = self._present(transition)
        if record is None:
            return Mute(OVER, None)
        if record.ack is None or record.ack.has_expired(now_ms):
            return None
        # Should the acknowledgement end before the alert, people are told again.
        return Mute(ACKNOWLEDGED, now_ms + _LOOK_AGAIN_MS)

    def note_held(self, deliveries: Sequence[DeliveryResult], are_recorded: Sequence[bool]) -> None:
        """Count what silences newly hold back, and note what other alerts do, of results that were recorded or not."""
        for delivery, is_recorded in zip(deliveries, are_recorded, strict=True):
            kind, _, by = delivery.reason.partition(" ")
            if is_recorded and delivery.result == "held" and kind == SILENCED:
                self._store.count_hit(by)
            if is_recorded and INHIBITED in (kind, delivery.item.held.partition(" ")[0]):
                is_held = delivery.result == "held" and kind == INHIBITED
                # Only for those who look at alerts: that it cannot be noted must not keep anything from being sent.
                with contextlib.suppress(BarographError):
                    self._note_inhibited(delivery.item.transition, by if is_held else "")

    def _note_inhibited(self, transition: Transition, inhibitor: str) -> None:
        """Note in the state which alert holds a firing back; none when it is let go, or over."""
        key, field = self._keys.state(transition.service), inhibited_field(transition.alert_id)
        if not inhibitor:
            self._connection.command("HDEL", key, field)
        elif as_int(self._connection.command("HEXISTS", key, alert_field(transition.alert_id))):
            self._connection.command("HSET", key, field, inhibited_text(inhibitor, transition.told_episode_ms))

    def released(self, candidate: Candidate) -> Candidate:
        """Return ``candidate`` as of the present if it was held back: its value may be hours old."""
        item = candidate.item
        reason = REASONS_RELEASED.get(item.held.partition(" ")[0])
        record = self._present(item.transition) if reason else None
        if reason is None or record is None:
            return candidate
        told = transition_of(
            record, before=item.transition.before, at_ms=item.transition.at_ms, notify=True, reason=reason
        )
        # Under the same id: it is the same firing, and is sent once.
        told = replace(told, transition=item.transition.transition, muted=item.transition.muted)
        return replace(candidate, item=replace(item, transition=told))

    def _active_silences(self, now_ms: int) -> list[HeldSilence]:
        if self._silences is None:
            self._silences = self._store.read()
        return [one for one in self._silences if one.silence.state_at(now_ms) == "active"]

    def _inhibitor(self, target: FiringAlert, service: str) -> FiringAlert | None:
        if not any(one.means_target(target) for one in self._inhibitions):
            return None
        firing = self._firing.of_service(service) if self._is_within_service else self._firing.of_shard()
        return inhibitor_of(target, self._inhibitions, firing)

    def _may_inhibit(self, alert: FiringAlert) -> bool:
        return any(one.means_source(alert) for one in self._inhibitions)

    def _present(self, transition: Transition) -> AlertRecord | None:
        """Return the record of the episode that ``transition`` tells of, ``None`` if it is over or cannot be read."""
        try:
            record = read_incident(self._connection, self._keys, transition.service, transition.alert_id)
        except MalformedEventError:
            return None
        is_same = record is not None and record.told_episode_ms == transition.told_episode_ms
        return record if is_same else None
